# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command of ibgwctl that systemd runs, so that it outlives who began it: one of a kind and a gateway at a time."""

from __future__ import annotations

import subprocess

from ..text import printable

COMMAND = "/opt/ibgw/ibgwctl"
BEGIN_SECONDS = 20.0
# It has bounds of its own; this ends one that hangs.
MOST_SECONDS = 3600


def unit(command: str, name: str) -> str:
    return f"ibgw-{command}-{name}.service"


def arguments(command: str, name: str, *options: str) -> list[str]:
    """Return what begins *command* for gateway *name*, and returns at once."""
    service = unit(command, name)
    return [
        *("systemd-run", "--quiet", "--collect", f"--unit={service}", f"--property=RuntimeMaxSec={MOST_SECONDS}"),
        *(COMMAND, command, name, *options),
    ]


def begin(command: str, name: str, *options: str) -> str:
    """Begin *command*; return why that failed, empty where it did not."""
    try:
        subprocess.run(
            arguments(command, name, *options),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=BEGIN_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        return printable(error.stderr.strip(), 400) or f"systemd-run exits with {error.returncode}"
    except (OSError, subprocess.SubprocessError) as error:
        return f"systemd-run: {type(error).__name__}"
    return ""

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a changed file calls for, remembered until they succeeded.

A run that is cut between a file and its command would otherwise leave the old setting in force for ever: the next
run finds the file as it should be.
"""

from __future__ import annotations

import collections.abc as c
import json
import os
import shlex
import subprocess

from .files import write

PATH = "/var/lib/ibgw/pending.json"
# No command of ours takes longer, on an emulated machine either.
SECONDS = 600


class CommandError(Exception):
    """A command that failed, and what it said."""


def remembered(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            commands: list[str] = json.load(file)
            return commands
    except FileNotFoundError:
        return []


def remember(path: str, commands: c.Sequence[str]) -> None:
    """Keep *commands* as those that are still to run, and no others."""
    if commands:
        write(path, {"content": json.dumps(commands), "mode": 0o600, "owner": os.geteuid(), "group": os.getegid()})
    elif os.path.exists(path):
        os.unlink(path)


def run(path: str, commands: c.Sequence[str]) -> None:
    """Run *commands* in order, forgetting each once it succeeded; CommandError at the first that fails."""
    for position, command in enumerate(commands):
        remember(path, commands[position:])
        try:
            subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=SECONDS, cwd="/")
        except OSError as fault:
            raise CommandError(f"{command}: {fault.strerror}") from fault
        except subprocess.TimeoutExpired as fault:
            raise CommandError(f"{command}: not finished after {SECONDS} seconds") from fault
        except subprocess.CalledProcessError as fault:
            said = (fault.stderr.strip() or fault.stdout.strip())[-2000:]
            raise CommandError(f"{command}: exit status {fault.returncode}: {said}") from fault
    remember(path, [])

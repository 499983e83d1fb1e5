# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the control node in texts for a person: by full name, which a checkout and an installed collection know.

A host knows neither the reader's inventory nor, while a text is built, its own name in it.
"""

from __future__ import annotations

NAMESPACE = "ibops.gateway."
# The arguments that a text leaves to its reader; plugin_utils/commands.py fills them in for the caller of a playbook.
INVENTORY, HOST = "-i INVENTORY", "-l HOST"


def command(name: str) -> str:
    """Return the command that runs playbook *name* on one host."""
    return f"ansible-playbook {NAMESPACE}{name} {INVENTORY} {HOST}"


SITE, LIVE_SIGNIN, RESTART, UPGRADE, DESKTOP = map(command, ("site", "live_signin", "restart", "upgrade", "desktop"))


def on_host(text: str, host: str) -> str:
    """Return *text* with its commands limited to *host* by its name in the inventory, where that is known."""
    return text.replace(f"{INVENTORY} {HOST}", f"{INVENTORY} -l {host}") if host else text

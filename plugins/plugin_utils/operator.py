# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a gateway's lease in this run, and whether the run names its live gateways.

This plugin util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import getpass
import os
import platform
import typing as t

from ansible import context
from ansible.module_utils.parsing.convert_bool import boolean


def owner() -> str:
    """Return the identity of this run of ansible-playbook; each task runs in a child of its process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user}@{platform.node()} (ansible, process {os.getppid()})"


def names_live(variables: c.Mapping[str, t.Any]) -> bool:
    """Whether this run has a limit, or explicitly includes live gateways."""
    limit = context.CLIARGS.get("subset") if context.CLIARGS else None
    return bool(limit) or boolean(variables.get("gateway_touch_live", False), strict=False)

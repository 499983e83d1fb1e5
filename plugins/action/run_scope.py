# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module run_scope: it runs on the control node, and contacts no host."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context

from ansible_collections.ibops.gateway.plugins.plugin_utils import commands, tags
from ansible_collections.ibops.gateway.plugins.plugin_utils.local_action import LocalAction

# Molecule always skips these tags.
_OF_MOLECULE = ("molecule-notest", "notest")


class ActionModule(LocalAction):
    ARGUMENTS: t.ClassVar = {"groups": {"type": "list", "elements": "str", "required": True}}

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        fault = _no_host(arguments["groups"], task_vars) or _no_task()
        return {"changed": False, **({"failed": True, "msg": fault} if fault else {})}


def _no_host(names: list[str], variables: dict[str, t.Any]) -> str:
    """Return a message if no host of these groups is in this run, else an empty text."""
    hosts = {host for name in names for host in variables["groups"].get(name, ())}
    if hosts & set(variables["ansible_play_hosts_all"]):
        return ""
    groups = f"group{'s' * (len(names) > 1)} {' and '.join(names)}"
    if limit := context.CLIARGS.get("subset"):
        there = f"they are {', '.join(sorted(hosts))}" if hosts else "the inventory has none"
        return f"Nothing was done: no host of {groups} is within the limit {limit}; {there}."
    sources = ", ".join(map(str, variables.get("ansible_inventory_sources") or ())) or "no inventory (-i)"
    return f"Nothing was done: the inventory has no host in {groups}. It was read from {sources}."


def _no_task() -> str:
    """Say which tag no task of this run has; empty where all are known, or the playbook is somebody else's."""
    asked = [
        *(context.CLIARGS.get("tags") or ()),
        *(tag for tag in context.CLIARGS.get("skip_tags") or () if tag not in (*C.TAGS_SKIP, *_OF_MOLECULE)),
    ]
    asked = [tag for tag in asked if tag not in tags.SPECIAL]
    # Reading all files for their tags takes longer than the rest of this.
    playbooks = (context.CLIARGS.get("args") or ()) if asked else ()
    known: set[str] = set()
    for given in playbooks:
        path = commands.ours(str(given))
        if path is None:
            return ""
        known |= tags.of_playbook(path)
    if unknown := [tag for tag in asked if tag not in known]:
        names = " and ".join(Path(str(given)).name.removesuffix(".yml") for given in playbooks)
        there = f"it has {', '.join(sorted(known))}" if known else "it has no tags"
        return f"Nothing was done: no task of {names} has the tag {', '.join(unknown)}; {there}."
    return ""

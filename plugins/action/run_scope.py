# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module run_scope: it runs on the control node, and contacts no host."""

from __future__ import annotations

import difflib
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context

from ansible_collections.ibops.gateway.plugins.plugin_utils import commands, tags
from ansible_collections.ibops.gateway.plugins.plugin_utils.local_action import LocalAction

# Molecule always skips these tags.
_OF_MOLECULE = ("molecule-notest", "notest")


class ActionModule(LocalAction):
    ARGUMENTS: t.ClassVar = {
        "groups": {"type": "list", "elements": "str", "required": True},
        "without_machine": {"type": "str"},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        hosts = {host for name in arguments["groups"] for host in task_vars["groups"].get(name, ())}
        chosen = sorted(hosts & set(task_vars["ansible_play_hosts_all"]))
        other = arguments["without_machine"]
        fault = "" if chosen else _no_host(arguments["groups"], hosts, task_vars)
        fault = fault or (_no_machine(chosen, other, task_vars["hostvars"]) if other else "") or _no_task()
        return {"changed": False, **({"failed": True, "msg": fault} if fault else {})}


def _no_host(names: list[str], hosts: set[str], variables: dict[str, t.Any]) -> str:
    """Say why none of the *hosts* of these groups is in this run."""
    groups = f"group{'s' * (len(names) > 1)} {' and '.join(names)}"
    if limit := context.CLIARGS.get("subset"):
        there = f"they are {', '.join(sorted(hosts))}" if hosts else "the inventory has none"
        fault = f"no host of {groups} is within the limit {limit}; {there}."
    else:
        sources = ", ".join(map(str, variables.get("ansible_inventory_sources") or ())) or "no inventory (-i)"
        fault = f"the inventory has no host in {groups}. It was read from {sources}."
    return f"Nothing was done: {fault}" + ("" if hosts else _below(names, variables))


def _below(names: list[str], variables: dict[str, t.Any]) -> str:
    """Say where the groups of modes belong, if the inventory has them without the one above."""
    modes = [each for each in ("paper", "live") if variables["groups"].get(each)]
    if "gateways" not in names or not modes:
        return ""
    children = ", ".join(f"{each}: {{hosts: …}}" for each in modes)
    return f" Put {' and '.join(modes)} below gateways: `gateways: {{children: {{{children}}}}}`."


def _no_machine(chosen: list[str], other: str, variables: dict[str, t.Any]) -> str:
    """Say that no chosen host has a machine of the collection's, and name the *other* playbook; empty where one has."""
    if any(variables[host].get("gateway_machine_role") for host in chosen):
        return ""
    limit = str(context.CLIARGS.get("subset") or "")
    return (
        f"Nothing was done: gateway_machine_role is empty for {', '.join(chosen)}, so that there is no machine to make "
        f"or remove. For a machine of your own: {commands.command(other, limit)}"
    )


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
        near = [each for tag in unknown for each in difflib.get_close_matches(tag, sorted(known))]
        listed = f"near it {'are' if len(near) > 1 else 'is'} {', '.join(near)}; " if near else ""
        there = f"{listed}--list-tags shows all" if known else "it has no tags"
        return f"Nothing was done: no task of {names} has the tag {', '.join(unknown)}; {there}."
    return ""

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module validate: it runs on the control node, and contacts no host."""

from __future__ import annotations

import collections
import collections.abc as c
import secrets
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import filter_loader

from ansible_collections.ibops.gateway.plugins.module_utils.agent.problem import Problem
from ansible_collections.ibops.gateway.plugins.module_utils.host import systems
from ansible_collections.ibops.gateway.plugins.module_utils.rules import check, names
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands, variables
from ansible_collections.ibops.gateway.plugins.plugin_utils.local_action import LocalAction

# The main process of a run imports this file before it forks a worker for each task.
# With one filter Ansible loads all of the collection: 0.1 s, here once, else in each worker whose task uses one.
filter_loader.get("ibops.gateway.system")
# Nobody can know it in advance, so no variable can switch the validation off.
_RUN = secrets.token_hex(16)
# The variable in which playbooks register what was validated.
REGISTERED = "__ibgw_validated"
# The variable in which site.yml registers which machine a host is.
MACHINE = "__ibgw_machine"
# Exists on every supported system. Hosts without a configured interpreter use it, without a search (which finds the
# newest on PATH, perhaps pyenv's) and without a warning per host.
PYTHON = "/usr/bin/python3"


class ActionModule(LocalAction):
    ARGUMENTS: t.ClassVar = {
        "roles": {"type": "list", "elements": "str", "required": True},
        "hosts": {"type": "list", "elements": "str"},
        "facts": {"type": "dict"},
        "controls": {"type": "list", "elements": "str"},
        "machines": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return _Validation(self, task_vars, arguments).result()


class _Validation:
    """One call of the action."""

    def __init__(self, action: ActionBase, task_vars: dict[str, t.Any], arguments: dict[str, t.Any]) -> None:
        self._loader, self._task_vars, self._arguments = action._loader, task_vars, arguments
        self._hostvars = task_vars["hostvars"]
        self._renderer = variables.Renderer(action._loader)
        self._host: str = task_vars["inventory_hostname"]
        self._checked: dict[str, set[str]] = {}

    def result(self) -> dict[str, t.Any]:
        roles, hosts = self._arguments["roles"], self._arguments["hosts"]
        covered = self._covered()
        machines = self._arguments["machines"]
        if (
            hosts is None
            and not machines
            and self._arguments["facts"] is None
            and set(roles) <= covered.get(self._host, set())
        ):
            return {"changed": False, "problems": []}
        chosen = hosts if hosts is not None else [self._host]
        told = self._machines(chosen) if machines else {}
        unproven = {
            host: each["distribution"]
            for host, each in told.items()
            if "distribution" in each
            and not systems.is_proven(each["distribution"]["id"], each["distribution"]["version"])
        }
        seen = {host: each.get("machine", "") for host, each in told.items()}
        if machines and not unproven and not _shared(seen):
            return {"changed": False, "problems": []}
        if self._arguments["facts"] is not None:
            return self._told(self._of_facts())
        self._defaults, self._own = variables.role_variables(self._loader)
        self._specification = variables.specification(self._loader, self._defaults)
        known = {"machine", *self._specification.roles}
        if unknown := [role for role in roles if role not in known]:
            raise AnsibleActionFail(f"roles has {', '.join(unknown)}; name some of {', '.join(sorted(known))}")
        if problems := self._of_systems(unproven):
            return self._told(problems)
        result = self._told(self._of_machines(seen) if machines else self._problems(chosen))
        if not machines and (warnings := self._warnings(chosen)):
            result["warnings"] = warnings
        if hosts is not None and not machines and not result["problems"]:
            for host, checked in self._checked.items():
                covered.setdefault(host, set()).update(checked)
            result["ansible_facts"] = {"discovered_interpreter_python": PYTHON}
            result["covered"] = {"run": _RUN, "hosts": {host: sorted(names) for host, names in covered.items()}}
        return result

    def _told(self, problems: c.Sequence[Problem]) -> dict[str, t.Any]:
        result = {"changed": False, "problems": [each._asdict() for each in problems]}
        if not problems:
            return result
        lines = "\n- ".join(commands.localized(str(each), each.host or self._host) for each in problems)
        return {**result, "failed": True, "msg": f"Nothing was changed. {len(problems)} to fix:\n- {lines}"}

    def _of_facts(self) -> list[Problem]:
        """The problems of values beside the host's facts, in a role that has been validated without them."""
        (role,), controls = self._arguments["roles"], self._arguments["controls"]
        own = variables.HostVariables(self._renderer, self._task_vars, ())
        context = check.Context(variables.specification(self._loader, {}, role), facts=self._arguments["facts"])
        if controls is not None:
            context = context._replace(controls=controls)
        return [each._replace(host=self._host) for each in check.values(own, [role], context)]

    def _covered(self) -> dict[str, set[str]]:
        """The roles that an earlier task of this run validated, by host."""
        told = self._task_vars.get(REGISTERED)
        covered = told.get("covered") if isinstance(told, c.Mapping) else None
        if not isinstance(covered, c.Mapping) or covered.get("run") != _RUN:
            return {}
        return {host: set(roles) for host, roles in covered["hosts"].items()}

    def _machines(self, hosts: c.Sequence[str]) -> dict[str, c.Mapping[str, t.Any]]:
        """The result of module machine_info for each host, empty where the machine is only predicted."""
        return {host: self._hostvars.raw_get(host).get(MACHINE) or {} for host in hosts}

    def _of_systems(self, unproven: c.Mapping[str, c.Mapping[str, str]]) -> list[Problem]:
        return [
            problem._replace(host=host)
            for host, system in unproven.items()
            for problem in check.system(self._variables(host), system)
        ]

    def _of_machines(self, seen: dict[str, str]) -> list[Problem]:
        shared = _shared(seen)
        inventory = {host: self._variables(host) for host, machine in seen.items() if machine in shared}
        return check.machines(inventory, seen, self._arguments["roles"], self._specification)

    def _problems(self, hosts: c.Sequence[str]) -> list[Problem]:
        found: list[Problem] = []
        compared_by: set[str] = set()
        sound: check.Sound = {}
        all_hosts = self._task_vars["groups"]["all"]
        context = check.Context(self._specification, all_hosts)
        in_run = {host: self._variables(host) for host in hosts}
        for host, own in in_run.items():
            roles = self._roles(own)
            compared_by |= {*roles}
            self._checked.setdefault(host, {*self._arguments["roles"]}).update(roles)
            found += [each._replace(host=host) for each in check.host(own, roles, context, sound)]
        if compared_by & {*check.PAIRS}:
            gateways = self._task_vars["groups"].get("gateways", [])
            # This run's hosts last: a problem between two gateways is reported for the later one.
            others = [host for host in gateways if host not in in_run]
            compared = {host: self._variables(host) for host in others}
            compared |= {host: own for host, own in in_run.items() if host in gateways or not gateways}
            found += check.pairs(compared, compared_by, self._specification)
        return found

    def _warnings(self, hosts: c.Sequence[str]) -> list[str]:
        known = self._specification.known()
        found = {each for host in hosts for each in names.prefixed(self._hostvars.raw_get(host), known)}
        return [
            f"Nothing in the inventory reads {name}, and {meant} is not set: write {meant} if that was meant."
            for name, meant in sorted(found)
        ]

    def _roles(self, own: variables.HostVariables) -> list[str]:
        """Those of the requested roles that this host has."""
        chosen = []
        for role in self._arguments["roles"]:
            if role == "machine":
                role = _read(own, "gateway_machine_role").removeprefix("ibops.gateway.")
                if role not in self._specification.roles:
                    continue
            if role == "client_portal" and _read(own, "gateway_stack") == "tws":
                continue
            chosen.append(role)
        return chosen

    def _variables(self, host: str) -> variables.HostVariables:
        given = self._hostvars.raw_get(host)
        if self._arguments["hosts"] is None and host == self._host:
            return variables.HostVariables(self._renderer, {**self._defaults, **self._task_vars}, given)
        magic = {name: self._task_vars[name] for name in _MAGIC if name in self._task_vars}
        raw = {**self._defaults, **given, **self._of_play(), **self._own, **magic, "inventory_hostname": host}
        return variables.HostVariables(self._renderer, raw, given)

    def _of_play(self) -> dict[str, t.Any]:
        """Variables of the play itself, including ``vars`` of import_playbook, which belong to no host.

        The defaults of roles that the play imports are in the task's variables as well; the host's take precedence.
        """
        if not hasattr(self, "_play"):
            own = self._hostvars.raw_get(self._host)
            known = self._specification.known()
            self._play = {
                name: value
                for name, value in self._task_vars.items()
                if name in known and not any(name in other and other[name] == value for other in (self._defaults, own))
            }
        return self._play


def _shared(seen: c.Mapping[str, str]) -> set[str]:
    """The machines of more than one host."""
    return {machine for machine, count in collections.Counter(filter(None, seen.values())).items() if count > 1}


_MAGIC = ("groups", "hostvars", "playbook_dir", "ansible_play_hosts_all", "ansible_play_hosts", "ansible_limit")


def _read(own: variables.HostVariables, name: str) -> str:
    try:
        return str(own[name])
    except (KeyError, check.RenderError):
        return ""

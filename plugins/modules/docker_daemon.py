#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon
short_description: Merge settings into the Docker daemon's, and say what is missing of the engine
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Takes an engine that is there as it is, the distribution's or Docker's own, and names the packages that are missing
    of it. It installs none.
  - Merges settings into C(/etc/docker/daemon.json) key by key. What others have set stays. A key that they have at
    another value is refused by name, before anything is written. The file as it was is kept as
    C(/etc/docker/daemon.json.before-ibgw).
  - Keys that an earlier run wrote, and that are no longer in O(settings), are taken out.
  - Applies them by a reload and a restart; with live-restore, running containers stay. It refuses to while containers
    run that are not this collection's, unless O(with_containers) is true. A restart that a cut run has left is made up
    for.
  - Has to run as root.
options:
  settings:
    description: The settings; empty takes back those that earlier runs wrote.
    type: dict
    required: true
  source:
    description: Whose engine to name packages of where there is none.
    type: str
    choices: [debian, docker]
    default: debian
  with_containers:
    description: Restart the engine also while containers run on it that are not this collection's.
    type: bool
    default: false
  host:
    description: Name of the host in messages.
    type: str
    default: ""
attributes:
  check_mode:
    description: Refuses what it would refuse, reports what would change, and writes nothing.
    support: full
  diff_mode:
    description: Shows C(daemon.json), without the passwords in addresses of proxies.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Keep containers through restarts of the engine
  ibops.gateway.docker_daemon:
    settings: {live-restore: true}
"""

RETURN = r"""
source:
  description: Whose engine the host has, or is to get.
  returned: always
  type: str
  sample: docker
engine:
  description: Whether the engine is installed.
  returned: always
  type: bool
packages:
  description: The packages of that engine.
  returned: always
  type: list
  elements: str
  sample: [docker-ce, docker-ce-cli, containerd.io]
missing:
  description: Those that are not installed.
  returned: always
  type: list
  elements: str
held:
  description: Those on hold.
  returned: always
  type: list
  elements: str
distribution:
  description: Id, version and code name of os-release(5).
  returned: always
  type: dict
  sample: {id: debian, version: "13", codename: trixie}
requests:
  description: Whether Python's requests is installed, which the modules of community.docker need.
  returned: always
  type: bool
containers:
  description: The containers that run and are not this collection's.
  returned: always
  type: list
  elements: str
  sample: [traefik]
due:
  description: In check mode, whether a run without it would write or run anything.
  returned: success
  type: bool
commands:
  description: The commands that ran, in order; in check mode, those that would.
  returned: success
  type: list
  elements: str
problems:
  description: What is refused, as action M(ibops.gateway.validate) returns it.
  returned: always
  type: list
  elements: dict
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent import files
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.problem import Problem
from ansible_collections.ibops.gateway.plugins.module_utils.host import docker_daemon as daemon
from ansible_collections.ibops.gateway.plugins.module_utils.host import facts, pending

UNIT = "docker.service"


class Plan(t.NamedTuple):
    """The entries to write, the problems that prevent it, and the commands that follow."""

    entries: list[files.Entry]
    diff: list[dict[str, str]]
    problems: list[Problem]
    commands: list[str]
    containers: list[str]


def plan(params: dict[str, t.Any], engine: bool, memory: pending.Memory) -> Plan:
    path = daemon.PATH
    state = files.read(files.resolve(path))
    text = str(state.get("content", ""))
    try:
        found = daemon.parse(text)
    except ValueError as fault:
        wrong = daemon.problem("engine-settings-damaged", "docker_engine_settings", path=path, fault=fault)
        return Plan([], [], [wrong], [], [])
    record = daemon.record(daemon.RECORD, daemon.WHOLE, text)
    merged = daemon.merge(found, params["settings"], [record.settings, record.former])
    wanted = daemon.written(text, merged.settings)
    root = (os.geteuid(), os.getegid())
    entries: list[files.Entry] = []
    if wanted != text:
        # A file without our settings: the host was never ours, or no longer is.
        if text and daemon.merge(found, {}, [record.settings, record.former]).settings == found:
            entries.append(files.File(daemon.BACKUP, text, int(state["mode"]), *root))
        # Before the file: after an interruption between the two, the record still covers our settings.
        note = daemon.recorded(merged.ours, record.settings)
        entries.append(files.File(daemon.RECORD, note, 0o600, *root))
        entries.append(daemon.Settled(path, lambda _text: wanted))
    elif merged.ours != record.settings or not os.path.exists(daemon.RECORD):
        entries.append(files.File(daemon.RECORD, daemon.recorded(merged.ours, record.settings), 0o600, *root))
    diff = [each for each in files.reconcile(entries, check=True) if each["after_header"] != daemon.RECORD]
    diff = [{name: daemon.hidden(value) for name, value in each.items()} for each in diff]
    left = memory.left([path])
    commands = list(dict.fromkeys([*(daemon.COMMANDS if wanted != text else ()), *left]))
    problems = [daemon.conflict(*each) for each in merged.conflicts]
    problems += daemon.of_another_driver(found, merged.settings, params["settings"])
    problems += daemon.flagged(merged.settings, found, daemon.flags() if engine else ())
    containers = daemon.others(around())
    if commands and containers and not params["with_containers"]:
        problems.append(daemon.serves_others(found, merged.settings, containers))
    return Plan(entries, diff, problems, commands, containers)


def around() -> list[neighbours.Neighbour]:
    """All containers; none if no engine runs (its socket is not triggered)."""
    return neighbours.around(Engine()) if facts.services([UNIT])[UNIT]["active"] else []


def stray() -> list[Problem]:
    """The problem of an engine from an unknown package."""
    engine = Engine()
    try:
        engine.platform()
    except EngineError:
        return []
    return [daemon.problem("engine-not-packaged", "docker_engine_source", socket=engine.path)]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "source": {"type": "str", "choices": [daemon.DEBIAN, daemon.DOCKER], "default": daemon.DEBIAN},
            "with_containers": {"type": "bool", "default": False},
            "host": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    memory = pending.Memory()
    told: dict[str, t.Any] = {}
    try:
        selections, distribution = daemon.selections(), facts.distribution()
        packages = daemon.packages(module.params["source"], distribution, selections)
        told = {
            **packages._asdict(),
            "packages": packages.all,
            "distribution": distribution,
            "requests": "python3-requests" in selections,
        }
        del told["all"]
        planned = plan(module.params, packages.engine, memory)
        if not packages.engine:
            planned.problems.extend(stray())
        refuse(module, planned, told)
        due = bool(planned.diff or planned.commands or planned.entries)
        if due and not module.check_mode:
            with memory.turn():
                # Another inventory host of this machine may have written them meanwhile.
                planned = plan(module.params, packages.engine, memory)
                refuse(module, planned, told)
                if planned.diff:
                    memory.add([pending.Call(daemon.PATH, each) for each in daemon.COMMANDS])
                files.reconcile(planned.entries, check=False)
                pending.run(memory, planned.commands, [daemon.PATH])
    except EngineError as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.", **told)
    except ValueError as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.", **told)
    except OSError as fault:
        module.fail_json(msg=f"cannot write {fault.filename}: {fault.strerror}; fix the cause and run again", **told)
    except pending.CommandError as fault:
        module.fail_json(msg=f"{fault}. daemon.json is written; fix the cause and run again, which begins with this.")
    if memory.damage:
        module.warn(memory.damage)
    module.exit_json(
        changed=bool(planned.diff or planned.commands),
        due=due,
        diff=planned.diff,
        commands=planned.commands,
        containers=planned.containers,
        problems=[],
        **told,
    )


def refuse(module: AnsibleModule, planned: Plan, told: dict[str, t.Any]) -> None:
    """Fail with all problems at once."""
    problems = [each._replace(host=module.params["host"]) for each in planned.problems]
    if problems:
        lines = "\n- ".join(map(str, problems))
        module.fail_json(
            msg=f"Nothing was changed. {len(problems)} to fix:\n- {lines}",
            problems=[each._asdict() for each in problems],
            containers=planned.containers,
            **told,
        )


if __name__ == "__main__":
    main()

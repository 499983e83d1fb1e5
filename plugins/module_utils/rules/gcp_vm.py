# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the settings of role gcp_vm by the rules of modules gcp_vm and gcp_network, under the role's names."""

from __future__ import annotations

import collections
import collections.abc as c
import re
import typing as t

from ..agent.problem import Problem
from ..gcp import vm
from ..gcp.resources import firewall, subnet
from . import gateway

# The variable behind each option of the module.
VARIABLES = {
    "project": "gcp_vm_project",
    "region": "gcp_vm_region",
    "zone": "gcp_vm_zone",
    "name": "gcp_vm_name",
    "mode": "gateway_mode",
    "machine_type": "gcp_vm_machine_type",
    "image": "gcp_vm_image",
    "disk.size": "gcp_vm_disk_gb",
    "disk.snapshot": "gcp_vm_snapshot",
    "labels": "gcp_vm_labels",
    "service_account": "gcp_vm_service_account",
    "known_hosts": "gcp_vm_known_hosts",
    "host_keys": "gcp_vm_host_keys",
    "host_keys_timeout": "gcp_vm_boot_timeout",
    "unknown_host_keys": "gcp_vm_unknown_host_keys",
    "scheduling.max_run_duration": "gcp_vm_max_run_seconds",
    "deletion_protection": "gcp_vm_deletion_protection",
    "snapshots.keep_days": "gcp_vm_snapshots_keep_days",
    "stop_for_update": "gcp_vm_stop_for_update",
    "recreate": "gcp_vm_recreate",
}
# The variable that is part of an option's value, and may be the one at fault.
DERIVED = {
    "subnet": "gcp_vm_network",
    "network_ip": "gcp_vm_name",
    "external_address": "gcp_vm_name",
    "tags": "gcp_vm_name",
}
# The subnets of the network, with their use.
RANGES = {
    "gcp_vm_gateway_range": "gateway",
    "gcp_vm_cloud_run_range": "cloud_run",
    "gcp_vm_connector_range": "connector",
}


def problems(settings: c.Mapping[str, t.Any], options: c.Mapping[str, t.Any]) -> c.Iterator[Problem]:
    """Return every problem of one VM: of the *options* that module gcp_vm gets, and of the network around it."""
    own = settings["gcp_vm_options"] or {}
    found: dict[str, Problem] = {}
    stop = gateway.flag(options.get("stop_for_update"))
    for each in vm.problems(given({**options, "stop_for_update": stop})):
        renamed = _renamed(each, own)
        found.setdefault(renamed.variable, renamed)
    yield from found.values()
    yield from _subnets(settings)
    yield from _firewalls(settings)


def given(value: t.Any) -> t.Any:
    """Options as a module receives them: None for missing ones, at any depth."""
    if isinstance(value, c.Mapping):
        return collections.defaultdict(lambda: None, {name: given(each) for name, each in value.items()})
    return [*map(given, value)] if isinstance(value, list) else value


def _renamed(problem: Problem, own: c.Container[str]) -> Problem:
    """Turn an option's problem into one of the variable that the user has set; *own* are those in
    ``gcp_vm_options``."""
    option = re.split(r"[.\[]", problem.variable)[0]
    if option in own:
        return problem._replace(variable=f"gcp_vm_options.{problem.variable}")
    if option in DERIVED:
        return problem._replace(variable=DERIVED[option], value=None)
    name = option if option in VARIABLES else problem.variable
    return problem._replace(variable=VARIABLES[name] + problem.variable[len(name) :])


def _subnets(settings: c.Mapping[str, t.Any]) -> c.Iterator[Problem]:
    names = [name for name in RANGES if settings[name]]
    for each in subnet.problems([{"name": name, "range": settings[name], "use": RANGES[name]} for name in names]):
        # Here the name is the variable's, for the problem of overlapping ranges.
        if place := re.fullmatch(r"subnets\[(\d+)\]\.range", each.variable):
            yield each._replace(variable=names[int(place[1])])


def _firewalls(settings: c.Mapping[str, t.Any]) -> c.Iterator[Problem]:
    rules = {"gcp_vm_ssh_from": _rule("allow-ssh", 22, settings["gcp_vm_ssh_from"])}
    port = gateway.port(settings)
    if port and settings["gcp_vm_api_from"]:
        rules["gcp_vm_api_from"] = _rule("allow-api", port, settings["gcp_vm_api_from"])
    names, more = list(rules), settings["gcp_vm_firewalls"] or []
    defaults = {"direction": "INGRESS", "action": "allow"}
    for each in firewall.problems(given([*rules.values(), *({**defaults, **rule} for rule in more)])):
        place = re.fullmatch(r"firewalls(?:\[(\d+)\]\.(\w+)(.*))?", each.variable)
        if place is None or place[1] is None:
            yield each._replace(variable="gcp_vm_firewalls")
        elif int(place[1]) < len(names):
            yield each._replace(variable=names[int(place[1])] + place[3])
        else:
            yield each._replace(variable=f"gcp_vm_firewalls[{int(place[1]) - len(names)}].{place[2]}{place[3]}")


def _rule(name: str, port: int, sources: list[str]) -> dict[str, t.Any]:
    rule = {"name": name, "direction": "INGRESS", "action": "allow", "source_ranges": sources}
    return {**rule, "rules": [{"protocol": "tcp", "ports": [str(port)]}]}

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the Google Cloud modules, told under the names of role gcp_vm's variables."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import document
from ansible_collections.ibops.gateway.plugins.module_utils.rules import gcp_vm

ROLE = pathlib.Path(__file__).resolve().parents[5] / "roles/gcp_vm"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
USUAL = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__gcp_vm_usual"]
OWN = {name: DEFAULTS[name] for name in ("gcp_vm_network", *document.SHARED)}
SETTINGS: dict[str, Any] = DEFAULTS | {
    "gateway_mode": "paper",
    "gcp_vm_project": "demo-project",
    "gcp_vm_zone": "europe-west1-b",
    "gcp_vm_region": "europe-west1",
    "gcp_vm_name": "ibgw-paper",
    "gcp_vm_api_from": ["10.10.1.0/26"],
    "gcp_vm_deletion_protection": False,
}


def options(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the role passes to module gcp_vm."""
    own = {name: settings[variable] for name, variable in gcp_vm.VARIABLES.items() if "." not in name}
    return {
        **own,
        "disk": {"size": settings["gcp_vm_disk_gb"]},
        "subnet": f"{settings['gcp_vm_network']}-gateway",
        "network_ip": settings["gcp_vm_name"],
        "external_address": "",
        "tags": ["ib-gateway", settings["gcp_vm_name"]],
        "metadata": {},
        "scheduling": {"max_run_duration": settings["gcp_vm_max_run_seconds"]},
        "snapshots": {"enabled": True, "keep_days": settings["gcp_vm_snapshots_keep_days"]},
        **settings["gcp_vm_options"],
    }


def found(**changes: Any) -> list[str]:
    settings = SETTINGS | changes
    return [f"{each.id} {each.variable}" for each in gcp_vm.problems(settings, options(settings))]


RULE = {"name": "mtls", "rules": [{"protocol": "tcp", "ports": ["4003"]}], "source_ranges": ["10.10.1.0/26"]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"gateway_mode": "live", "gcp_vm_disk_gb": "30"}, []),
        ({"gcp_vm_project": "My"}, ["gcp-project gcp_vm_project"]),
        ({"gcp_vm_zone": "us-east1-b"}, ["gcp-zone-elsewhere gcp_vm_zone"]),
        ({"gcp_vm_machine_type": "e2-micro"}, ["gcp-machine-type-small gcp_vm_machine_type"]),
        ({"gcp_vm_disk_gb": "5"}, ["gcp-limits gcp_vm_disk_gb"]),
        ({"gcp_vm_snapshots_keep_days": 70000}, ["gcp-limits gcp_vm_snapshots_keep_days"]),
        ({"gcp_vm_max_run_seconds": 10}, ["gcp-limits gcp_vm_max_run_seconds"]),
        ({"gcp_vm_labels": {"env": "Paper"}}, ["gcp-label gcp_vm_labels.env"]),
        ({"gcp_vm_host_keys": ["ssh-dss A"]}, ["gcp-host-key gcp_vm_host_keys[0]"]),
        # The name is that of the address and a tag as well.
        ({"gcp_vm_name": "IBGW"}, ["gcp-name gcp_vm_name"]),
        ({"gcp_vm_network": "Net"}, ["gcp-name gcp_vm_network"]),
        ({"gcp_vm_options": {"tags": ["IB"]}}, ["gcp-tag gcp_vm_options.tags[0]"]),
        (
            {"gcp_vm_options": {"snapshots": {"start_time": "04:30"}}},
            ["gcp-snapshot-time gcp_vm_options.snapshots.start_time"],
        ),
        ({"gcp_vm_options": {"state": "present"}, "gcp_vm_stop_for_update": "false"}, []),
        (
            {"gcp_vm_options": {"state": "present"}, "gcp_vm_stop_for_update": True},
            ["gcp-stop-without-start gcp_vm_stop_for_update"],
        ),
        ({"gcp_vm_gateway_range": "8.8.8.0/28"}, ["gcp-subnet-public gcp_vm_gateway_range"]),
        ({"gcp_vm_cloud_run_range": "10.10.1.0/27"}, ["gcp-subnet-size gcp_vm_cloud_run_range"]),
        ({"gcp_vm_connector_range": "10.10.0.0/28"}, ["gcp-subnet-overlap gcp_vm_connector_range"]),
        ({"gcp_vm_cloud_run_range": ""}, []),
        ({"gcp_vm_ssh_from": ["0.0.0.0/0"]}, ["gcp-rule-open-to-all gcp_vm_ssh_from"]),
        ({"gcp_vm_ssh_from": []}, ["gcp-rule-no-sources gcp_vm_ssh_from"]),
        ({"gcp_vm_ssh_from": ["10.0.0.0/24", "home"]}, ["gcp-range gcp_vm_ssh_from[1]"]),
        ({"gcp_vm_api_from": ["203.0.113.0/24"]}, ["gcp-rule-api-public gcp_vm_api_from"]),
        ({"gcp_vm_api_from": []}, []),
        ({"gcp_vm_firewalls": [RULE]}, []),
        ({"gcp_vm_firewalls": [RULE, RULE]}, ["gcp-repeated gcp_vm_firewalls"]),
        ({"gcp_vm_firewalls": [RULE | {"rules": []}]}, ["gcp-rule-empty gcp_vm_firewalls[0].rules"]),
        ({"gcp_vm_firewalls": [RULE | {"priority": 70000}]}, ["gcp-limits gcp_vm_firewalls[0].priority"]),
    ],
)  # fmt: skip
def test_each_problem_has_the_variable_that_the_user_sets(changes: dict[str, Any], expected: list[str]) -> None:
    assert found(**changes) == expected


def test_the_variables_are_those_that_the_role_gives_to_the_module() -> None:
    flat = {name: str(value) for name, value in USUAL.items() if name not in ("disk", "scheduling", "metadata")}
    flat |= dict.fromkeys(("disk.size", "disk.snapshot"), str(USUAL["disk"]))
    flat |= {"scheduling.max_run_duration": str(USUAL["scheduling"])}
    flat["snapshots.keep_days"] = flat.pop("snapshots")
    assert flat.keys() == gcp_vm.VARIABLES.keys() | gcp_vm.DERIVED.keys()
    for option, variable in (gcp_vm.VARIABLES | gcp_vm.DERIVED).items():
        assert variable.replace("gateway_mode", "__gcp_vm_mode") in re.findall(r"\w+", flat[option]), option


def test_the_ranges_are_those_of_the_subnets_that_the_role_makes() -> None:
    ranges = {name: f"10.{number}.0.0/24" for number, name in enumerate(gcp_vm.RANGES)}
    subnets = document.network([], [], {**OWN, **ranges})["subnets"]
    assert {each["range"]: each["use"] for each in subnets} == {ranges[name]: gcp_vm.RANGES[name] for name in ranges}

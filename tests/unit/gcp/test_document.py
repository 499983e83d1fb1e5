# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of an inventory: who may reach which gateway, and that nothing is left to somebody's manual change."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import document, network
from ansible_collections.ibops.gateway.plugins.module_utils.rules.gcp_vm import given

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles/gcp_vm"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
OWN = {name: DEFAULTS[name] for name in ("gcp_vm_network", *document.SHARED)}
RUN, CONNECTOR = OWN["gcp_vm_cloud_run_range"], "10.10.2.0/28"
PAPER = {"inventory_hostname": "paper", "gateway_mode": "paper"}
LIVE = {"inventory_hostname": "live", "gateway_mode": "live"}
BASTION = {"inventory_hostname": "bastion"}
ACCOUNT = {"gcp_vm_service_account": "gateway@demo-project.iam.gserviceaccount.com"}


def made(*gateways: dict[str, Any], bastions: tuple[dict[str, Any], ...] = (), **own: Any) -> dict[str, Any]:
    return document.network(gateways, bastions, OWN | own)


def rules(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["name"]: rule for rule in found["firewalls"]}


@pytest.mark.parametrize(
    ("host", "port"),
    [
        (PAPER, "4002"),
        (LIVE, "4001"),
        (LIVE | {"gateway_program": "tws"}, "7496"),
        (PAPER | {"gateway_stack": "client_portal"}, "5000"),
        (PAPER | {"gateway_port": 5555}, "5555"),
        (PAPER | {"gateway_port": 5555, "access_vpc_port": 7777}, "7777"),
    ],
)
def test_a_gateways_rule_opens_its_port_to_the_pipelines_on_its_vm_alone(host: dict[str, Any], port: str) -> None:
    name = host["inventory_hostname"]
    rule = rules(made(host))[f"ibgw-allow-api-{name}"]
    assert rule["rules"] == [{"protocol": "tcp", "ports": [port]}]
    assert (rule["source_ranges"], rule["target_tags"], rule["target_service_accounts"]) == ([RUN], [name], [])


@pytest.mark.parametrize(
    ("host", "own", "sources"),
    [
        ({}, {"gcp_vm_connector_range": CONNECTOR}, [RUN, CONNECTOR]),
        ({"gcp_vm_api_from": ["10.8.0.0/16"]}, {}, ["10.8.0.0/16"]),
        ({"gcp_vm_api_from": []}, {}, None),
        ({}, {"gcp_vm_cloud_run_range": ""}, None),
        # The network is the first gateway's.
        ({"gcp_vm_cloud_run_range": "10.9.0.0/26"}, {}, ["10.9.0.0/26"]),
    ],
)
def test_sources_of_the_api(host: dict[str, Any], own: dict[str, Any], sources: list[str] | None) -> None:
    assert rules(made(PAPER | host, **own)).get("ibgw-allow-api-paper", {}).get("source_ranges") == sources


def test_the_usual_sources_are_those_of_the_roles_default() -> None:
    """Another host's variables are without the role's defaults."""
    ranges = re.findall(r"gcp_vm_\w+", DEFAULTS["gcp_vm_api_from"])
    own = {name: f"10.20.{number}.0/26" for number, name in enumerate(ranges)}
    assert rules(made(PAPER, **own))["ibgw-allow-api-paper"]["source_ranges"] == [*own.values()]


@pytest.mark.parametrize(
    ("hosts", "bastions", "by_account"),
    [
        ([PAPER | ACCOUNT, LIVE], (), True),
        ([PAPER | ACCOUNT, LIVE | ACCOUNT], (), False),
        ([PAPER | ACCOUNT, LIVE], (BASTION | ACCOUNT,), False),
    ],
)
def test_a_rule_goes_by_an_account_that_no_other_vm_has(
    hosts: list[dict[str, Any]], bastions: tuple[dict[str, Any], ...], by_account: bool
) -> None:
    rule = rules(made(*hosts, bastions=bastions))["ibgw-allow-api-paper"]
    assert bool(rule["target_service_accounts"]) is by_account
    assert bool(rule["target_tags"]) is not by_account


@pytest.mark.parametrize("egress", ["nat", "external_ip"])
@pytest.mark.parametrize("bastions", [(), (BASTION,)])
def test_each_rule_states_who_gets_in_and_the_module_takes_the_document(
    egress: str, bastions: tuple[dict[str, Any], ...]
) -> None:
    mine = [
        {"name": "mtls", "rules": [{"protocol": "tcp", "ports": ["4101"]}], "source_ranges": ["203.0.113.0/24"]},
        {"name": "out", "direction": "EGRESS", "rules": [{"protocol": "all"}], "destination_ranges": ["0.0.0.0/0"]},
    ]
    own = {"gcp_vm_egress": egress, "gcp_vm_connector_range": CONNECTOR, "gcp_vm_firewalls": mine}
    found = made(PAPER | {"gcp_vm_address": "10.10.0.9"}, LIVE | {"gcp_vm_name": "vm"}, bastions=bastions, **own)
    stated = {"direction", "action", "priority", "target_tags", "target_service_accounts", "log", "disabled"}
    assert all(stated <= rule.keys() for rule in found["firewalls"])
    assert all("destination_ranges" in rule and rule["source_ranges"] for rule in found["firewalls"][:-2])
    assert found["firewalls"][-1] | {"description": ""} == {
        "name": "ibgw-deny-ingress", "description": "", "direction": "INGRESS", "action": "deny", "priority": 65534,
        "rules": [{"protocol": "all"}], "source_ranges": ["0.0.0.0/0"], "destination_ranges": [], "target_tags": [],
        "target_service_accounts": [], "log": True, "disabled": False,
    }  # fmt: skip
    addresses = {each["name"]: each for each in found["addresses"]}
    assert addresses["paper"]["address"] == "10.10.0.9"
    assert {"vm", "ibgw-nat"} - addresses.keys() == (set() if egress == "nat" else {"ibgw-nat"})
    assert ("vm-external" in addresses) is (egress == "external_ip")
    assert ("bastion" in addresses) is bool(bastions)
    assert bool(found["router"]) is (egress == "nat")
    assert ("ibgw-allow-tunnel" in rules(found)) is bool(bastions)
    options = {**found, "project": "demo-project", "region": "europe-west1", "network": {"name": "ibgw"}}
    assert network.problems(given(options)) == []

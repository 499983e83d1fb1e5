# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that nothing reads."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.ibops.gateway.plugins.module_utils.rules import names
from ansible_collections.ibops.gateway.plugins.module_utils.rules.check import Specification
from ansible_collections.ibops.gateway.plugins.plugin_utils import variables

KNOWN = ("gateway_access", "gateway_read_only_api", "hardening_ssh_from", "hardening_services", "live_check_drift")
PREFIXES = ("gateway_", "hardening_", "live_")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gateway_readonly_api", "gateway_read_only_api"),
        ("gateway_acess", "gateway_access"),
        ("hardening_shh_from", "hardening_ssh_from"),
        ("live_check_drfit", "live_check_drift"),
        ("gateway_zzz", None),
        ("hardening_exceptions", None),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, near: str | None) -> None:
    (problem,) = names.problems([name], KNOWN, PREFIXES)
    assert (problem.id, problem.variable, problem.value) == ("unknown-name", name, None)
    assert problem.fix.startswith(f"write {near};" if near else "remove it;")


@pytest.mark.parametrize("name", [*KNOWN, "ansible_host", "my_gateway_x", "__gateway_x", "gateway_verdict"])
def test_what_is_known_or_nobody_elses(name: str) -> None:
    """gateway_verdict is registered by role gateway."""
    assert list(names.problems([name], KNOWN, PREFIXES)) == []


@pytest.fixture(scope="module")
def specification() -> Specification:
    loader = DataLoader()
    return variables.specification(loader, variables.role_variables(loader)[0])


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gatway_port", "gateway_port"),
        ("gatewya_port", "gateway_port"),
        ("gateways_port", "gateway_port"),
        ("Gateway_port", "gateway_port"),
        ("sesion_alerts", "session_alerts"),
        ("acces_vpc_from", "access_vpc_from"),
        ("hardning_ssh_from", "hardening_ssh_from"),
        ("docker_engin_registry_ca", "docker_engine_registry_ca"),
        ("gpc_vm_project", "gcp_vm_project"),
    ],
)
def test_a_misspelled_prefix_is_told(specification: Specification, name: str, near: str) -> None:
    (problem,) = names.problems([name], specification.known(), specification.prefixes())
    assert problem.id == "misspelt-name"
    assert problem.fix.startswith(f"write {near},")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"ib_gateway_port": 4002}, [("ib_gateway_port", "gateway_port")]),
        ({"ibkr_session_alerts": []}, [("ibkr_session_alerts", "session_alerts")]),
        ({"ib_gateway_port": 4002, "gateway_port": "{{ ib_gateway_port }}"}, []),
        ({"ib_gateway_port": 4002, "gateway_port": 4003}, []),
        ({"ib_gateway_port": 4002, "app": {"ports": ["{{ ib_gateway_port }}"]}}, []),
        ({"my_gateway_port": 4002, "ibkr_user": "ann", "ib_port": 4002, "vault_gateway_password": "x"}, []),
    ],
)
def test_a_prefix_of_the_broker_is_told_where_nothing_reads_it(
    specification: Specification, given: dict[str, object], found: list[tuple[str, str]]
) -> None:
    assert list(names.prefixed(given, specification.known())) == found


# Names of users' inventories, of Ansible, and of other collections.
INNOCENT = (
    *("my_gateway_port", "ib_gateway_port", "my_gateway_password", "vault_gateway_password", "paper_gateway_user"),
    *("_gateway_port", "port", "client", "clients", "client_id", "addresses", "address", "peers", "minutes", "mode"),
    *("ansible_port", "ansible_host", "ansible_ssh_common_args", "ansible_become_password", "inventory_hostname"),
    *("group_names", "groups", "hostvars", "playbook_dir", "inventory_dir", "inventory_file", "omit", "environment"),
    *("docker_registry", "docker_users", "docker_edition", "docker_daemon_options", "security_ssh_port", "sshd"),
    *("gcp_project", "gcp_zone", "gcp_region", "gcp_service_account", "google_project", "vm_address", "vm_zone"),
    *("prometheus_version", "prometheus_targets", "grafana_password", "node_exporter_version", "wireguard_port"),
    *("wireguard_address", "ibkr_user", "ibkr_password", "trading_mode", "tws_port", "timezone", "users", "sessions"),
)


@pytest.mark.parametrize("name", INNOCENT)
def test_a_name_of_somebody_else_is_not(specification: Specification, name: str) -> None:
    assert list(names.problems([name], specification.known(), specification.prefixes())) == []

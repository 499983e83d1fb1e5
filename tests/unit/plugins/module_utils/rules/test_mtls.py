# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules.access import pairs, problems

GOOD: dict[str, Any] = {
    "gateway_name": "paper",
    "gateway_mode": "paper",
    "gateway_port": 4002,
    "gateway_access": ["mtls"],
    "access_mtls_addresses": ["0.0.0.0"],
    "access_mtls_port": 4102,
    "access_mtls_from": ["203.0.113.0/24", "2001:db8::/32"],
    "access_mtls_clients": ["pipeline", "n1.example"],
    "access_mtls_days": {"ca": 1826, "server": 365, "client": 90, "list": 90},
    "access_mtls_files": {},
}
FILES = {"ca": "/x/ca.crt", "crl": "/x/ca.crl", "certificate": "/x/s.crt", "key": "/x/s.key"}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"access_mtls_from": ["0.0.0.0/0"]},
        {"access_mtls_addresses": ["::"]},
        {"access_mtls_addresses": ["10.1.2.3", "fd00::3"]},
        {"access_mtls_files": FILES},
        {"gateway_access": ["local"], "access_mtls_clients": []},
    ],
)
def test_what_works_is_not_refused(changed: dict[str, Any]) -> None:
    assert problems({**GOOD, **changed}, []) == []


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("access_mtls_clients", [], "mtls-clients-empty"),
        ("access_mtls_clients", ["*"], "mtls-client-name"),
        ("access_mtls_clients", ["*.example"], "mtls-client-name"),
        ("access_mtls_clients", ["a\nverifyChain = no"], "mtls-client-name"),
        ("access_mtls_clients", ["Pipeline"], "mtls-client-name"),
        ("access_mtls_clients", ["a", "a"], "mtls-client-twice"),
        ("access_mtls_from", [], "mtls-sources-empty"),
        ("access_mtls_from", ["10.1.2.3/24"], "mtls-source"),
        ("access_mtls_addresses", [], "mtls-addresses-empty"),
        ("access_mtls_addresses", ["localhost"], "mtls-address"),
        ("access_mtls_addresses", ["0.0.0.0", "10.1.2.3"], "mtls-addresses-all"),
        ("access_mtls_port", 443, "mtls-port"),
        ("access_mtls_port", 4002, "port-taken"),
        ("access_mtls_files", {**FILES, "crl": ""}, "mtls-file-missing"),
        (
            "access_mtls_days",
            {**GOOD["access_mtls_days"], "list": 0},
            "mtls-days",
        ),
        ("hardening_firewall", False, "access-without-firewall"),
    ],
)
def test_what_cannot_work_is_refused(variable: str, value: object, id_: str) -> None:
    told = [problem for problem in problems({**GOOD, variable: value}, []) if problem.id == id_]
    assert told
    assert {problem.value is None for problem in told} == {id_.endswith(("-empty", "-missing"))}


@pytest.mark.parametrize(
    ("port", "address", "taken"),
    [
        (4102, "vm", "0.0.0.0"),
        (4102, "other", None),
        (4101, "vm", None),
        (4002, "vm", "127.0.0.1"),
    ],
)
def test_two_gateways_on_one_vm(port: int, address: str, taken: str | None) -> None:
    paper = {**GOOD, "host": "paper", "address": "vm"}
    live = {"gateway_name": "live", "gateway_mode": "live", "access_mtls_port": port}
    found = pairs([paper, {**GOOD, "gateway_port": 4001, **live, "host": "live", "address": address}])
    assert [(problem.id, str(taken) in problem.wrong) for problem in found] == [("listener-shared", True)] * bool(taken)

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.filter.gateway_table import gateway_table


def test_one_aligned_line_a_gateway() -> None:
    ready = {
        "state": "ready",
        "accounts": ["DU***67"],
        "host": "127.0.0.1",
        "port": 4002,
        "next_step": "nothing to do",
        "pending": True,
        "session": {"valid_until_new_york": "Sun 2026-11-29 01:00"},
        "container": {"image": "registry/x@sha256:" + "ab" * 32},
    }
    table = gateway_table(
        [
            {"inventory_hostname": "vm-paper", "gateway_mode": "paper", "gateway_look": ready},
            {
                "inventory_hostname": "vm-live",
                "gateway_mode": "live",
                "gateway_look": {"unreachable": True, "msg": "timed out"},
            },
            {"inventory_hostname": "odd", "gateway_mode": "live", "gateway_look": {"failed": True, "msg": "no sudo"}},
            {
                "inventory_hostname": "new",
                "gateway_mode": "paper",
                "gateway_look": {"state": None, "next_step": "run site.yml", "container": None},
            },
        ]
    )
    second = len("vm-paper  ")
    assert [line[second:].split()[0] for line in table] == ["mode", "paper", "live", "live", "paper"]
    cells = [re.split(" {2,}", line) for line in table]
    assert cells == [
        ["host", "mode", "state", "until", "account", "address", "image", "next step"],
        ["vm-paper", "paper", "ready (settings pending)", "Sun 2026-11-29 01:00 America/New_York", "DU***67",
         "127.0.0.1:4002", "abababababab", "nothing to do"],
        ["vm-live", "live", "unreachable", "-", "-", "-", "-", "look at the VM: is it running, does SSH reach it?"],
        ["odd", "live", "not known", "-", "-", "-", "-", "no sudo"],
        ["new", "paper", "not deployed", "-", "-", "-", "-", "run ansible-playbook ibops.gateway.site -l new"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "cell"),
    [
        ({"severity": "ok", "accepted_until": None, "days_left": None}, "ready"),
        (
            {"severity": "warning", "accepted_until": "2026-12-15", "days_left": 13.5},
            "release accepted until 2026-12-15",
        ),
        (
            {"severity": "critical", "accepted_until": "2026-12-15", "days_left": 0.4},
            "release accepted until 2026-12-15",
        ),
        (
            {"severity": "critical", "accepted_until": "2026-12-15", "days_left": -0.1},
            "release not accepted since 2026-12-15",
        ),
        ({"severity": "warning", "accepted_until": None, "days_left": None}, "IBKR asks for a newer release"),
    ],
)
def test_the_end_of_a_release_stands_with_the_state(ends: dict[str, Any], cell: str) -> None:
    look = {"state": "ready", "next_step": "Connect.", "release": ends}
    line = gateway_table([{"inventory_hostname": "vm", "gateway_mode": "live", "gateway_look": look}])[1]
    assert re.split(" {2,}", line)[2] == (cell if cell == "ready" else f"ready ({cell})")


def test_a_paper_gateway_tells_its_session_with_the_zone() -> None:
    always = {
        "name": "x",
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "zone": "Asia/Tokyo",
        "lead_minutes": 5,
    }
    paper = {
        "inventory_hostname": "vm",
        "gateway_mode": "paper",
        "gateway_look": {"state": "stopped", "next_step": "-"},
    }
    entry = {**always, "time": "09:30", "max_minutes": 60}
    stated = re.split(" {2,}", gateway_table([{**paper, "gateway_paper_sessions": [entry]}])[1])[3]
    assert re.fullmatch(r"(next )?[A-Z][a-z]{2} 20\d\d-\d\d-\d\d (09|10):\d\d Asia/Tokyo", stated)
    wrong = gateway_table([{**paper, "gateway_paper_sessions": [{"name": 1}]}])[1]
    assert re.split(" {2,}", wrong)[3] == "-"

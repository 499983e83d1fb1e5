# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import typing as t
from datetime import datetime

import jinja2
import pytest
from tests.lint.files import ROOT
from tests.unit.plugins import live_facts

from ansible_collections.ibops.gateway.plugins.filter.gateway_table import gateway_page
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy, week
from ansible_collections.ibops.gateway.plugins.module_utils.report.fleet import urgency
from ansible_collections.ibops.gateway.plugins.module_utils.report.picture import COLOURS, UNKNOWN, intervals, strip

HOSTILE = '"><script>alert(1)</script>'


def look(state: str | None, mode: str = "live", **more: t.Any) -> dict[str, t.Any]:
    session = {"state": state, "since": live_facts.NOW - 3600, "week": "valid", "stopped_by": ""}
    return {
        "state": state, "mode": mode, "reason": f"it is {state}", "next_step": "Run site.yml.", "accounts": ["U***67"],
        "checked_at": live_facts.NOW, "session": session | more.pop("session", {}),
        "history": {"events": live_facts.GOOD_EVENTS}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (look("ready"), "ok"),
        (look("ready", pending=True), "warn"),
        (look("ready", release={"severity": "warning"}), "warn"),
        (look("ready", release={"severity": "critical"}), "act"),
        (look("ready", watcher="its watcher is failed"), "act"),
        (look("starting"), "warn"),
        (look("waiting_2fa"), "act"),
        (look("degraded"), "act"),
        (look("blocked"), "act"),
        (look(None), "warn"),
        ({"unreachable": True}, "act"),
        ({}, "act"),
        (look("stopped", "paper", session={"stopped_by": "the plan"}), "ok"),
        (look("stopped", "paper"), "warn"),
        (look("stopped", session={"week": week.CLOSING, "stopped_by": "the plan"}), "ok"),
        (look("stopped", session={"week": week.CLOSING, "stopped_by": policy.PAUSE}), "warn"),
        (look("stopped", session={"week": week.OVERDUE, "stopped_by": "the plan"}), "act"),
        (look("stopped", session={"stopped_by": "the operator"}), "warn"),
        (look("stopped"), "act"),
    ],
)
def test_urgency(found: dict[str, t.Any], verdict: str) -> None:
    assert urgency(found) == verdict


def host(name: str, found: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"inventory_hostname": name, "gateway_mode": "live", "gateway_look": found}


def page(hosts: list[dict[str, t.Any]]) -> str:
    """The page as the playbook's template makes it, without Ansible around it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # as Ansible's are
    environment.globals["now"] = lambda **_utc: datetime(2026, 11, 27)  # as Ansible's is
    template = environment.from_string((ROOT / "playbooks/templates/status.html.j2").read_text())
    return template.render(status_shown=gateway_page(hosts))


def test_the_most_urgent_come_first() -> None:
    found = gateway_page(
        [host("b", look("ready")), host("a", look("ready")), host("d", look("blocked")), host("c", look("starting"))]
    )
    assert [each["host"] for each in found["gateways"]] == ["d", "c", "a", "b"]
    assert found["counts"] == {"act": 1, "warn": 1, "ok": 2}
    written = page([host("d", look("blocked")), host("a", look("ready"))])
    assert "1 need a person, 0 to look at, 1 fine" in written
    # A next step is shown only if there is one.
    assert written.count("ansible-playbook ibops.gateway.site -l") == 1


def test_a_page_has_the_known_details_of_the_table() -> None:
    known = look("ready", host="127.0.0.1", port=4001)
    found = gateway_page([host("a", known), host("b", {"unreachable": True})])["gateways"]
    assert {each["host"]: each["details"] for each in found} == {
        "a": {"account": "U***67", "address": "127.0.0.1:4001"},
        "b": {},
    }
    assert "<dt>address</dt><dd>127.0.0.1:4001</dd>" in page([host("a", known)])


def test_a_strip_has_the_spans_of_the_picture_and_the_key_every_colour() -> None:
    found = look("ready")
    assert strip(found).count('class="span"') == len(intervals(found)) > 3
    named = gateway_page([])["key"]
    assert all(f"</svg> {state}</span>" in named for state in COLOURS)
    # Its pattern is on the page once.
    assert page([host(str(number), look("ready")) for number in range(3)]).count(f'id="{UNKNOWN}"') == 1


def test_nothing_of_a_host_becomes_markup_and_nothing_comes_from_elsewhere() -> None:
    hostile = look("blocked", reason=HOSTILE, next_step=HOSTILE, accounts=[HOSTILE], watcher=HOSTILE)
    hostile["history"]["events"] = [live_facts.event(26, "10:00:00", "state", HOSTILE, state=HOSTILE)]
    written = page([host(HOSTILE, hostile), host("x", {"msg": HOSTILE})])
    assert "<script" not in written
    assert "default-src 'none'" in written
    assert not any(each in written for each in ("src=", "href=", "@import", 'http-equiv="refresh'))


def test_two_hundred_take_two_seconds_at_most() -> None:
    hosts = [host(f"gw{number}", look("ready")) for number in range(200)]
    begun = time.process_time()
    page(hosts)
    assert time.process_time() - begun < 2

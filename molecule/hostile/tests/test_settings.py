"""Settings that the engine refuses: the gateway that runs, runs on."""

from __future__ import annotations

import json
import typing as t

import pytest

OPEN = {"name": "open", "days": ["mon"], "time": "09:30", "lead_minutes": 10, "max_minutes": 90}
REFUSED: dict[str, dict[str, object]] = {
    "memory_of_bytes": {"gateway_memory": 2048},
    "memory_with_a_blank": {"gateway_memory": "2 GiB"},
    "more_processors_than_there_are": {"gateway_cpus": 64},
    "a_port_that_is_taken": {"gateway_port": 22},
    "a_log_size_of_words": {"gateway_log_max_size": "ten"},
    # These two the engine itself refuses only when it starts the container, after the old one has ended.
    "a_log_size_of_nothing": {"gateway_log_max_size": "0m"},
    "a_variable_of_70_kilobytes": {"gateway_environment": {"LONG": "x" * 70_000}},
    # The controller's data may know it; Debian 13's, without tzdata-legacy, do not.
    "a_zone_that_the_machine_does_not_know": {"gateway_paper_sessions": [{**OPEN, "zone": "US/Eastern"}]},
}
STAMP = "2026-11-30 12:00:00:000 IBC: "
CONFIRM = "API client needs write access action confirmation"
READ_ONLY = {
    "the_checkbox": f"{STAMP}Read-Only API checkbox is now set to: true",
    "a_refused_order": f"{STAMP}detected dialog entitled: {CONFIRM}; event=Opened",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(paper: t.Any, play: t.Callable[..., t.Any], kind: str) -> None:
    written = "sha256sum /etc/ibgw/paper/*.json /etc/ibgw/paper/*/*"
    before, files = paper.running(), paper.machine.out(written)
    run = play("site.yml", "paper", "--tags", "gateway", "-e", json.dumps(REFUSED[kind]))
    assert (paper.running(), paper.machine.out(written)) == (before, files)
    assert run.status > 0
    assert next(iter(REFUSED[kind])) in run.printed


@pytest.mark.parametrize("told_by", READ_ONLY)
def test_read_only_api(paper: t.Any, told_by: str) -> None:
    """The inventory says otherwise."""
    paper.attack("add", READ_ONLY[told_by])
    found = paper.until(lambda record: "gateway_read_only_api" in record["reason"], 60)
    assert found["state"] == "degraded"

"""Paper changes to IBC's successor, ibg-controller, at once, and back."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from sandbox.machine.common import STATE
from sandbox.machine.setup import standin_image
from sandbox.registry import registry
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
Look = t.Callable[[], dict[str, t.Any]]
NAME = "ibg-controller"


@pytest.fixture(scope="module")
def successor(pinned: t.Callable[[str], tuple[str, str]]) -> tuple[str, ...]:
    """The arguments that pin the stand-in as ibg-controller, whose time runs faster."""
    registry.publish(standin_image("gateway", "--controller", NAME), NAME)
    faster = json.dumps({"gateway_environment": {"STANDIN_SPEED": "10"}})
    return (*pinned((STATE / f"{NAME}_image").read_text().strip()), "--tags", "gateway", "-e", faster)


@pytest.fixture
def look(module: t.Callable[..., dict[str, t.Any]]) -> Look:
    return lambda: module("ibops.gateway.gateway_info", gateway_name="paper")


def test_it_is_ready_and_a_second_run_changes_nothing(
    playbook: Playbook, successor: tuple[str, ...], look: Look
) -> None:
    run = playbook("site.yml", "paper", *successor)
    assert run.status == 0, run.printed
    found = look()
    assert (found["state"], found["milestones"]["controller"]) == ("ready", NAME)
    assert found["milestones"]["read_only"] is False
    again = playbook("site.yml", "paper", *successor)
    assert (again.status, again.changed) == (0, 0), again.printed


def test_a_stop_signs_off_and_a_start_signs_in(host: Host) -> None:
    begun = time.monotonic()
    host.check_output("ibgwctl stop paper")
    assert time.monotonic() - begun < 30
    assert host.check_output("docker inspect --format '{{.State.ExitCode}}' ibgw-paper") == "0"
    host.check_output("ibgwctl start paper")
    assert host.run("ibgwctl wait-ready paper --timeout 60").rc == 0


def test_a_setting_that_it_cannot_keep_is_refused(playbook: Playbook, successor: tuple[str, ...]) -> None:
    run = playbook("site.yml", "paper", *successor, "-e", "gateway_auto_restart_time='05:00 AM'")
    assert run.status == 2
    assert "sets a time of the morning in the afternoon" in run.printed


def test_back_to_ibc(playbook: Playbook, look: Look) -> None:
    assert playbook("site.yml", "paper", "--tags", "gateway").status == 0
    found = look()
    assert (found["state"], found["milestones"]["controller"]) == ("ready", "ibc")

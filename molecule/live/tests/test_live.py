"""Rule 1: live is never restarted by accident. The stand-in counts the pushes."""

from __future__ import annotations

import json
import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
Module = StandIn = t.Callable[..., dict[str, t.Any]]


def test_one_sign_in_is_one_push(module: Module, standin: StandIn) -> None:
    status = standin("status")
    assert (status["pushes"], status["settings_problems"]) == (1, [])
    verdict = module("ibops.gateway.gateway_info", gateway_name="live")
    assert verdict["state"] == "ready"
    assert all(account.startswith("U") for account in verdict["accounts"])


@pytest.mark.usefixtures("same_container")
def test_a_changed_setting_is_written_and_waits(
    host: Host, module: Module, playbook: Playbook, standin: StandIn
) -> None:
    run = playbook("site.yml", "live", "-e", "gateway_auto_restart_time='05:00 AM'")
    assert run.status == 0
    assert "pending until the next sign-in" in run.printed
    assert host.file("/etc/ibgw/live/ibc/config.ini.tmpl").contains("AutoRestartTime=05:00 AM")
    assert module("ibops.gateway.gateway_info", gateway_name="live")["pending"] is True
    assert "(settings pending)" in playbook("playbooks/status.yml", "live").printed
    assert playbook("site.yml", "live").status == 0
    assert module("ibops.gateway.gateway_info", gateway_name="live")["pending"] is False
    assert standin("status")["pushes"] == 1


@pytest.mark.usefixtures("same_container")
def test_a_restart_keeps_the_container_and_the_sign_in(playbook: Playbook, standin: StandIn) -> None:
    run = playbook("playbooks/restart.yml", "live")
    assert run.status == 0, run.printed
    assert "sandbox-live is ready after the restart" in run.printed
    assert standin("status")["pushes"] == 1


def test_a_stopped_gateway_is_not_restarted_but_by_a_sign_in(host: Host, playbook: Playbook) -> None:
    host.check_output("docker stop -t 90 ibgw-live")
    run = playbook("playbooks/restart.yml", "live")
    assert run.status == 2
    assert "gateway_apply=now" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "false"


def test_told_so_the_container_is_replaced_and_a_missed_push_ends_in_a_stop(
    host: Host, playbook: Playbook, standin: StandIn
) -> None:
    missed = '{"gateway_apply": "now", "gateway_environment": {"STANDIN_PUSH_TIMEOUT": "2"}}'
    run = playbook("site.yml", "live", "-e", missed)
    assert run.status == 2
    assert "push was not approved" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "false"
    assert playbook("site.yml", "live").status == 0
    assert standin("status")["pushes"] == 1


def test_an_approved_push_is_not_thrown_away_for_a_broken_farm(
    host: Host, playbook: Playbook, standin: StandIn
) -> None:
    settings = {
        "gateway_apply": "now",
        "gateway_ready_timeout": 20,
        "gateway_environment": {"STANDIN_APPROVE_AFTER": "2", "STANDIN_FAULT": "farm_broken"},
    }
    run = playbook("site.yml", "live", "-e", json.dumps(settings))
    assert run.status == 2
    assert "farm" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "true"
    assert playbook("site.yml", "live", "-e", "gateway_apply=now").status == 0
    assert standin("status")["pushes"] == 1

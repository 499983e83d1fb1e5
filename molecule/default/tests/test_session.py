"""A paper gateway and its watcher: what it costs, how soon it notices, and that every session ends.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import datetime
import json
import time
import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]


def test_the_watcher_is_small_and_knows_the_gateway(watched: t.Any, host: Host) -> None:
    service = host.service("ibgw-watch@paper")
    assert service.is_running
    assert service.is_enabled
    pid = host.check_output("systemctl show --value --property MainPID ibgw-watch@paper")
    memory = host.check_output(f"awk '/^VmRSS/ {{print $2}}' /proc/{pid}/status")
    assert int(memory) <= 30 * 1024
    found = host.run("ibgwctl status --json")
    assert found.rc == 0, found.stderr
    assert json.loads(found.stdout)["state"] == "ready"
    watched.reaches("ready", 75)


def test_an_end_is_noticed_within_two_seconds(watched: t.Any, host: Host) -> None:
    host.check_output("docker kill ibgw-paper")
    killed = float(host.check_output("date +%s.%N"))
    found = watched.reaches("blocked", 10)
    assert found["since"] - killed < 2
    assert (found["blocked"], "killed" in found["reason"]) == ("ended", True)


@pytest.mark.parametrize(("command", "ends"), [("true", 0), ("false", 2)])
def test_a_pipeline_runs_between_a_start_and_a_stop(
    watched: t.Any, host: Host, playbook: Playbook, command: str, ends: int
) -> None:
    run = playbook(
        "playbooks/paper_session.yml", "paper", "-e", f"pipeline_command={command}", "-e", "pipeline_minutes=5"
    )
    assert run.status == ends, run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}} {{.State.ExitCode}}' ibgw-paper") == "false 0"
    assert watched.record()["stopped_by"] == "the operator"


def test_what_nobody_ends_the_watcher_ends(watched: t.Any, host: Host) -> None:
    host.check_output("ibgwctl start paper --minutes 0.2")
    assert host.run("ibgwctl wait-ready paper").rc == 0
    found = watched.reaches("stopped", 40)
    assert "0 (a clean close)" in found["reason"]
    assert found["stopped_by"] == "the plan"


def test_a_session_starts_by_itself_and_is_not_begun_again_when_its_pipeline_is_done(
    watched: t.Any, host: Host, playbook: Playbook
) -> None:
    now = datetime.datetime.fromtimestamp(float(host.check_output("date +%s")), datetime.UTC)
    soon = now + datetime.timedelta(minutes=3)
    session = {
        "name": "soon",
        "days": [f"{soon:%a}".lower()],
        "time": f"{soon:%H:%M}",
        "zone": "UTC",
        "lead_minutes": 1,
        "max_minutes": 30,
    }
    settings = json.dumps({"gateway_paper_sessions": [session]})
    run = playbook("site.yml", "paper", "-e", settings)
    assert run.status == 0, run.printed
    assert "stays down until its next session" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-paper") == "false"
    found = watched.reaches("ready", 180)
    assert (found["grant"]["kind"], found["grant"]["name"]) == ("paper", "soon")
    host.check_output("ibgwctl stop paper")
    time.sleep(5)
    assert watched.record()["state"] == "stopped"
    assert playbook("site.yml", "paper").status == 0
    watched.reaches("ready", 75)

"""A live gateway and its watcher: no push that nobody asked for, and a sign-in that ends.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import json
import re
import time
import typing as t

from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
StandIn = t.Callable[..., dict[str, t.Any]]
PUSHES = "docker logs ibgw-live 2>&1 | grep -c 'Second Factor Authentication initiated'"


def pushes(host: Host) -> int:
    return int(host.run(PUSHES).stdout)


def test_a_gateway_that_dies_stays_down_and_says_so(watched: t.Any, host: Host) -> None:
    found = watched.reaches("ready", 75)
    assert found["valid_until"] > time.time()
    host.check_output("docker kill ibgw-live")
    killed = float(host.check_output("date +%s.%N"))
    found = watched.reaches("blocked", 10)
    assert found["since"] - killed < 2
    assert found["blocked"] == "session_lost"
    assert "ibops.gateway.live_signin" in found["next_step"]


def test_a_start_by_hand_is_ended_before_its_push(watched: t.Any, host: Host) -> None:
    before = pushes(host)
    for _each in range(3):
        host.check_output("docker start ibgw-live")
        deadline = time.monotonic() + 10
        while host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "true":
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert pushes(host) == before
    assert watched.reaches("blocked", 10)["blocked"] == "sign_in_asked"


def test_a_sign_in_shows_its_steps(watched: t.Any, playbook: Playbook, standin: StandIn, host: Host) -> None:
    run = playbook("playbooks/live_signin.yml", "live")
    assert run.status == 0, run.printed
    for step in (
        "the login window is open",
        "a push was sent: approve it",
        "logged in",
        "the API answers and serves account",
        "valid until",
    ):
        assert re.search(rf"sandbox-live: \d\d:\d\d:\d\d \w+ {step}", run.printed), run.printed
    assert standin("status")["pushes"] == 1
    assert watched.reaches("ready", 5)["valid_until"] > time.time()
    again = playbook("playbooks/live_signin.yml", "live")
    assert (again.status, again.changed) == (0, 0), again.printed


def test_missed_pushes_end_after_three(watched: t.Any, host: Host, playbook: Playbook) -> None:
    missed = {
        "gateway_apply": "now",
        "gateway_environment": {"STANDIN_PUSH_TIMEOUT": "2"},
    }
    run = playbook("playbooks/live_signin.yml", "live", "-e", json.dumps(missed))
    assert run.status == 2
    assert "no push was approved within the bounds" in run.printed
    assert pushes(host) == 3
    assert watched.reaches("blocked", 5)["blocked"] == "push_missed"
    assert playbook("playbooks/live_signin.yml", "live").status == 0


def test_maintenance_keeps_container_and_sign_in(watched: t.Any, host: Host, playbook: Playbook) -> None:
    before = pushes(host)
    run = playbook("playbooks/maintenance.yml", "live")
    assert run.status == 0, run.printed
    assert "sandbox-live is ready again, without a push" in run.printed
    assert watched.reaches("ready", 75)["valid_until"] > time.time()
    assert pushes(host) == before

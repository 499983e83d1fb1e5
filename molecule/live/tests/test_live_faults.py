"""What a machine does to a live gateway, for real; docs/faults.md has the rest.

Each test starts from whatever the one before it left: a gateway that is ready or one that a sign-in makes so.
"""

from __future__ import annotations

import json
import time
import typing as t

from testinfra.host import Host

PUSHES = "docker logs ibgw-live 2>&1 | grep -c 'Second Factor Authentication initiated'"


def record(host: Host) -> dict[str, t.Any]:
    return json.loads(host.file("/var/lib/ibgw/live/session/state.json").content_string)


def wait_for(host: Host, state: str, seconds: float) -> dict[str, t.Any]:
    deadline = time.monotonic() + seconds
    while (found := record(host))["state"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def pushes(host: Host) -> int:
    return int(host.run(PUSHES).stdout)


def test_a_killed_engine_ends_no_session(host: Host) -> None:
    if record(host)["state"] != "ready":
        assert host.run("ibgwctl sign-in live").rc == 0
    before = wait_for(host, "ready", 75), pushes(host)
    started = host.check_output("docker inspect --format '{{.State.StartedAt}}' ibgw-live")
    host.check_output("systemctl kill --signal=KILL docker.service")
    deadline = time.monotonic() + 60
    while host.run("docker inspect --format '{{.State.StartedAt}}' ibgw-live").stdout.strip() != started:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    looked = record(host)["checked_at"]
    while record(host)["checked_at"] == looked:
        assert time.monotonic() < deadline + 75
        time.sleep(0.5)
    found = wait_for(host, "ready", 75)
    assert (found["valid_until"], found["blocked"]) == (before[0]["valid_until"], None)
    assert pushes(host) == before[1]


def test_two_operators_cost_one_push(host: Host) -> None:
    assert host.run("ibgwctl stop live").rc == 0
    before = pushes(host)
    both = host.check_output(
        "ibgwctl sign-in live >/tmp/first 2>&1 & sleep 1; ibgwctl sign-in live; wait $! && cat /tmp/first; rm /tmp/first"
    )
    assert "is signed in and ready; nothing to do" in both
    assert "valid until" in both
    assert pushes(host) == before + 1


def test_an_approved_push_outlives_whoever_asked_for_it(host: Host) -> None:
    assert host.run("ibgwctl stop live").rc == 0
    before = pushes(host)
    host.check_output("timeout --signal=KILL 4 ibgwctl sign-in live || true")
    found = wait_for(host, "ready", 75)
    assert found["valid_until"] > time.time()
    assert found["grant"] is None
    assert pushes(host) == before + 1


def test_a_stop_whose_operator_was_killed_is_a_stop(host: Host) -> None:
    host.check_output("timeout --signal=KILL 0.3 ibgwctl stop live || true")
    assert host.run("ibgwctl stop live").rc == 0
    assert host.check_output("docker inspect --format '{{.State.Running}} {{.State.ExitCode}}' ibgw-live") == "false 0"
    assert host.run("ibgwctl sign-in live").rc == 0

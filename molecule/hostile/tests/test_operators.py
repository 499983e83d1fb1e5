"""Two operators, other inventories, tags: a signed-in live gateway is not replaced, and one push is sent."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import contextlib
import json
import pathlib
import time
import typing as t

import pytest
import yaml

Play = c.Callable[..., t.Any]
PUSH = "Second Factor Authentication initiated"
ANOTHER_MODE = {"gateway_mode": "paper", "gateway_name": "live", "gateway_user": "sandboxlive", "gateway_port": 4001}
# {way: (variables of the other inventory, limit, more arguments)}
PAST_THE_GUARD: dict[str, tuple[dict[str, object], str, list[str]]] = {
    "another_mode": (ANOTHER_MODE, "live", []),
    "another_mode_without_a_limit": (ANOTHER_MODE, "", []),
    "another_mode_without_the_checks": (ANOTHER_MODE, "live", ["--skip-tags", "always"]),
    "another_name": ({"gateway_name": "live2", "gateway_port": 4011}, "live", []),
    "without_the_checks": ({"gateway_java_heap_mb": 800}, "", ["--skip-tags", "always"]),
    "without_a_limit": ({"gateway_java_heap_mb": 800}, "", []),
}


class Starts:
    """Starts of live containers since it was made: each is a push, and a log would be gone with its container."""

    def __init__(self, machine: t.Any) -> None:
        self.machine, self.since = machine, machine.out("date +%s.%N")

    def __call__(self) -> int:
        events = "docker events --filter event=start --format '{{.Actor.Attributes.name}}'"
        names = self.machine.out(f"{events} --since {self.since} --until $(date +%s.%N)").split()
        return sum(name.startswith("ibgw-live") for name in names)


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> c.Callable[..., list[str]]:
    """The arguments for an inventory that has the live gateway's machine by other variables."""

    def write(**variables: object) -> list[str]:
        path = tmp_path / "hosts.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": {"sandbox-live": variables}}}))
        return ["-i", str(path)]

    return write


@pytest.mark.parametrize("seconds", [0, 7])
def test_two_runs(live: t.Any, play: Play, seconds: int) -> None:
    live.machine.out("ibgwctl stop live")
    starts = Starts(live.machine)
    # The second run must not destroy a sign-in that waits for its push.
    slow = json.dumps({"gateway_environment": {"STANDIN_APPROVE_AFTER": "9"}})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = []
        for pause in (seconds, 0):
            runs.append(pool.submit(play, "site.yml", "live", "--tags", "gateway", "-e", slow))
            time.sleep(pause)
        statuses = [run.result().status for run in runs]
    assert starts() == 1
    assert 0 in statuses
    assert live.look()[0]["state"] == "ready"


@pytest.mark.parametrize("way", PAST_THE_GUARD)
def test_past_the_guard(
    live: t.Any, play: Play, inventory: c.Callable[..., list[str]], hold: c.Callable[[str], t.Any], way: str
) -> None:
    variables, limit, words = PAST_THE_GUARD[way]
    before, starts = live.running(), Starts(live.machine)
    try:
        with contextlib.nullcontext() if limit else hold("paper"):
            run = play("site.yml", limit, *inventory(**variables), *words, "--tags", "gateway")
        assert run.status >= 0, "it does not end"
        assert (live.running(), starts()) == (before, 0)
    finally:
        live.machine.run("docker rm --force ibgw-live2; rm -rf /etc/ibgw/live2 /var/lib/ibgw/live2")


def test_killed_after_the_pause(live: t.Any, play: Play) -> None:
    """Maintenance was killed before it resumed: the kept sign-in is not thrown away."""
    container, pushes = live.running().split()[0], live.count(PUSH)
    live.machine.out("ibgwctl pause live")
    assert live.running() == ""
    run = play("site.yml", "live", "--tags", "gateway")
    assert (run.status, live.look()[0]["state"]) == (0, "ready"), run.printed[-2000:]
    # A new container has a new log.
    assert live.count(PUSH) == (pushes if live.running().split()[0] == container else 0)


def test_a_foreign_container(live: t.Any, play: Play) -> None:
    """The same user runs in a container that another tool has made: named, and nothing is started beside it."""
    machine, form = live.machine, "{{range .Config.Env}}{{println .}}{{end}}"
    user = machine.out(f"docker inspect --format '{form}' ibgw-live | grep ^TWS_USERID=")
    machine.out("ibgwctl stop live")
    image = machine.out("docker inspect --format '{{.Image}}' ibgw-live")
    options = f"--disable-content-trust --detach --name compose-gateway-1 --env {user} --entrypoint sleep"
    machine.out(f"docker run {options} {image} 600")
    try:
        starts = Starts(machine)
        run = play("site.yml", "live", "--tags", "gateway")
        assert (live.running(), starts()) == ("", 0)
        assert run.status > 0
        assert "compose-gateway-1" in run.printed
        assert machine.run("echo any | ibgwctl sign-in live --password-stdin", 60).rc != 0
        assert starts() == 0
    finally:
        machine.run("docker rm --force compose-gateway-1")

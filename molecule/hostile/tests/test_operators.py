"""Two operators, other inventories, tags: a signed-in live gateway is not replaced, and nobody's phone rings twice."""

from __future__ import annotations

import collections.abc as c
import json
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
import yaml

Play = c.Callable[..., t.Any]
ROOT = pathlib.Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule" / "hostile"
PUSH = "Second Factor Authentication initiated"


def pushes(machine: t.Any) -> int:
    """Pushes of all containers that there are, whoever made them."""
    containers = machine.out("docker ps --all --format '{{.Names}}'").split()
    return sum(int(machine.run(f"docker logs {name} 2>&1 | grep -cF '{PUSH}'").stdout) for name in containers)


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> c.Callable[..., list[str]]:
    """The arguments for an inventory that has the live gateway's machine by other variables."""

    def write(**variables: object) -> list[str]:
        path = tmp_path / "hosts.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": {"sandbox-live": variables}}}))
        return ["-i", str(path)]

    return write


@pytest.mark.parametrize("seconds", [0, 7])
def test_two_runs(live: t.Any, seconds: int) -> None:
    live.machine.out("ibgwctl stop live")
    before = pushes(live.machine)
    words = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "site.yml", "-i", "inventories/sandbox",
             "-i", str(SCENARIO / "inventory.yml"), "-e", f"@{SCENARIO}/vars/main.yml", "-l", "live",
             "--tags", "gateway"]  # fmt: skip
    # A push that waits for its person is what the second run would destroy.
    words += ["-e", json.dumps({"gateway_environment": {"STANDIN_APPROVE_AFTER": "9"}})]
    runs = []
    for pause in (seconds, 0):
        runs.append(subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(pause)
    statuses = [run.wait(90) for run in runs]
    # A new container has a log of its own.
    assert live.count(PUSH) == 1
    assert before + 1 >= pushes(live.machine)
    assert 0 in statuses
    assert live.look()[0]["state"] == "ready"


PAST_THE_GUARD: dict[str, tuple[dict[str, object], list[str]]] = {
    "another_mode": ({"gateway_mode": "paper", "gateway_name": "live", "gateway_port": 4001}, ["-l", "live"]),
    "another_mode_without_a_limit": ({"gateway_mode": "paper", "gateway_name": "live", "gateway_port": 4001}, []),
    "another_name": ({"gateway_name": "live2", "gateway_port": 4011}, ["-l", "live"]),
    "no_guard": ({"gateway_java_heap_mb": 800}, ["--skip-tags", "always"]),
    "no_limit": ({"gateway_java_heap_mb": 800}, []),
    "no_guard_another_mode": (
        {"gateway_mode": "paper", "gateway_name": "live", "gateway_port": 4001},
        ["-l", "live", "--skip-tags", "always"],
    ),
}


@pytest.mark.parametrize("way", PAST_THE_GUARD)
def test_past_the_guard(live: t.Any, play: Play, inventory: c.Callable[..., list[str]], way: str) -> None:
    variables, words = PAST_THE_GUARD[way]
    before, sent = live.running(), pushes(live.machine)
    try:
        play(
            "site.yml", "sandbox-live" if "-l" in words else "all", *inventory(**variables), *words, "--tags", "gateway"
        )
        assert live.running() == before
        assert pushes(live.machine) == sent
    finally:
        live.machine.run(
            "docker rm --force ibgw-live2; systemctl disable --now ibgw-watch@live2; rm -rf /etc/ibgw/live2"
        )


def test_a_foreign_container(paper: t.Any, live: t.Any, play: Play) -> None:
    """The same user runs in a container that another tool has made: named, and nothing is started beside it."""
    machine = live.machine
    user = machine.out(
        "docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' ibgw-live | grep ^TWS_USERID="
    )
    machine.out("ibgwctl stop live")
    image = "$(docker inspect --format '{{.Image}}' ibgw-live)"
    machine.out(
        f"docker run --disable-content-trust --detach --name compose-gateway-1 --env {user} --entrypoint sleep {image} 600"
    )
    try:
        sent = pushes(machine)
        run = play("site.yml", "live", "--tags", "gateway")
        assert (live.running(), pushes(machine)) == ("", sent)
        assert run.status != 0
        assert "compose-gateway-1" in run.printed
        assert machine.run("ibgwctl sign-in live", 60).rc != 0
        assert pushes(machine) == sent
    finally:
        machine.run("docker rm --force compose-gateway-1")

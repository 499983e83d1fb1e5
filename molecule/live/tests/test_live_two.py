"""Two operators at once, a killed maintenance, and ways round the guard: one push, or none.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
import yaml
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
StandIn = t.Callable[..., dict[str, t.Any]]
ROOT = pathlib.Path(__file__).resolve().parents[3]


def begun() -> subprocess.Popen[str]:
    """A site.yml of the live gateway, as another operator starts it."""
    program = pathlib.Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), "site.yml", "-i", "inventories/sandbox", "-l", "live", "--tags", "gateway"]
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def container(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Id}} {{.State.StartedAt}}' ibgw-live")


@pytest.mark.parametrize("apart", [0, 3])
def test_two_runs_cost_one_push(host: Host, standin: StandIn, apart: float) -> None:
    host.check_output("ibgwctl stop live")
    first = begun()
    time.sleep(apart)
    second = begun()
    said = [run.communicate(timeout=600)[0] for run in (first, second)]
    assert 0 in (first.returncode, second.returncode), said
    for run, text in zip((first, second), said, strict=True):
        assert run.returncode == 0 or "is busy: a deployment by" in text, text
    assert standin("status")["pushes"] == 1
    assert host.run("ibgwctl status live").rc == 0


# The sandbox derives name and user from the mode; another inventory has its own.
PAPER: dict[str, object] = {
    "gateway_mode": "{{ 'paper' if inventory_hostname == 'sandbox-live' else 'live' }}",
    "gateway_name": "{{ 'live' if inventory_hostname == 'sandbox-live' else 'paper' }}",
}
WAYS: dict[str, tuple[dict[str, object], list[str]]] = {
    "another inventory's mode": (PAPER, ["-l", "live"]),
    "the same, without its group": (PAPER, ["-l", "sandbox-live"]),
    "the same, all guards skipped": (PAPER, ["-l", "live", "--skip-tags", "always"]),
    "another name": ({"gateway_name": "live2", "gateway_port": 4011}, ["-l", "live"]),
    "another name, guards skipped": (
        {"gateway_name": "live2", "gateway_port": 4011},
        ["-l", "live", "--skip-tags", "always"],
    ),
    "no limit, guards skipped": ({"gateway_apply": "now", "gateway_java_heap_mb": 800}, ["--skip-tags", "always"]),
}


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize("way", WAYS)
def test_no_way_past_the_guard(host: Host, standin: StandIn, tmp_path: pathlib.Path, way: str) -> None:
    settings, arguments = WAYS[way]
    extra = tmp_path / "settings.yml"
    extra.write_text(yaml.safe_dump(settings))
    program = pathlib.Path(sys.executable).parent / "ansible-playbook"
    play = tmp_path / "play.yml"
    play.write_text(
        yaml.safe_dump([{"hosts": "live", "gather_facts": False, "roles": [{"role": "ibops.gateway.gateway"}]}])
    )
    run = subprocess.run(
        [str(program), str(play), "-i", "inventories/sandbox", "-e", f"@{extra}", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 2, run.stdout
    assert "Nothing was touched" in run.stdout
    assert standin("status")["pushes"] == 1


def test_a_killed_maintenance_is_resumed_by_site_yml(host: Host, playbook: Playbook) -> None:
    count = "docker logs ibgw-live 2>&1 | grep -c 'Second Factor Authentication initiated'"
    before = host.run(count).stdout
    host.check_output("ibgwctl pause live")
    assert "ibgwctl resume" in host.run("ibgwctl status live").stdout
    assert playbook("site.yml", "live", "--tags", "gateway").status == 0
    assert host.run("ibgwctl status live").rc == 0
    assert host.run(count).stdout == before

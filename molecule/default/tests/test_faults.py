"""The reports and the state of site.yml when its environment fails.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]


def container(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Id}} {{.State.StartedAt}}' ibgw-paper")


@pytest.fixture(scope="module")
def listener(host: Host) -> t.Iterator[None]:
    """Somebody else's program on port 4999 of the machine's loopback."""
    host.check_output("systemd-run --quiet --unit=listener python3 -m http.server 4999 --bind 127.0.0.1")
    yield
    host.check_output("systemctl stop listener")


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            "gateway_image=127.0.0.1:9/x@sha256:" + "0" * 64,
            "gateway_image: sandbox-paper cannot pull 127.0.0.1:9/x@sha256",
        ),
        ("gateway_min_free_mib=99999999", "gateway_min_free_mib: "),
        ("gateway_memory=2048", "gateway_memory = '2048': "),
        ("gateway_memory='2 GiB'", "gateway_memory = '2 GiB': "),
        ("gateway_cpus=64", "gateway_cpus = 64.0: "),
        ("gateway_port=4999", "gateway_port: on 4999 of this host python3"),
    ],
)
def test_the_running_gateway_is_not_touched(host: Host, playbook: Playbook, settings: str, said: str) -> None:
    before = container(host)
    run = playbook("site.yml", "paper", "--tags", "gateway", "-e", settings, "-e", "gateway_read_only_api=true")
    assert run.status == 2
    assert said in run.printed
    assert container(host) == before


def test_without_an_engine_the_role_says_so_and_the_gateway_outlives_it(host: Host, playbook: Playbook) -> None:
    before = container(host)
    host.check_output("systemctl stop docker.socket docker.service")
    run = playbook("site.yml", "paper", "--tags", "gateway")
    assert run.status == 2
    assert "the Docker engine is unreachable" in run.printed
    assert playbook("site.yml", "paper").status == 0
    assert container(host) == before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("exit_at_once", "exit"),
        ("wrong_password", "IBKR refused the user or the password"),
    ],
)
def test_what_this_run_started_and_cannot_become_ready_is_taken_back(
    host: Host, playbook: Playbook, fault: str, said: str
) -> None:
    before = host.check_output("docker inspect --format '{{.Id}}' ibgw-paper")
    run = playbook("site.yml", "paper", "-e", f'{{"gateway_environment": {{"STANDIN_FAULT": "{fault}"}}}}')
    assert run.status == 2
    assert said in run.printed
    assert "The container before is back, and starting." in run.printed
    assert host.check_output("docker inspect --format '{{.Id}} {{.State.Running}}' ibgw-paper") == f"{before} true"


def test_a_changed_time_zone_and_a_difficult_password_really_arrive(host: Host, playbook: Playbook) -> None:
    password = "b\\u0041ck$slash=\u20ac #!\\"
    settings = {
        "gateway_time_zone": "Europe/London",
        "gateway_password": password,
        "gateway_environment": {"STANDIN_PASSWORD_SHA256": hashlib.sha256(password.encode()).hexdigest()},
    }
    assert playbook("site.yml", "paper", "-e", json.dumps(settings)).status == 0
    assert host.file("/var/lib/ibgw/paper/tws_settings/jts.ini").contains("^TimeZone=Europe/London")
    assert host.check_output("docker exec ibgw-paper printenv TZ") == "Europe/London"


def test_a_restart_is_a_new_container_and_ready(host: Host, playbook: Playbook) -> None:
    before = container(host)
    run = playbook("playbooks/restart.yml", "paper")
    assert "sandbox-paper is ready after the restart" in run.printed
    assert container(host) != before


def test_runs_that_are_killed_are_finished_by_the_next_one(
    playbook: Playbook, killed_playbook: t.Callable[..., None]
) -> None:
    for seconds in (1.5, 4.0, 6.5):
        killed_playbook(seconds, "site.yml", "-l", "paper", "-e", f"gateway_java_heap_mb={700 + int(seconds * 10)}")
    assert playbook("site.yml", "paper").status == 0
    again = playbook("site.yml", "paper")
    assert (again.status, again.changed) == (0, 0)


@pytest.mark.usefixtures("same_container")
def test_the_end_of_a_release_is_told_and_costs_nothing(
    host: Host, playbook: Playbook, standin: t.Callable[..., dict[str, t.Any]]
) -> None:
    assert host.run("ibgwctl wait-ready paper --timeout 60").rc == 0
    standin("fault", "desupport_notice", "day=20991215")
    try:
        status = host.run("ibgwctl status paper")
        assert status.rc == 0
        assert "is accepted by IBKR until 2099-12-15; the minimum then is 10.50.1" in status.stdout
        assert "release accepted until 2099-12-15" in playbook("playbooks/status.yml", "paper").printed
        told = "grep -q '\"release/warning\"' /var/lib/ibgw/paper/session/alerts.json"
        assert host.run(f"for _each in $(seq 75); do {told} && exit; sleep 1; done; exit 1").rc == 0
    finally:
        standin("clear")

"""What site.yml says and leaves behind when the world does not play along; each test ends where it began: ready."""
from __future__ import annotations

import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]


@pytest.fixture(autouse=True)
def ready_again(playbook: Playbook) -> t.Iterator[None]:
    yield
    assert playbook("site.yml", "paper").status == 0
    assert playbook("site.yml", "paper").changed == 0


def container(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Id}}' ibgw-paper")


def test_a_registry_that_does_not_answer_costs_nothing(host: Host, playbook: Playbook) -> None:
    before = container(host)
    run = playbook("site.yml", "paper", "-e", "gateway_image=127.0.0.1:9/x@sha256:" + "0" * 64)
    assert run.status == 2
    assert "gateway_image: sandbox-paper cannot pull 127.0.0.1:9/x@sha256" in run.printed
    assert container(host) == before


def test_an_engine_that_is_down_is_started_again_and_the_gateway_outlived_it(host: Host, playbook: Playbook) -> None:
    before = container(host)
    host.check_output("systemctl stop docker.socket docker.service")
    assert playbook("site.yml", "paper").status == 0
    assert container(host) == before


def test_without_an_engine_the_role_says_so(host: Host, playbook: Playbook) -> None:
    host.check_output("systemctl stop docker.socket docker.service")
    run = playbook("site.yml", "paper", "--tags", "gateway")
    assert run.status == 2
    assert "The Docker engine of sandbox-paper does not answer" in run.printed


def test_an_image_that_exits_at_once_is_named_with_its_last_words(host: Host, playbook: Playbook) -> None:
    run = playbook("site.yml", "paper", "-e", '{"gateway_environment": {"STANDIN_FAULT": "exit_at_once"}}')
    assert run.status == 2
    assert "exit" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-paper") == "false"


def test_a_wrong_password_ends_in_a_stopped_gateway_and_not_in_a_lock_out(host: Host, playbook: Playbook) -> None:
    run = playbook("site.yml", "paper", "-e", '{"gateway_environment": {"STANDIN_FAULT": "wrong_password"}}')
    assert run.status == 2
    assert "IBKR refused the sign-in" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-paper") == "false"


def test_a_full_disk_is_refused_before_anything(host: Host, playbook: Playbook) -> None:
    before = container(host)
    run = playbook("site.yml", "paper", "-e", "gateway_min_free_mib=99999999", "-e", "gateway_read_only_api=true")
    assert run.status == 2
    assert "gateway_min_free_mib: " in run.printed
    assert container(host) == before


def test_a_changed_time_zone_really_arrives(host: Host, playbook: Playbook) -> None:
    before = container(host)
    assert playbook("site.yml", "paper", "-e", "gateway_time_zone=Europe/London").status == 0
    assert container(host) != before
    assert host.file("/var/lib/ibgw/paper/tws_settings/jts.ini").contains("^TimeZone=Europe/London")
    assert host.check_output("docker exec ibgw-paper printenv TZ") == "Europe/London"


@pytest.mark.parametrize("seconds", [1.5, 3.5, 6.0])
def test_a_run_that_is_killed_is_finished_by_the_next_one(killed_playbook: t.Callable[..., None], seconds: float) -> None:
    """The autouse fixture is the assertion: the next run succeeds, the one after it changes nothing."""
    killed_playbook(seconds, "site.yml", "-l", "paper", "-e", f"gateway_java_heap_mb={700 + int(seconds * 10)}")

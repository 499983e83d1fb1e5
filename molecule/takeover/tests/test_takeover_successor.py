"""The signed-in gateway changes to IBC's successor, ibg-controller, where that is wanted, and what holds there.

Each test starts from whatever the one before it left.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

import pytest
import yaml
from sandbox.machine.common import STATE
from sandbox.machine.setup import standin_image
from sandbox.registry import registry
from testinfra.host import Host
from tests.sandbox.reboot import restart

Playbook = t.Callable[..., t.Any]
Module = StandIn = t.Callable[..., dict[str, t.Any]]
Pinned = t.Callable[[bool], tuple[str, ...]]
NAME = "ibg-controller"
PRESSED = "Log In clicked successfully"


@pytest.fixture(scope="module")
def image() -> str:
    """The stand-in as ibg-controller, in the sandbox's registry."""
    registry.publish(standin_image("gateway", "--controller", NAME), NAME)
    return (STATE / f"{NAME}_image").read_text().strip()


@pytest.fixture(scope="module")
def pinned(image: str, tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The arguments that add an inventory with that image; *accepted*: with what it costs on live."""

    def write(accepted: bool) -> tuple[str, ...]:
        path = tmp_path_factory.mktemp("inventory") / "hosts.yml"
        wanted = {
            "gateway_image": image, "gateway_image_accept": ["live_costs"] if accepted else [],
            "gateway_environment": {"STANDIN_APPROVE_AFTER": "5", "STANDIN_LOGIN_SECONDS": "2.2"},
        }  # fmt: skip
        path.write_text(yaml.safe_dump({"all": {"hosts": {"sandbox-live": wanted}}}))
        return "-i", str(path), "--tags", "gateway"

    return write


def logged(host: Host, since: str = "") -> str:
    """The container's log, or what it has of the run that began at that moment."""
    return host.check_output(f"docker logs {f'--since {since}' if since else ''} ibgw-live 2>&1")


def begun(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.State.StartedAt}}' ibgw-live")


def status(host: Host) -> dict[str, t.Any]:
    return json.loads(host.run("ibgwctl status live --json").stdout)


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize(
    ("accepted", "more", "says"),
    [(True, (), "runs with IBC, and"), (False, ("-e", "gateway_apply=now"), "live_costs")],
    ids=["mixed", "costs"],
)
def test_a_signed_in_gateway_keeps_its_controller(
    playbook: Playbook, pinned: Pinned, accepted: bool, more: tuple[str, ...], says: str
) -> None:
    run = playbook("site.yml", "live", *pinned(accepted), *more)
    assert run.status == 2
    assert says in run.printed
    assert "Nothing was touched" in run.printed


def test_told_so_it_changes_with_one_push(
    host: Host, playbook: Playbook, standin: StandIn, module: Module, pinned: Pinned
) -> None:
    run = playbook("site.yml", "live", *pinned(True), "-e", "gateway_apply=now")
    assert run.status == 0, run.printed
    assert standin("status")["pushes"] == 1
    assert json.loads(host.file("/etc/ibgw/live/gateway.json").content_string)["controller"] == NAME
    assert host.file("/run/ibgw/live/secrets/tws_password").size == 0
    found = module("ibops.gateway.gateway_info", gateway_name="live")
    assert (found["state"], found["milestones"]["controller"]) == ("ready", NAME)
    assert found["milestones"]["controller_version"] == "0.12.0"
    again = playbook("site.yml", "live", *pinned(True))
    assert (again.status, again.changed) == (0, 0), again.printed


@pytest.mark.usefixtures("same_container")
def test_the_live_check_finds_it_fine(host: Host, playbook: Playbook) -> None:
    run = playbook("playbooks/live_check.yml", "live", "-e", "live_check_drift=false")
    assert "sandbox-live" in run.printed
    assert status(host)["state"] == "ready"
    assert "ready" in playbook("playbooks/status.yml", "live").printed


@pytest.mark.usefixtures("same_container")
def test_a_restart_and_a_pause_are_refused_since_each_is_a_sign_in(
    host: Host, playbook: Playbook, standin: StandIn
) -> None:
    run = playbook("playbooks/restart.yml", "live")
    assert run.status == 2
    assert "does not keep this promise" in run.printed
    pause = host.run("ibgwctl pause live")
    assert pause.rc != 0
    assert "Nothing was touched" in pause.stdout + pause.stderr
    assert standin("status")["pushes"] == 1


def test_an_end_of_its_program_costs_no_push(host: Host, standin: StandIn, watched: t.Any) -> None:
    """It would sign in again by itself, with the password in its environment."""
    since = begun(host)
    standin("restart", "LOGOFF")
    record = watched.reaches("blocked", 60)
    assert record["blocked"] == "sign_in_asked"
    assert logged(host, since).count(PRESSED) == 1


def test_a_start_by_hand_presses_nothing(host: Host, watched: t.Any) -> None:
    host.check_output("docker start ibgw-live")
    since = begun(host)
    watched.until(lambda record: record["container_started_at"] == since)
    deadline = time.monotonic() + 60
    while host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "true":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "TWS_USERID and TWS_PASSWORD must be set" in logged(host, since)
    assert PRESSED not in logged(host, since)


def test_a_stop_signs_off(host: Host, playbook: Playbook, standin: StandIn, pinned: Pinned) -> None:
    run = playbook("playbooks/live_signin.yml", "live", *pinned(True)[:2])
    assert run.status == 0, run.printed
    assert standin("status")["pushes"] == 1
    since, before = begun(host), time.monotonic()
    host.check_output("ibgwctl stop live")
    assert time.monotonic() - before < 30
    assert "ALERT_SHUTDOWN mode=live signal=SIGTERM graceful=true" in logged(host, since)
    assert host.check_output("docker inspect --format '{{.State.ExitCode}}' ibgw-live") == "0"


def test_a_reboot_costs_no_push(host: Host, playbook: Playbook, pinned: Pinned, watched: t.Any) -> None:
    assert playbook("playbooks/live_signin.yml", "live", *pinned(True)[:2]).status == 0
    since = begun(host)
    restart(f"ibgw-sandbox-{os.environ['SANDBOX_SLOT']}-live")
    watched.until(lambda record: record["blocked"] == "session_lost", 90)
    assert begun(host) == since
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "false"

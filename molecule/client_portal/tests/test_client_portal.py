"""A Client Portal Gateway under the roles: states, secrets, session, and no sign-in that nobody asked for."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
Module = t.Callable[..., dict[str, t.Any]]
VARIABLES = ("-e", "@molecule/client_portal/vars/main.yml")
READY = "ibops.gateway.client_portal_ready"
TIMER = "ibgw-tickle-live.timer"
WATCHER = "ibgw-watch@live.service"


def faults(host: Host, *names: str) -> None:
    host.check_output(f"docker exec ibgw-live sh -c 'echo {' '.join(names)} >/tmp/faults'")


@pytest.mark.usefixtures("same_container")
def test_each_state_is_told_apart(host: Host, module: Module) -> None:
    for fault, state in (
        ("competing", "competing"),
        ("unauthenticated", "unauthenticated"),
        ("link_lost", "connected"),
        ("websocket_unauthenticated", "connected"),
        ("server_error", "down"),
        ("", "ready"),
    ):
        faults(host, fault)
        found = module(READY, gateway_name="live", timeout=1)
        assert (found["state"], found.get("failed", False)) == (state, bool(fault)), found
        assert "U1234567" not in json.dumps(found)


@pytest.mark.usefixtures("same_container")
def test_it_is_watched(host: Host, module: Module) -> None:
    for fault, state in (("competing", "degraded"), ("", "ready")):
        faults(host, fault)
        # It looks as soon as it begins.
        host.check_output(f"systemctl restart {WATCHER} && sleep 5")
        kept = json.loads(host.file("/var/lib/ibgw/live/session/state.json").content_string)
        assert (kept["state"], kept["mode"]) == (state, "live")
        found = module("ibops.gateway.gateway_info", gateway_name="live")
        assert (found["stack"], found["session"]["state"], found["watcher"]) == ("client_portal", state, None)


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize(
    ("command", "status"),
    [
        *((each, 0) for each in ("status", "wait-ready", "history", "alert-test", "support-bundle")),
        *((each, 5) for each in ("start", "restart", "sign-in", "skip", "later", "pause", "resume")),
    ],
)
def test_each_command_of_ibgwctl_works_or_says_what_to_do_instead(host: Host, command: str, status: int) -> None:
    # Without a name: it is this host's only gateway.
    run = host.run(f"cd $(mktemp -d) && ibgwctl {command} --json")
    assert run.rc == status, run
    told = json.loads(run.stdout)
    assert ("gateway live is a Client Portal Gateway" in told.get("error", "")) == (status == 5)
    assert "U1234567" not in run.stdout


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("alert_test", "webhook/0 ok HTTP status 204"),
        ("support_bundle", "sandbox-live-support-"),
        ("status", "sandbox-live live ready"),
        ("live_check", "live is fine and ready"),
    ],
)
def test_each_playbook_for_every_gateway_knows_it(
    playbook: Playbook, tmp_path: pathlib.Path, which: str, said: str
) -> None:
    places = {
        "support_bundle_dir": str(tmp_path),
        "status_page": str(tmp_path / "status.html"),
        "live_check_reports_dir": str(tmp_path),
        "live_check_drift_arguments": list(VARIABLES),
    }
    run = playbook(f"playbooks/{which}.yml", "live", *VARIABLES, "-e", json.dumps(places))
    assert (run.status, run.changed, said in run.printed) == (0, 0, True), run.printed
    for report in tmp_path.glob("*.json"):
        rows = {each["check"]: each["verdict"] for each in json.loads(report.read_text())["report"]["rows"]}
        known = ("state", "accounts", "watcher", "image", "settings", "log", "secret", "drift")
        assert {name: rows[name] for name in known} == dict.fromkeys(known, "ok") | {"accounts": rows["accounts"]}


def test_user_and_password_are_files(host: Host, variables: dict[str, t.Any]) -> None:
    inspected = host.check_output("docker inspect ibgw-live")
    shown = host.check_output("ps axeww")
    for secret in (variables["password"], "sandboxlive"):
        assert secret not in inspected
        assert secret not in shown
    for name in ("ibkr_user", "ibkr_password"):
        file = host.file(f"/etc/ibgw/live/secrets/{name}")
        assert (file.mode, file.uid, file.gid) == (0o440, 0, 1000)


def test_only_the_loopback_has_it(host: Host) -> None:
    ports = json.loads(host.check_output("docker inspect --format '{{json .NetworkSettings.Ports}}' ibgw-live"))
    assert ports == {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5000"}]}


def test_the_session_lives_by_the_timer_and_dies_without(host: Host, module: Module) -> None:
    silent: dict[str, object] = {"gateway_name": "live", "state": "unauthenticated", "delay": 30, "timeout": 31}
    assert module(READY, **silent)["state"] == "ready"
    # The watcher asks, too, which the gateway takes for a sign of life.
    host.check_output(f"systemctl stop {TIMER} {WATCHER}")
    assert module(READY, **silent)["state"] == "unauthenticated"
    host.check_output(f"docker restart ibgw-live && systemctl start {TIMER} {WATCHER}")
    assert module(READY, gateway_name="live", timeout=60)["state"] == "ready"
    assert "HTTP 200, authenticated" in host.check_output("journalctl -u ibgw-tickle-live.service")


@pytest.mark.usefixtures("same_container")
def test_a_changed_setting_waits(host: Host, playbook: Playbook, module: Module) -> None:
    run = playbook("site.yml", "live", *VARIABLES, "-e", '{"client_portal_deny": ["10.9.9.9"]}')
    assert run.status == 0, run.printed
    assert "pending until the next sign-in" in run.printed
    assert host.file("/etc/ibgw/live/inputs/conf.yaml").contains("10.9.9.9")
    assert module("ibops.gateway.gateway_info", gateway_name="live")["pending"]
    assert playbook("site.yml", "live", *VARIABLES).status == 0


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize("which", ["restart", "desktop", "live_signin"])
def test_what_is_for_the_other_stack_refuses(playbook: Playbook, which: str) -> None:
    run = playbook(f"playbooks/{which}.yml", "live", *VARIABLES)
    assert run.status == 2
    assert "has gateway_stack client_portal" in run.printed


SOMEONES = "docker run --detach --rm --name someones --env TWS_USERID=sandboxlive --entrypoint sleep"
# The commands before and after, and between them the settings and a part of the refusal.
REFUSED: dict[str, tuple[str, dict[str, object], str, str]] = {
    "memory_of_bytes": ("", {"client_portal_memory": 2048}, "client_portal_memory", ""),
    "a_port_that_is_taken": (
        "systemd-run --quiet --unit=listener python3 -m http.server 4999 --bind 127.0.0.1",
        {"gateway_port": 4999},
        "gateway_port: on 4999 of this host python3",
        "systemctl stop listener",
    ),
    # A setting of the command line is every gateway's, and the rules compare their users first.
    "the_other_mode": (
        "",
        {
            "gateway_name": "live",
            "gateway_mode": "paper",
            "gateway_user": "{{ inventory_hostname[-5:] }}user",
            "gateway_accounts": [],
        },
        "a live gateway of that name runs",
        "",
    ),
    "a_user_that_somebody_has": (f"{SOMEONES} {{image}} 600", {}, "someones", "docker kill someones"),
    "docker_pause": ("docker pause ibgw-live", {}, "container ibgw-live is frozen", "docker unpause ibgw-live"),
}


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_cost_the_running_one_is_refused(host: Host, playbook: Playbook, kind: str) -> None:
    before, wanted, said, after = REFUSED[kind]
    image = host.check_output("docker inspect --format '{{.Config.Image}}' ibgw-live")
    written = "find /etc/ibgw/live -type f -exec sha256sum {} +"
    files = host.check_output(written)
    if before:
        host.check_output(before.format(image=image))
    try:
        changed = {"gateway_apply": "now", "client_portal_deny": ["10.9.9.9"], **wanted}
        run = playbook("site.yml", "live", *VARIABLES, "--tags", "gateway", "-e", json.dumps(changed))
    finally:
        if after:
            host.check_output(after)
    assert (run.status, said in run.printed) == (2, True), run.printed
    assert (host.check_output(written), host.check_output("docker ps --all --quiet | wc -l")) == (files, "1")


def test_told_so_it_is_replaced_and_one_that_does_not_become_ready_is_stopped(host: Host, playbook: Playbook) -> None:
    broken = {
        "gateway_apply": "now",
        "client_portal_ready_timeout": 10,
        "client_portal_environment": {"STANDIN_ACCOUNT": "DU1234567"},
    }
    run = playbook("site.yml", "live", *VARIABLES, "-e", json.dumps(broken))
    assert run.status == 2
    assert "DU***67 is not a live account" in run.printed
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "false"
    assert playbook("site.yml", "live", *VARIABLES).status == 0


def test_an_end_that_nobody_asked_for_is_told_and_a_stop_is_not(host: Host, module: Module, watched: t.Any) -> None:
    beats = "/var/lib/ibgw-heartbeats.jsonl"

    def look() -> tuple[str, int]:
        """The state after one more look, and the count of heartbeats."""
        host.check_output(f"systemctl restart {WATCHER} && sleep 5")
        return watched.record()["state"], len(host.file(beats).content_string.splitlines())

    assert module(READY, gateway_name="live", timeout=60)["state"] == "ready"
    told, (state, count) = watched.alerts(), look()
    assert (state, count > 0) == ("ready", True)
    host.check_output("ibgwctl stop")
    assert look() == ("stopped", count + 1)
    assert watched.alerts() == told
    host.check_output("docker start ibgw-live")
    assert module(READY, gateway_name="live", timeout=60)["state"] == "ready"
    assert look() == ("ready", count + 2)
    host.check_output("docker kill ibgw-live")
    assert look() == ("blocked", count + 2)
    assert "state/blocked" in watched.alerts()[len(told) :]

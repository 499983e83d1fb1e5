"""A live gateway that an earlier version signed in runs on under this one."""

from __future__ import annotations

import json

from testinfra.host import Host


def test_the_session_goes_on(host: Host) -> None:
    inspect = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' ibgw-live"
    assert host.check_output(inspect) == host.check_output("cat /var/lib/ibgw-before/container")
    before, now = (
        json.loads(host.check_output(each))
        for each in ("cat /var/lib/ibgw-before/status.json", "ibgwctl status live --json")
    )
    assert now["state"] == before["state"] == "ready"
    for kept in ("signed_in_at", "valid_until", "sign_in_due", "container_started_at"):
        assert now[kept] == before[kept], kept


def test_the_history_is_kept(host: Host) -> None:
    before = host.check_output("cat /var/lib/ibgw-before/history.jsonl")
    assert before
    assert host.check_output("cat /var/lib/ibgw/live/session/history.jsonl").startswith(before)


def test_the_watcher_was_started_again_once(host: Host) -> None:
    started = "journalctl --unit ibgw-watch@live --output cat | grep -c '^Started '"
    assert host.check_output(started) == "2"
    assert host.check_output("systemctl show --value --property=NRestarts,ActiveState ibgw-watch@live").split() == [
        "0",
        "active",
    ]


def test_it_runs_the_new_library(host: Host) -> None:
    process = host.check_output("systemctl show --value --property=MainPID ibgw-watch@live")
    assert host.check_output("cat /opt/ibgw/ibgwctl").count("from agent.session.ctl import main") == 1
    assert "ibgwctl" in host.check_output(f"tr '\\0' ' ' </proc/{process}/cmdline")


def test_the_password_is_taken_from_a_container_that_was_made_with_it_on_disk(host: Host) -> None:
    assert host.file("/etc/ibgw/live/secrets/tws_password").size == 0
    assert not host.file("/etc/ibgw/live/password").exists
    assert host.run("docker exec ibgw-live grep -q '^IbPassword=.' /run/ibc/config.ini").rc == 1

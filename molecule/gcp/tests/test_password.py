"""The password that the VM fetches by itself."""

from __future__ import annotations

import datetime
import json
import typing as t

from testinfra.host import Host

KEPT = "/run/ibgw/paper/secrets/tws_password"
PASSWORD = "from-the-secret"


def test_it_is_in_memory_and_nowhere_else(host: Host) -> None:
    assert host.file(KEPT).content_string == PASSWORD
    assert host.check_output(f"findmnt --noheadings --output FSTYPE --target {KEPT}") == "tmpfs"
    assert (host.file(KEPT).mode, host.file(KEPT).user) == (0o440, "root")
    # A pattern that does not find itself in the log of sudo.
    found = host.run(
        "grep -rlE from-the-secre[t] /etc/ibgw /var/lib/ibgw /opt/ibgw /var/lib/docker/containers /var/log"
    )
    assert found.stdout == ""
    assert PASSWORD not in host.check_output("docker inspect ibgw-paper")


def test_a_container_cannot_do_the_same(host: Host) -> None:
    """The metadata server gives the VM's token to every process on the VM, but to none of its containers."""
    ask = "exec 3<>/dev/tcp/10.211.0.1/18412"
    assert host.run(f"timeout 5 bash -c '{ask}'").rc == 0
    assert host.run(f"docker exec ibgw-paper timeout 5 bash -c '{ask}'").rc != 0


def test_after_a_boot_a_start_fetches_it_anew(host: Host) -> None:
    host.check_output("ibgwctl stop paper && rm -r /run/ibgw")
    host.check_output("ibgwctl start paper && ibgwctl wait-ready paper")
    assert host.file(KEPT).content_string == PASSWORD


def test_the_watcher_fetches_it_for_a_session(host: Host) -> None:
    path = "/etc/ibgw/paper/session.json"
    plan = json.loads(host.file(path).content_string)
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    session = {"name": "now", "days": [f"{due:%a}".lower()], "time": f"{due:%H:%M}", "zone": "UTC",
               "lead_minutes": 5, "max_minutes": 30}  # fmt: skip
    host.check_output("ibgwctl stop paper && rm -r /run/ibgw/paper")
    write(host, path, plan | {"paper_sessions": [session]})
    host.check_output("systemctl restart ibgw-watch@paper && ibgwctl wait-ready paper")
    assert host.file(KEPT).content_string == PASSWORD
    write(host, path, plan)
    host.check_output("systemctl restart ibgw-watch@paper")


def test_without_it_nothing_is_started_and_the_reason_is_said(host: Host) -> None:
    path = "/etc/ibgw/paper/gateway.json"
    descriptor = json.loads(host.file(path).content_string)
    wrong = {**descriptor["password_secret"], "name": "projects/demo-project/secrets/other/versions/latest"}
    host.check_output("ibgwctl stop paper")
    write(host, path, descriptor | {"password_secret": wrong})
    started = host.run("ibgwctl start paper")
    assert started.rc == 1
    assert "gcloud secrets versions list other --project demo-project" in started.stdout + started.stderr
    assert host.check_output("docker inspect --format '{{.State.Status}}' ibgw-paper") == "exited"
    write(host, path, descriptor)
    host.check_output("ibgwctl start paper && ibgwctl wait-ready paper")


def write(host: Host, path: str, content: dict[str, t.Any]) -> None:
    host.check_output(f"cat > {path} <<'END'\n{json.dumps(content, indent=2)}\nEND")

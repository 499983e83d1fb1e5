"""A real Prometheus and a live gateway: faults fire their rules and resolve, the dashboard's queries are answered.

Each test begins and ends with a gateway that is ready.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shlex
import socket
import time
import typing as t

import pytest
from testinfra.host import Host
from tests.sandbox.prometheus import Prometheus
from tests.unit.plugins.archives import contents

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import bundle

StandIn = t.Callable[..., dict[str, t.Any]]
Playbook = t.Callable[..., t.Any]
ROOT = pathlib.Path(__file__).parents[3]
VARIABLES = ("-e", "@molecule/observability/vars/main.yml")
TAGS = ("--tags", "observability,access")
FILE = "/var/lib/prometheus/node-exporter/ibgw_live.prom"
DASHBOARD = json.loads((ROOT / "roles/observability/files/ib_gateway.json").read_text())
# Metrics without a sample on this gateway: it has neither mutual TLS, nor an end of its release, nor a message.
UNANSWERED = {"Certificates end in", "Release is accepted for"}


@pytest.fixture(autouse=True)
def nothing_is_wrong(prometheus: Prometheus) -> t.Iterator[None]:
    prometheus.until(seconds=60)
    yield
    prometheus.until(seconds=60)


@contextlib.contextmanager
def stopped(host: Host, *units: str) -> t.Iterator[None]:
    host.check_output(f"systemctl stop {' '.join(units)}")
    try:
        yield
    finally:
        host.check_output(f"systemctl start {' '.join(reversed(units))}")


def connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def test_a_gateway_that_is_ready_is_fetched(prometheus: Prometheus, watched: t.Any) -> None:
    watched.reaches("ready", 60)
    # The watcher's next look writes it, and then it is fetched.
    deadline = time.monotonic() + 30
    while not (found := prometheus.ask("query", query='ibgw_state{state="ready"} == 1')["result"]):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert [each["metric"]["gateway"] for each in found] == ["live"]
    assert {each["health"] for each in prometheus.ask("targets")["activeTargets"]} == {"up"}


def test_who_watches_can_fetch_metrics_and_nothing_else(prometheus: Prometheus, variables: dict[str, t.Any]) -> None:
    for port, reached in ((9100, True), (4001, False)):
        code = f"import socket; socket.create_connection(({variables['host']!r}, {port}), 2)"
        assert (prometheus.host.run(f"python3 -c {shlex.quote(code)}").rc == 0) is reached, port
    assert not connects(variables["host"], 9100)


def test_what_listens_is_where_it_is_wanted(host: Host, prometheus: Prometheus, variables: dict[str, t.Any]) -> None:
    listening = prometheus.host.check_output("ss -Hltn").splitlines()
    assert {line.split()[3] for line in listening} & {"*:9090", "*:9093", "*:9094", "0.0.0.0:9090"} == set()
    assert f"{variables['host']}:9100" in host.check_output("ss -Hltn")
    assert "*:9100" not in host.check_output("ss -Hltn")


def test_units_are_confined(host: Host, prometheus: Prometheus) -> None:
    for machine, unit in (
        (host, "prometheus-node-exporter"),
        (prometheus.host, "prometheus"),
        (prometheus.host, "prometheus-alertmanager"),
    ):
        last = machine.check_output(f"systemd-analyze security --no-pager {unit}.service").splitlines()[-1]
        assert float(last.rpartition(": ")[2].split()[0]) <= 3.0, last


def test_a_lost_link_is_degraded(prometheus: Prometheus, standin: StandIn) -> None:
    standin("fault", "link_down")
    try:
        prometheus.until("GatewayDegraded", seconds=45)
    finally:
        standin("clear")


def test_a_killed_container_is_blocked_and_a_person_hears_of_it(prometheus: Prometheus, host: Host) -> None:
    host.check_output("kill -9 $(docker inspect --format '{{.State.Pid}}' ibgw-live)")
    try:
        prometheus.until("GatewayBlocked")
        # The gateway's last message, of the link, may be less than a group_interval ago.
        deadline = time.monotonic() + 90
        while '"alertname":"GatewayBlocked"' not in prometheus.host.run("cat /var/lib/ibgw-alerts.jsonl").stdout:
            assert time.monotonic() < deadline
            time.sleep(1)
    finally:
        host.check_output("echo any | ibgwctl sign-in live --password-stdin")


def test_an_engine_that_is_away(prometheus: Prometheus, host: Host) -> None:
    with stopped(host, "docker.socket", "docker.service"):
        prometheus.until("GatewayEngineDown", "GatewayDegraded", seconds=60)


def test_a_watcher_that_stands_still(prometheus: Prometheus, host: Host) -> None:
    with stopped(host, "ibgw-watch@live"):
        host.check_output(f"sed -i 's/^\\(ibgw_last_look_timestamp_seconds.* \\).*/\\11.7e9/' {FILE}")
        prometheus.until("GatewayNotWatched")


def test_a_gateway_without_metrics(prometheus: Prometheus, host: Host) -> None:
    with stopped(host, "ibgw-watch@live"):
        host.check_output(f"rm {FILE}")
        prometheus.until("GatewayMissing")


def test_a_file_that_cannot_be_read(prometheus: Prometheus, host: Host) -> None:
    host.check_output("printf 'no metric' >/var/lib/prometheus/node-exporter/other.prom")
    try:
        prometheus.until("GatewayTextfileFails")
    finally:
        host.check_output("rm /var/lib/prometheus/node-exporter/other.prom")


def test_a_machine_that_tells_nothing(prometheus: Prometheus, host: Host) -> None:
    with stopped(host, "prometheus-node-exporter"):
        prometheus.until("GatewayNotScraped")


def test_the_watcher_stays_small(prometheus: Prometheus) -> None:
    (found,) = prometheus.ask("query", query="max_over_time(ibgw_watcher_memory_bytes[10m])")["result"]
    assert float(found["value"][1]) <= 30 * 1024 * 1024


def test_every_query_of_the_dashboard_is_answered(prometheus: Prometheus) -> None:
    answers: dict[str, dict[str, t.Any]] = {}
    now = time.time()
    for panel in DASHBOARD["panels"]:
        for each in panel["targets"]:
            query = each["expr"].replace("$gateway", ".*")
            found = prometheus.ask("query_range", query=query, start=now - 240, end=now, step=2)
            answers.setdefault(panel["title"], {})[query] = found["result"]
    kept = ROOT / ".cache" / "observability"
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "answers.json").write_text(json.dumps(answers))
    silent = {title for title, queries in answers.items() if not all(queries.values())}
    assert silent == UNANSWERED


def test_a_support_bundle_is_fetched(playbook: Playbook, variables: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    where = json.dumps({"support_bundle_dir": str(tmp_path)})
    run = playbook("playbooks/support_bundle.yml", "live", *VARIABLES, "-e", where)
    assert (run.status, run.changed) == (0, 0), run.printed
    (file,) = tmp_path.iterdir()
    parts = contents(file.read_bytes())
    assert parts.keys() == bundle.PARTS.keys()
    assert [name for name, text in parts.items() if text.startswith("not had:")] == []
    for secret in (variables["password"], "U1234567", variables["host"]):
        assert [name for name, text in parts.items() if secret in text] == [], secret
    assert json.loads(parts["state.json"])["state"] == "ready"


def test_a_second_run_changes_nothing(playbook: Playbook) -> None:
    run = playbook("playbooks/monitoring.yml", "monitoring", *VARIABLES)
    assert (run.status, run.changed) == (0, 0), run.printed
    run = playbook("site.yml", "live", *VARIABLES, *TAGS)
    assert (run.status, run.changed) == (0, 0), run.printed


def test_what_is_taken_back_is_stopped(playbook: Playbook, host: Host, prometheus: Prometheus) -> None:
    run = playbook(
        "site.yml",
        "live",
        *VARIABLES,
        *TAGS,
        "-e",
        "observability_exporter=false",
        "-e",
        "observability_ops_agent=false",
    )
    assert run.status == 0, run.printed
    assert not host.service("prometheus-node-exporter").is_running
    # The agent stays, and goes by what is built into it.
    assert host.service("google-cloud-ops-agent").is_running
    assert host.run("ls -A /etc/google-cloud-ops-agent").stdout == ""
    assert "9100" not in host.check_output("nft list table inet ibgw")
    prometheus.until("GatewayNotScraped")
    run = playbook("site.yml", "live", *VARIABLES, *TAGS)
    assert run.status == 0, run.printed

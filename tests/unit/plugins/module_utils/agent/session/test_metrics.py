# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins import exposition
from tests.unit.plugins.session_log import BEGUN, IN, PUSH, TUESDAY, signing_in

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import UntrustedError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, metrics, policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.metrics import METRICS, Sight
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher

ROOT = Path(__file__).parents[6]
ACCOUNTS = ("U1234567", "U7654321")


@pytest.fixture
def watching(control: Any, fake_engine: Any) -> Watcher:
    """The watcher of a live gateway that is signed in, after a look."""
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    made = Watcher(live)
    made.look()
    return made


def sight(watching: Watcher) -> Sight:
    control = watching.control
    record = control.store.load("live")
    return Sight(record, control.gateway, control.plan, watching.outbox, watching.publisher.tally, "", control.now())


def samples(watching: Watcher) -> exposition.Samples:
    return exposition.read(metrics.text(sight(watching)))[1]


def value(watching: Watcher, name: str, **labels: str) -> float:
    return samples(watching)[name][("gateway", "live"), *labels.items()]


def test_the_text_keeps_to_the_format_and_to_the_table(watching: Watcher) -> None:
    types, found = exposition.read(metrics.text(sight(watching)))
    assert len(found) >= 25
    for metric in METRICS:
        if metric.name in found:
            assert types[metric.name] == metric.kind
            assert {labels[0] for labels in found[metric.name]} == {("gateway", "live")}
            expected = {(metric.label, each) for each in metric.values} if metric.label else set()
            assert {pair for labels in found[metric.name] for pair in labels[1:]} <= expected


def test_the_names_keep_to_the_rules_of_prometheus() -> None:
    names = [metric.name for metric in METRICS]
    assert len({*names, metrics.INFO}) == len(names) + 1
    for metric in METRICS:
        assert metric.name.startswith("ibgw_")
        assert (metric.kind == metrics.COUNTER) is metric.name.endswith("_total")
        assert ("timestamp" in metric.name) is metric.name.endswith("_timestamp_seconds")
        assert metric.help.endswith(".")
        assert "\\" not in metric.help
        assert bool(metric.label) is bool(metric.values)
        # A permanent series for each value of each label.
        assert len(metric.values) <= 60


def test_what_a_ready_gateway_shows(watching: Watcher) -> None:
    found = samples(watching)
    assert {labels[1][1]: each for labels, each in found["ibgw_state"].items()} == {
        state: float(state == verdicts.READY) for state in verdicts.GATEWAY_STATES
    }
    assert value(watching, "ibgw_last_look_timestamp_seconds") == TUESDAY
    assert value(watching, "ibgw_api_state", state="ready") == 1
    assert value(watching, "ibgw_farms", status="ok") == 3
    assert value(watching, "ibgw_notices", code="2104") == 1
    assert value(watching, "ibgw_sign_ins_total") == 1
    assert value(watching, "ibgw_accounts") == 2
    assert value(watching, "ibgw_container_running") == 1
    assert value(watching, "ibgw_looks_total") == 1
    assert value(watching, "ibgw_valid_until_timestamp_seconds") > TUESDAY
    assert "ibgw_window_open" not in found
    assert "ibgw_password_changed_timestamp_seconds" not in found


def test_a_gateway_that_is_down_has_no_samples_of_its_api(watching: Watcher, fake_engine: Any) -> None:
    fake_engine.exit(1)
    watching.look()
    found = samples(watching)
    assert not {"ibgw_api_state", "ibgw_probe_duration_seconds", "ibgw_farms", "ibgw_accounts"} & found.keys()
    assert value(watching, "ibgw_container_exit_code") == 1
    assert value(watching, "ibgw_blocks_total", cause="session_lost") == 1


def test_what_a_gateway_says_becomes_no_label_and_no_account_is_told(watching: Watcher) -> None:
    gateway = watching.control.gateway
    gateway.verdict = {
        **(gateway.verdict or {}),
        "api_state": "rejected:4711",
        "notices": [{"code": code, "text": f'"U1234567\n{code}'} for code in range(40_000, 40_050)],
        "timings": {"a step\n": 1.0, "total": 2.0, "connect": float("nan")},
    }
    gateway.summary.gateway_version = '10.45.1"\n} 1 \\'
    text = metrics.text(sight(watching))
    found = exposition.read(text)[1]
    assert not any(account in text for account in ACCOUNTS)
    assert value(watching, "ibgw_notices", code="other") == 50
    assert value(watching, "ibgw_api_state", state="rejected") == 1
    assert {labels[1] for labels in found["ibgw_probe_duration_seconds"]} == {("step", "total")}
    (notices,) = (metric for metric in METRICS if metric.name == "ibgw_notices")
    assert len(found["ibgw_notices"]) == len(notices.values)


def test_counts_of_alerts_and_of_certificates(watching: Watcher) -> None:
    outbox, tally = watching.outbox, watching.publisher.tally
    outbox.put(alerts.Alert("k", "live", "", "info", "t", "", "", time.time()))
    outbox.flush([{"kind": "webhook", "url": "http://127.0.0.1:1/x"}], 5)
    for name, at in (("a.crt", 30.0), ("b.crt", 20.0), ("c.crl", 40.0), ("d.crt", None)):
        tally.certificate(name, at)
    assert value(watching, "ibgw_alerts_waiting") == 1
    assert value(watching, "ibgw_alerts_failed_total") == 1
    assert value(watching, "ibgw_certificate_end_timestamp_seconds", kind="certificate") == 20
    assert value(watching, "ibgw_certificate_end_timestamp_seconds", kind="revocation_list") == 40


def test_what_cannot_be_read_is_left_out(watching: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_path: object) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", gone)
    assert "ibgw_disk_free_bytes" not in samples(watching)


def test_the_causes_are_those_of_the_policy() -> None:
    (blocks,) = (each for each in METRICS if each.name == "ibgw_blocks_total")
    assert {*blocks.values} == {*policy.CAUSES, metrics.OTHER}


# The file


def test_the_file_is_replaced_whole_and_can_be_read_by_everybody(tmp_path: Path) -> None:
    metrics.write(str(tmp_path), "paper", "a\n")
    first = (tmp_path / "ibgw_paper.prom").stat()
    metrics.write(str(tmp_path), "paper", "b\n")
    file = tmp_path / "ibgw_paper.prom"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("b\n", 0o644)
    assert file.stat().st_ino != first.st_ino
    assert [each.name for each in tmp_path.iterdir()] == ["ibgw_paper.prom"]


def test_without_its_directory_nothing_is_written(tmp_path: Path) -> None:
    metrics.write(str(tmp_path / "none"), "paper", "a\n")
    assert not (tmp_path / "none").exists()


def test_a_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UntrustedError):
        metrics.write(str(tmp_path), "paper", "a\n")
    assert not [*tmp_path.iterdir()]


def test_the_parent_may_be_another_users(tmp_path: Path) -> None:
    """Debian's node-exporter has its directory, which is root's, in one of user prometheus."""
    place = tmp_path / "prometheus" / "node-exporter"
    place.mkdir(parents=True)
    os.chown(place.parent, 65534, 65534)
    metrics.write(str(place), "paper", "a\n")
    assert (place / "ibgw_paper.prom").read_text() == "a\n"


@pytest.mark.parametrize("swapped", ["node-exporter", "prometheus"])
def test_no_link_of_another_user_is_followed(tmp_path: Path, swapped: str) -> None:
    place, elsewhere = tmp_path / "prometheus" / "node-exporter", tmp_path / "elsewhere"
    (elsewhere / "node-exporter").mkdir(parents=True)
    place.mkdir(parents=True)
    os.chown(place.parent, 65534, 65534)
    at = place if swapped == "node-exporter" else place.parent
    at.rename(tmp_path / "old")
    at.symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        metrics.write(str(place), "paper", "a\n")
    assert not [*elsewhere.rglob("*.prom")]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.write(str(tmp_path), "paper", "a\n")

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        metrics.write(str(tmp_path), "paper", "b\n")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("ibgw_paper.prom", "a\n")]


def test_a_look_pays_little_for_it(watching: Watcher, tmp_path: Path) -> None:
    seen, costs = sight(watching), []
    for _each in range(50):
        begun = time.thread_time()
        metrics.write(str(tmp_path), "live", metrics.text(seen))
        costs.append(time.thread_time() - begun)
    assert min(costs) <= 0.002


# Prometheus' own word


@pytest.mark.programs
def test_promtool_has_nothing_against_them(watching: Watcher, promtool: str) -> None:
    text = metrics.text(sight(watching))
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

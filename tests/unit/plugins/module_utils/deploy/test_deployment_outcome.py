# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traces of a deployment: events, networks, files, grants, and the report."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from tests.unit.plugins.deployments import MONDAY, Host, events, looked_at

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    EngineError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    store,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import NETWORK_LABEL
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError, since_boot
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import deployment
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment
from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user


def test_a_new_container_says_what_it_replaces_and_is_in_its_networks(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[tuple[str, str]] = []
    asked: list[str] = []

    def networks(label: str) -> list[str]:
        asked.append(label)
        return ["n1", "n2"]

    monkeypatch.setattr(host.engine, "networks", networks)
    monkeypatch.setattr(host.engine, "connect", lambda network, name: connected.append((network, name)), raising=False)
    host.run(host.order(revision="r1", config="one"))
    labels = host.engine.all["ibgw-paper"]["request"]["Labels"]
    assert (labels["ibops.gateway.revision"], labels["ibops.gateway.replaces"]) == ("r1", "down")
    assert labels["ibops.gateway.name"] == "paper"
    host.run(host.order())
    assert host.engine.all["ibgw-paper"]["request"]["Labels"]["ibops.gateway.replaces"] == "running"
    assert connected == [("n1", "ibgw-paper.new"), ("n2", "ibgw-paper.new")] * 2
    assert set(asked) == {f"{NETWORK_LABEL}=paper"}
    assert events(host, "paper") == ["start", "stop", "start"]


def test_a_network_that_is_gone_costs_no_container(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_network: str, _name: str) -> None:
        raise EngineError("no such network")

    host.run(host.order(revision="r1", config="one"))
    monkeypatch.setattr(host.engine, "networks", lambda _label: ["n1"])
    monkeypatch.setattr(host.engine, "connect", refuses, raising=False)
    with pytest.raises(EngineError, match="no such network"):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == "r1"


@pytest.mark.parametrize(("start", "waits"), [("always", True), ("if_running", False), ("never", False)])
def test_one_that_is_as_it_should_be_is_proven_where_it_should_run(host: Host, start: str, waits: bool) -> None:
    host.run(host.order())
    host.engine.calls.clear()
    host.ready = lambda: False
    if waits:
        with pytest.raises(SessionError, match="is not ready"):
            host.run(host.order(start=start))
    else:
        assert host.run(host.order(start=start)).step == "none"
    # That it is not well is not this run's doing: nothing is undone.
    assert (host.engine.calls, host.engine.running()) == ([], ["ibgw-paper"])


def test_a_file_that_differs_is_a_change_without_a_container(host: Host) -> None:
    host.run(host.order())
    (host.root / "etc/paper/ibc/config.ini.tmpl").write_text("other")
    done = host.run(host.order())
    assert (done.step, done.changed, bool(done.diff)) == ("none", True, True)
    assert host.text("etc/paper/ibc/config.ini.tmpl") == "two"


@pytest.mark.parametrize(("needs", "kept"), [("push", True), ("image", False)])
def test_who_waits_for_a_push_keeps_the_lease_and_who_waits_for_an_image_does_not(
    host: Host, needs: str, kept: bool
) -> None:
    if needs == "image":
        host.engine.images.clear()
    order = host.order("live", "live")
    assert GatewayDeployment(order, host.control(order)).run(False).needs == needs
    try:
        with host.control(order, "Bob").acting("another"):
            assert not kept
    except BusyError:
        assert kept
    lease = host.root / "var/live/session/lease.json"
    if kept:
        left = json.loads(lease.read_text())["expires"] - since_boot()
        assert left == pytest.approx(deployment.PUSH_SECONDS, abs=20)
        assert left <= deployment.PUSH_SECONDS == 30
    assert host.engine.calls == (looked_at("ibgw-live") if kept else [])


@pytest.mark.parametrize("jts", ["", "[Logon]\nTimeZone=two\n"])
@pytest.mark.parametrize(
    ("status", "revision", "start", "step"),
    [
        ("", "", "always", "make"),
        ("", "", "if_running", "make"),
        ("exited", "r2", "always", "start"),
        ("running", "r1", "never", "replace"),
    ],
)
def test_jts_ini_is_held_where_there_are_keys(
    host: Host, status: str, revision: str, start: str, step: str, jts: str
) -> None:
    if status:
        host.engine.made("ibgw-paper", revision, status)
    order = host.order(start=start)
    done = host.run(replace(order, parameters={**order.parameters, "jts": jts}))
    assert done.step == step
    path = host.root / "var/paper/tws_settings/jts.ini"
    assert (path.read_text() if path.exists() else "") == jts


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("mode", "step"), [("paper", "replace"), ("live", "pending")])
def test_jts_ini_of_one_that_runs_is_the_gateways_own(host: Host, mode: str, step: str, check: bool) -> None:
    """It writes the file again when it ends."""
    host.run(host.order(mode, mode, revision="r1", config="one"))
    path = host.root / f"var/{mode}/tws_settings/jts.ini"
    at_sign_off: list[str] = []
    host.signs_off = lambda: at_sign_off.append(path.read_text())
    done = host.run(host.order(mode, mode), check)
    assert done.step == step
    assert not [each for each in done.diff if "jts.ini" in str(each)]
    acts = step == "replace" and not check
    assert at_sign_off == (["[Logon]\nTimeZone=one\n"] if acts else [])
    assert path.read_text() == f"[Logon]\nTimeZone={'two' if acts else 'one'}\n"


FILES = ("ibc/config.ini.tmpl", "jts.keys", "password", "gateway.json")


@pytest.mark.parametrize("fault", ["stop ibgw-paper", "start ibgw-paper"])
def test_all_files_that_a_container_is_started_with_are_put_back(host: Host, fault: str) -> None:
    host.run(host.order(revision="r1", config="one"))
    before = {file: host.text(f"etc/paper/{file}") for file in FILES}
    host.engine.refused = {fault: "refused by the engine"}
    with pytest.raises((SessionError, EngineError)):
        host.run(host.order())
    assert {file: host.text(f"etc/paper/{file}") for file in FILES} == before


def test_a_password_on_disk_goes_with_the_container_that_read_it(host: Host) -> None:
    host.run(host.order(revision="r1"))
    before = host.root / "etc/paper/secrets/tws_password"
    before.parent.mkdir()
    before.write_text("secret")
    host.run(host.order(revision="r1"))
    assert before.exists()
    host.run(host.order())
    assert not before.parent.exists()


def test_the_place_of_the_password_is_there_before_the_container(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int, list[str]]] = []
    monkeypatch.setattr(password, "make_place", lambda name, group: made.append((name, group, list(host.engine.all))))
    host.run(host.order(start="never"))
    assert made == [("paper", os.getuid(), [])]


def test_the_containers_uid_is_reserved_before_anything_is_touched(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, bool]] = []

    def reserve(uid: int, check: bool) -> list[dict[str, str]]:
        asked.append((uid, check))
        return [{"after": "an account"}]

    monkeypatch.setattr(container_user, "reserve", reserve)
    assert host.run(host.order(), check=True).diff[0] == {"after": "an account"}
    assert host.run(host.order()).diff[0] == {"after": "an account"}
    assert asked == [(os.getuid(), True), (os.getuid(), True), (os.getuid(), False)]

    def taken(_uid: int, _check: bool) -> list[dict[str, str]]:
        raise container_user.TakenError("uid 1000 is somebody's")

    monkeypatch.setattr(container_user, "reserve", taken)
    host.engine.calls.clear()
    with pytest.raises(Refused, match=r"uid 1000 is somebody's\. Nothing was touched"):
        host.run(host.order(revision="r3"))
    assert host.engine.calls == []


def test_files_that_were_not_there_are_gone_again(host: Host) -> None:
    """As after a deployment by a release that did not keep the keys of jts.ini."""
    host.run(host.order(revision="r1", config="one"))
    keys, jts = host.root / "etc/paper/jts.keys", host.root / "var/paper/tws_settings/jts.ini"
    keys.unlink()
    host.ready = lambda: False
    with pytest.raises(SessionError, match="is back"):
        host.run(host.order())
    assert not keys.exists()
    assert jts.read_text() == "[Logon]\nTimeZone=two\n"


def test_the_saved_text_of_a_file_that_was_not_there_is_empty(host: Host) -> None:
    assert deployment.Backup([f"{host.root}/none"]).text(f"{host.root}/none") == ""


@pytest.mark.parametrize(("mode", "kind"), [("live", store.SIGN_IN), ("paper", None)])
def test_a_start_is_granted_to_whoever_deploys(host: Host, mode: str, kind: str | None) -> None:
    grants: list[store.Grant | None] = []

    def ready() -> bool:
        grants.append(store.Store(mode).load(mode).grant)
        return True

    host.ready = ready
    host.run(host.order(mode, mode))
    assert [each and (each.kind, each.by, each.started_at) for each in grants] == [kind and (kind, "Ann", MONDAY)]


def test_what_is_not_started_is_looked_at_for_the_report(host: Host) -> None:
    order = host.order(start="never")
    control = host.control(order)
    assert GatewayDeployment(order, control).run(False).step == "make"
    assert control.gateway.container
    assert control.gateway.container["status"] == "created"


def test_the_report_of_check_mode_asks_no_api(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.engine.made("ibgw-paper", "r2")
    order = host.order()
    control = host.control(order)
    monkeypatch.setattr(control.gateway, "ask", lambda *_seconds: pytest.fail("a report of check mode asks no API"))
    assert GatewayDeployment(order, control).facts(check=True)["container"]["status"] == "running"


def test_others_are_told_that_a_deployment_is_under_way(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    order, told = host.order(), []

    def ready() -> bool:
        with pytest.raises(BusyError) as busy, host.control(order, "Bob").store.lease.held("Bob", "x"):
            pass
        told.append(str(busy.value))
        return True

    host.ready = ready
    host.run(order)
    assert "a deployment by Ann" in told[0]


def test_an_order_asks_for_nothing_that_it_does_not_say(host: Host) -> None:
    order = host.order()
    assert (order.start, order.now, order.recreate, order.asked, order.change_mode) == (
        "always", False, False, True, False,
    )  # fmt: skip
    assert (order.ready_seconds, order.stop_seconds) == (180.0, 90.0)
    done = deployment.Done("none", False, False, [])
    assert (deployment.Decision("none").why, done.needs, done.image) == ("", "", None)

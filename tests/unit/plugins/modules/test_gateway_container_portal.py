# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client Portal Gateway is guarded, replaced and put back as an IB Gateway is."""

from __future__ import annotations

import base64
import functools
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from sandbox.client_portal import standin
from tests.unit.plugins.deployments import IMAGE, Host, Killed, events

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import store
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import portal
from ansible_collections.ibops.gateway.plugins.modules import gateway_container

pytestmark = pytest.mark.thorough

USER, PASSWORD, KEYSTORE = "annabel77", "Tr0ub4dor&3", b"\xfe\xed\xfe\xed\x00\r\n\x80"
STACK = {"ibops.gateway.stack": "client_portal"}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, monkeypatch)
    monkeypatch.setattr(place, "ROOT", str(tmp_path / "etc"))
    for name, folder in (("CONFIG_DIR", "etc"), ("STATE_DIR", "var")):
        monkeypatch.setattr(gateway_container, name, str(tmp_path / folder))
    monkeypatch.setattr(gateway_container, "Engine", lambda: host.engine)
    monkeypatch.setattr(host.engine, "cpus", lambda: 2, raising=False)
    actor = functools.partial(portal.PortalActor, engine=host.engine)
    monkeypatch.setattr(portal, "PortalActor", actor)
    return host


@pytest.fixture
def run(host: Host, run_module: Any, portal_port: int) -> Run:
    """Run the module for gateway web, the stand-in; settings of the container are given as ``container``."""

    def call(*, check: bool = False, mode: str = "paper", **changes: Any) -> dict[str, Any]:
        settings = {
            "image": IMAGE, "uid": os.getuid(), "environment": {"IBEAM_ACCOUNT": "/run/secrets/ibkr_user"},
            "mounts": [], "port": portal_port, "container_port": 5000, "memory": "2g", "cpus": 0, "pids_limit": 1000,
            "shm_size": "512m", "stop_grace": 30, "log_max_size": "10m", "log_max_files": 5,
            **changes.pop("container", {}),
        }  # fmt: skip
        own = {"conf": 'sslPwd: "k3y"\n', "keystore": "", "ca": "", **changes.pop("portal", {})}
        given = {
            "gateway_name": "web", "user": USER, "password": PASSWORD, "container": settings, "portal": own,
            "descriptor": {"host": "127.0.0.1", "port": portal_port, "mode": mode, "accounts": [], "image": IMAGE},
            "ready_timeout": 0.1, "stop_timeout": 30, "settled": ["push"], "lease_owner": "Ann", **changes,
        }  # fmt: skip
        found: dict[str, Any] = run_module(gateway_container.main, check=check, **given)
        return found

    return call


def written(host: Host) -> dict[str, tuple[bytes, int]]:
    """Its files, with the modes."""
    folder = host.root / "etc"
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file()
    }


def made(host: Host, status: str = "running", mode: str = "paper", name: str = "ibgw-web", **labels: str) -> None:
    host.engine.made(name, "r0", status, mode, **STACK, **labels)


def test_check_do_repeat(host: Host, run: Run) -> None:
    foreseen = run(check=True)
    assert (foreseen["changed"], foreseen["step"], foreseen["starts"], foreseen["deployed"]) == (
        True, "make", True, False,
    )  # fmt: skip
    assert (written(host), host.engine.calls) == ({}, [])
    done = run()
    assert (done["changed"], done["step"], done["starts"], done["state"]) == (True, "make", True, "ready")
    found = written(host)
    assert {path: mode for path, (_text, mode) in found.items()} == {
        "web/secrets/ibkr_user": 0o440,
        "web/secrets/ibkr_password": 0o440,
        "web/inputs/conf.yaml": 0o440,
        "web/client_portal.json": 0o600,
    }
    described = json.loads(found["web/client_portal.json"][0])
    assert (described["name"], described["mode"], described["ca_path"]) == ("web", "paper", None)
    request = host.engine.all["ibgw-web"]["request"]
    assert request["Labels"]["ibops.gateway.revision"] == described["revision"]
    assert request["Labels"].items() >= {**STACK, "ibops.gateway.mode": "paper", "ibops.gateway.name": "web"}.items()
    assert (request["HostConfig"]["Memory"], request["HostConfig"]["ShmSize"]) == (2 << 30, 512 << 20)
    again = run()
    assert (again["changed"], again["step"], again["diff"], again["pending"]) == (False, "none", [], False)
    assert not [each for each in (PASSWORD, USER, "k3y") if each in json.dumps([foreseen, done, again])]


def test_its_own_certificate_is_written_byte_by_byte(host: Host, run: Run) -> None:
    run(portal={"keystore": base64.b64encode(KEYSTORE).decode(), "ca": "the CA\n"})
    found = written(host)
    assert (found["web/inputs/cacert.jks"], found["web/inputs/cacert.pem"]) == ((KEYSTORE, 0o440), (b"the CA\n", 0o440))


@pytest.mark.parametrize(
    "change",
    [
        {"user": "other"},
        {"password": "other"},
        {"portal": {"conf": "other"}},
        {"container": {"memory": "3g"}},
        {"container": {"environment": {"X": "1"}}},
        {"portal": {"keystore": base64.b64encode(KEYSTORE).decode(), "ca": "the CA\n"}},
    ],
)
def test_the_revision_is_that_of_everything(host: Host, run: Run, change: dict[str, Any]) -> None:
    run()
    assert (run(check=True, **change)["step"], run(check=True)["step"]) == ("replace", "none")


@pytest.mark.parametrize(
    ("variable", "change"),
    [
        ("client_portal_memory", {"memory": 2048}),
        ("client_portal_memory", {"memory": "2 GiB"}),
        ("client_portal_shm_size", {"shm_size": "much"}),
        ("client_portal_pids_limit", {"pids_limit": 1}),
        ("client_portal_stop_grace", {"stop_grace": 0}),
        ("client_portal_environment.X", {"environment": {"X": 1}}),
        ("gateway_log_max_size", {"log_max_size": "ten"}),
        ("gateway_port", {"port": 0}),
    ],
)
def test_no_bad_setting_costs_the_running_gateway(host: Host, run: Run, variable: str, change: dict[str, Any]) -> None:
    run()
    before = (written(host), list(host.engine.calls))
    for check in (True, False):
        result = run(check=check, container=change)
        assert (result["failed"], f"- {variable}" in result["msg"]) == (True, True), result["msg"]
    assert (written(host), host.engine.calls, host.engine.running()) == (*before, ["ibgw-web"])


def listens(host: Host, port: int) -> None:
    host.listeners[port] = "nginx (process 12)"


def has_the_user(host: Host, _port: int) -> None:
    host.engine.made("someones", "r0")
    host.engine.all["someones"]["request"]["Env"] = [f"TWS_USERID={USER}"]


def is_an_ib_gateway(host: Host, _port: int) -> None:
    (host.root / "etc/web").mkdir(parents=True)
    (host.root / "etc/web/gateway.json").write_text("{}")


# The state of the host, the settings, and the beginning of the refusal.
REFUSED: dict[str, tuple[Callable[[Host, int], object], dict[str, Any], str]] = {
    "a running one of the other mode": (lambda host, _: made(host, mode="live"), {}, "gateway_mode: paper"),
    "one of the other mode that is down": (lambda host, _: made(host, "exited", "live"), {}, "gateway_mode: paper"),
    "no limit": (lambda host, _: made(host, "exited", "live"), {"mode": "live"}, "gateway web is a live gateway"),
    "no limit, at once": (
        lambda host, _: made(host, mode="live"),
        {"mode": "live", "apply": "now"},
        "gateway web is a live gateway",
    ),
    "docker pause": (lambda host, _: made(host, "paused"), {}, "container ibgw-web is frozen"),
    "a port that somebody has": (listens, {}, "gateway_port: on "),
    "a user that somebody has": (has_the_user, {}, f"gateway_user: {USER}"),
    "the name of an IB Gateway": (is_an_ib_gateway, {}, "gateway_name: web is an IB Gateway"),
    "the name of an IB Gateway's container": (
        lambda host, _: host.engine.made("ibgw-web", "r0"),
        {},
        "gateway_name: container ibgw-web",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_before_anything_is_touched(host: Host, run: Run, portal_port: int, what: str) -> None:
    prepare, wanted, begin = REFUSED[what]
    prepare(host, portal_port)
    before = ({name: found["status"] for name, found in host.engine.all.items()}, written(host))
    for check in (True, False):
        if check and what.startswith("no limit"):
            continue
        result = run(check=check, **wanted)
        assert (result["failed"], result["msg"].startswith(begin)) == (True, True), result["msg"]
    assert ({name: found["status"] for name, found in host.engine.all.items()}, written(host)) == before
    assert host.engine.calls == []


def test_a_mode_is_changed_when_it_is_down_and_the_operator_says_so(host: Host, run: Run) -> None:
    made(host, "exited", "live")
    assert run(change_mode=True)["step"] == "make"
    assert host.engine.running() == ["ibgw-web"]


def test_an_earlier_descriptor_tells_the_mode(host: Host, run: Run) -> None:
    run(start="if_running")
    host.engine.all.clear()
    assert run(mode="live", names_live=True)["msg"].startswith("gateway_mode: live")


def test_another_run_is_told_who_is_at_it(host: Host, run: Run) -> None:
    with store.Store("web").lease.held("Bob", "a removal"):
        assert "a removal by Bob" in run()["msg"]
    assert (host.engine.calls, written(host)) == ([], {})


def test_a_missing_image_is_asked_for_before_anything_is_touched(host: Host, run: Run) -> None:
    host.engine.images.clear()
    found = run()
    assert (found["needs"], host.engine.calls, written(host)) == ("image", [], {})


def test_the_new_one_is_made_before_the_old_one_is_stopped(host: Host, run: Run) -> None:
    run()
    host.engine.calls.clear()
    assert run(portal={"conf": "two"})["step"] == "replace"
    assert host.engine.calls == [
        "create ibgw-web.new",
        "stop ibgw-web",
        "rename ibgw-web ibgw-web.old",
        "rename ibgw-web.new ibgw-web",
        "start ibgw-web",
        "remove ibgw-web.old",
    ]
    assert events(host, "web") == ["start", "stop", "start"]


@pytest.mark.parametrize("refused", ["create", "stop"])
def test_what_only_the_engine_knows_costs_it_neither(host: Host, run: Run, refused: str) -> None:
    run()
    before = written(host)
    host.engine.refused = {refused: "no"}
    assert run(portal={"conf": "two"})["failed"]
    assert (written(host), list(host.engine.all), host.engine.running()) == (before, ["ibgw-web"], ["ibgw-web"])


@pytest.mark.parametrize(("mode", "running"), [("paper", ["ibgw-web"]), ("live", [])])
def test_the_old_one_is_put_back_with_its_files(
    host: Host, run: Run, portal_state: standin.State, mode: str, running: list[str]
) -> None:
    portal_state.account = "U1234567" if mode == "live" else "DU1234567"
    wanted: dict[str, Any] = {"mode": mode, "names_live": True, "apply": "now"}
    assert run(**wanted)["state"] == "ready"
    before, revision = written(host), host.engine.revision("ibgw-web")
    portal_state.faults = {"unauthenticated"}
    result = run(**wanted, portal={"conf": "two"})
    assert "The container before is back" in result["msg"]
    assert (written(host), host.engine.revision("ibgw-web")) == (before, revision)
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-web"], running)
    assert events(host, "web")[-2:] == ["stop", "put_back"]


def test_a_first_one_that_does_not_become_ready_is_stopped(host: Host, run: Run, portal_state: standin.State) -> None:
    portal_state.faults = {"unauthenticated"}
    assert "is not ready" in run()["msg"]
    assert host.engine.running() == []


@pytest.mark.parametrize(("fault", "stays"), [("competing", True), ("link_lost", True), ("unauthenticated", False)])
def test_a_push_that_was_approved_is_not_wasted(
    host: Host, run: Run, portal_state: standin.State, fault: str, stays: bool
) -> None:
    portal_state.account, portal_state.faults = "U1234567", {fault}
    assert run(mode="live", names_live=True)["failed"]
    assert host.engine.running() == ["ibgw-web"] * stays


def test_a_live_one_waits_and_its_push_is_announced(host: Host, run: Run, portal_state: standin.State) -> None:
    portal_state.account = "U1234567"
    wanted: dict[str, Any] = {"mode": "live", "names_live": True}
    assert run(**wanted, settled=[])["needs"] == "push"
    assert host.engine.calls == []
    run(**wanted)
    host.engine.calls.clear()
    waits = run(**wanted, portal={"conf": "two"})
    assert (waits["step"], waits["pending"], host.engine.calls) == ("pending", True, [])
    assert written(host)["web/inputs/conf.yaml"][0] == b"two"
    assert run(**wanted, portal={"conf": "two"}, apply="now")["step"] == "replace"


def test_a_killed_run_is_gone_on_with(host: Host, run: Run) -> None:
    run()
    for at in range(6):
        host.engine.calls.clear()
        host.engine.kill_at = at
        with pytest.raises(Killed):
            run(portal={"conf": f"new {at}"})
        there = [name for name in host.engine.running() if name in neighbours.own_names("ibgw-web")]
        assert len(there) <= 1
        host.engine.kill_at = None
        run(portal={"conf": f"new {at}"})
        assert (list(host.engine.all), host.engine.running()) == (["ibgw-web"], ["ibgw-web"])
        assert written(host)["web/inputs/conf.yaml"][0] == f"new {at}".encode()


def test_without_a_websocket_it_is_ready_where_it_is_told_so(host: Host, run: Run, portal_state: standin.State) -> None:
    portal_state.faults = {"websocket_unauthenticated"}
    assert run(portal={"websocket": False})["state"] == "ready"
    assert run()["failed"]

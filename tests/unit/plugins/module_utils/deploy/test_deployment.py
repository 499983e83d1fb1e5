# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.made_images import MadeImage

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    Engine,
    EngineError,
    NotFoundError,
    Stream,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import control as control_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    descriptor,
    lifecycle,
    policy,
    store,
    week,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import Descriptor
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import NETWORK_LABEL
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError, since_boot
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import Outcome, SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import deployment
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.deployment import Deployment, Found, Order
from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user

IMAGE = "image@sha256:1"
MONDAY = 1795000000.0


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Containers(Engine):
    """An engine in memory: its containers by name; it refuses as Docker does, and ends the process at a given call."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.images = {IMAGE}
        self.made_image = MadeImage(os.getuid())
        self.refused: dict[str, str] = {}
        self.kill_at: int | None = None
        self._ids = itertools.count()

    def act(self, call: str) -> None:
        """Note what changes something; the process may be killed just before it."""
        if self.kill_at == len(self.calls):
            raise Killed
        self.calls.append(call)
        for begin, reason in self.refused.items():
            if call.startswith(begin):
                raise EngineError(reason)

    def made(self, name: str, revision: str, status: str = "running", mode: str = "paper", **labels: str) -> None:
        request = request_of(name.removeprefix("ibgw-").partition(".")[0], mode)
        request["Labels"] |= {"ibops.gateway.revision": revision, **labels}
        self.all[name] = {"Id": next(self._ids), "request": request, "status": status}

    def inspect(self, container: str) -> dict[str, Any]:
        if container not in self.all:
            raise NotFoundError(f"no {container}")
        found = self.all[container]
        request = found["request"]
        stamp = "2026-11-20T09:00:00Z" if found["status"] != "created" else "0001-01-01T00:00:00Z"
        return {
            "Id": str(found["Id"]),
            "Name": f"/{container}",
            "State": {
                "Status": found["status"],
                "ExitCode": 0,
                "StartedAt": stamp,
                "FinishedAt": "0001-01-01T00:00:00Z",
            },
            "Config": {"Image": request["Image"], "Labels": request.get("Labels"), "Env": request.get("Env")},
            "HostConfig": request["HostConfig"],
            "NetworkSettings": {"Networks": {"bridge": {}}},
        }

    def containers(self) -> list[dict[str, Any]]:
        return [self.inspect(name) for name in self.all]

    def image(self, image: str) -> dict[str, Any]:
        if image not in self.images:
            raise NotFoundError(f"no {image}")
        return self.made_image.inspect()

    def platform(self) -> str:
        return "linux/amd64"

    def path_stat(self, container: str, path: str) -> dict[str, Any] | None:
        assert self.all[container]["status"] == "created", "an image's files are looked at, and it is never run"
        return self.made_image.stat(path)

    def archive(self, container: str, path: str, most: int) -> bytes:
        return self.made_image.archive(path)

    def networks(self, label: str) -> list[str]:
        return []

    def last_line(self, container: str) -> bytes:
        return b""

    @contextlib.contextmanager
    def follow(self, container: str, tail: int) -> Iterator[Stream]:
        stream: Stream = queue.Queue()
        stream.put(None)
        yield stream

    def create(self, name: str, request: dict[str, Any]) -> None:
        self.act(f"create {name}")
        assert name not in self.all
        request = {**request, "Labels": {**(self.made_image.config["Labels"] or {}), **request.get("Labels", {})}}
        self.all[name] = {"Id": next(self._ids), "request": request, "status": "created"}

    def rename(self, container: str, name: str) -> None:
        self.act(f"rename {container} {name}")
        assert name not in self.all
        self.all[name] = self.all.pop(container)

    def remove(self, container: str) -> None:
        if container not in self.all:
            raise NotFoundError(f"no {container}")
        self.act(f"remove {container}")
        assert self.all[container]["status"] not in neighbours.THERE, "Docker refuses this"
        del self.all[container]

    def start(self, container: str) -> None:
        self.act(f"start {container}")
        self.all[container]["status"] = "running"

    def stop(self, container: str, grace: int, timeout: float = 0.0) -> None:
        self.act(f"stop {container}")
        self.all[container]["status"] = "exited"

    def kill(self, container: str) -> None:
        self.stop(container, 0)

    def execute(self, container: str, command: list[str], timeout: float, most: int = 0) -> tuple[int, str]:
        self.act(f"execute {command[0]}")
        return 0, ""

    def running(self) -> list[str]:
        return [name for name, found in self.all.items() if found["status"] == "running"]

    def revision(self, name: str) -> str:
        return str(self.all[name]["request"]["Labels"]["ibops.gateway.revision"])


def request_of(name: str, mode: str, user: str = "bob", port: int = 4001) -> dict[str, Any]:
    return {
        "Image": IMAGE,
        "Env": [f"TWS_USERID={user}", f"TRADING_MODE={mode}"],
        "Labels": {"ibops.gateway.name": name, "ibops.gateway.mode": mode},
        "HostConfig": {"PortBindings": {"4003/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}},
    }


class Host:
    """A host with an engine, on which orders are carried out."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.engine = root, Containers()
        self.ready: Callable[[], bool] = lambda: True
        self.listeners: dict[int, str] = {}
        self.waits: list[tuple[Any, ...]] = []
        self.stops: list[tuple[Any, ...]] = []
        self.signs_off: Callable[[], object] = lambda: None
        monkeypatch.setattr(descriptor, "ROOT", str(root / "etc"))
        monkeypatch.setattr(store, "ROOT", str(root / "var"))
        monkeypatch.setattr(deployment, "wait_for", self.waited)
        monkeypatch.setattr(control_module, "wait_for", self.waited)
        monkeypatch.setattr(control_module, "PATIENCE", 0.0)
        monkeypatch.setattr(neighbours, "listening", lambda port: self.listeners.get(port, ""))
        monkeypatch.setattr(lifecycle, "stop", self.sign_off)

    def waited(self, *arguments: Any, **_more: Any) -> bool:
        self.waits.append(arguments)
        return self.ready()

    def sign_off(self, gateway: Any, engine: Any, timeout: float, check: bool) -> Outcome:
        self.stops.append((gateway.deployed(), engine, timeout, check))
        self.signs_off()
        outcome, name = Outcome(), gateway.deployed().container
        if gateway.seen()["running"]:
            engine.stop(name, 0)
            outcome.did("IBC STOP")
        return outcome

    def order(
        self, name: str = "paper", mode: str = "paper", revision: str = "r2", config: str = "two", **more: Any
    ) -> Order:
        content: dict[str, Any] = {
            "name": name, "mode": mode, "container": f"ibgw-{name}", "image": IMAGE, "host": "127.0.0.1", "port": 4001,
            "client_id": 917, "accounts": [], "command_port": 7462,
            "settings_dir": str(self.root / "var" / name / "tws_settings"), "revision": revision,
        }  # fmt: skip
        parameters = {
            "gateway_name": name, "config_dir": str(self.root / "etc"), "state_dir": str(self.root / "var"),
            "uid": os.getuid(), "password": config if mode == "paper" else None,
            "keeps_password": mode == "paper", "config": config, "jts": f"[Logon]\nTimeZone={config}\n",
            "jts_keys": f"[Logon]\nTimeZone={config}\n", "descriptor": content,
        }  # fmt: skip
        request = request_of(name, mode)
        return Order(Descriptor(**content), "bob", request, parameters, **more)

    def control(self, order: Order, owner: str = "Ann") -> Control:
        return Control(order.descriptor, Plan(), "the operator", self.engine, lambda: MONDAY, owner, password="secret")

    def run(self, order: Order, check: bool = False, owner: str = "Ann") -> deployment.Done:
        return Deployment(order, self.control(order, owner), ("push",)).run(check)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


# What to do

THERE, SAME = Found(there=True, revision="r1"), Found(there=True, revision="r2")
DOWN, DOWN_SAME = Found(revision="r1"), Found(revision="r2")


@pytest.mark.parametrize(
    ("mode", "found", "wanted", "step", "makes", "starts"),
    [
        ("paper", Found(), {}, "make", True, True),
        ("paper", Found(), {"start": "if_running"}, "make", True, False),
        ("paper", SAME, {}, "none", False, False),
        ("paper", SAME, {"recreate": True}, "replace", True, True),
        ("paper", THERE, {}, "replace", True, True),
        ("paper", THERE, {"start": "if_running"}, "replace", True, True),
        ("paper", THERE, {"start": "never"}, "replace", True, False),
        ("paper", DOWN, {}, "make", True, True),
        ("paper", DOWN, {"start": "if_running"}, "make", True, False),
        ("paper", DOWN_SAME, {}, "start", False, True),
        ("paper", DOWN_SAME, {"start": "if_running"}, "none", False, False),
        ("paper", DOWN_SAME, {"recreate": True}, "make", True, True),
        ("paper", replace(DOWN, was_running=True), {"start": "if_running"}, "make", True, True),
        ("paper", replace(DOWN_SAME, was_running=True), {"start": "if_running"}, "start", False, True),
        ("paper", replace(DOWN, was_running=True), {"start": "never"}, "make", True, False),
        ("paper", replace(SAME, unproven=True), {}, "prove", False, False),
        ("paper", replace(THERE, unproven=True), {}, "replace", True, True),
        ("paper", replace(SAME, frozen=True), {}, "none", False, False),
        ("paper", replace(THERE, frozen=True), {}, "refuse", False, False),
        ("live", Found(), {}, "make", True, True),
        ("live", SAME, {}, "none", False, False),
        ("live", THERE, {}, "pending", False, False),
        ("live", SAME, {"recreate": True}, "pending", False, False),
        ("live", THERE, {"start": "never"}, "pending", False, False),
        ("live", THERE, {"now": True}, "replace", True, True),
        ("live", THERE, {"now": True, "start": "never"}, "replace", True, False),
        ("live", replace(THERE, frozen=True), {}, "pending", False, False),
        ("live", replace(THERE, frozen=True), {"now": True}, "refuse", False, False),
        ("live", DOWN, {}, "make", True, True),
        ("live", DOWN_SAME, {}, "start", False, True),
        ("live", replace(DOWN, was_running=True), {"start": "if_running"}, "make", True, False),
        ("live", replace(DOWN_SAME, kept=True), {}, "resume", False, True),
        ("live", replace(DOWN, kept=True), {}, "resume", True, True),
        ("live", replace(DOWN, kept=True), {"start": "never"}, "make", True, False),
        ("live", replace(DOWN_SAME, kept=True), {"start": "never"}, "none", False, False),
        *[
            ("live", found, {"asked": False, **wanted}, "refuse", False, False)
            for found in (Found(), THERE, DOWN, DOWN_SAME, replace(DOWN_SAME, kept=True), replace(SAME, unproven=True))
            for wanted in ({}, {"now": True}, {"recreate": True})
        ],
        ("live", SAME, {"asked": False}, "none", False, False),
    ],
)
def test_the_decision(
    host: Host, mode: str, found: Found, wanted: dict[str, Any], step: str, makes: bool, starts: bool
) -> None:
    decision = deployment.decide(found, host.order(mode, mode, **wanted))
    assert (decision.step, decision.makes, decision.starts) == (step, makes, starts)
    assert bool(re.match(f"(gateway |container ibgw-){mode} is", decision.why)) is (step == "refuse")


# What is done


def looked_at(container: str) -> list[str]:
    """The calls by which an image is looked at."""
    return [f"create {container}.image", f"remove {container}.image"]


REPLACED = [
    *looked_at("ibgw-paper"),
    "create ibgw-paper.new",
    "stop ibgw-paper",
    "rename ibgw-paper ibgw-paper.old",
    "rename ibgw-paper.new ibgw-paper",
    "start ibgw-paper",
    "remove ibgw-paper.old",
]


def test_the_new_one_is_accepted_before_the_old_one_is_signed_off(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.calls.clear()
    done = host.run(host.order())
    assert (done.step, done.starts, done.changed) == ("replace", True, True)
    assert host.engine.calls == REPLACED
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.text("var/paper/tws_settings/jts.ini") == "[Logon]\nTimeZone=two\n"
    again = host.run(host.order())
    assert (again.step, again.changed, again.diff) == ("none", False, [])
    assert host.engine.calls == REPLACED


def test_check_mode_tells_the_same_and_touches_nothing(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.calls.clear()
    done = host.run(host.order(), check=True)
    assert (done.step, done.changed, bool(done.diff)) == ("replace", True, True)
    assert host.engine.calls == []
    assert host.text("etc/paper/ibc/config.ini.tmpl") == "one"


@pytest.mark.parametrize("refused", ["create ibgw-paper.new", "stop ibgw-paper"])
def test_what_is_refused_before_it_is_down_leaves_it_as_it_was(host: Host, refused: str) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.refused = {refused: "refused by the engine"}
    with pytest.raises(EngineError, match="refused by the engine"):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == "r1"
    assert host.text("etc/paper/ibc/config.ini.tmpl") == "one"
    assert '"r1"' in host.text("etc/paper/gateway.json")


@pytest.mark.parametrize(("mode", "running"), [("paper", True), ("live", False)])
@pytest.mark.parametrize("fault", ["ready", "start", "set aside", "accept"])
def test_the_old_one_is_put_back_with_its_files(
    host: Host, monkeypatch: pytest.MonkeyPatch, mode: str, running: bool, fault: str
) -> None:
    name = f"ibgw-{mode}"
    host.run(host.order(mode, mode, revision="r1", config="one"))
    if fault == "ready":
        host.ready = lambda: False
    else:
        calls = {"start": f"start {name}", "set aside": f"rename {name} {name}.old", "accept": f"rename {name}.new"}
        host.engine.refused = {calls[fault]: "refused"}
        host.engine.kill_at = None
    with pytest.raises((SessionError, EngineError)):
        host.run(host.order(mode, mode, now=True))
    host.engine.refused = {}
    if fault == "start" and mode == "paper":
        # Neither of them can be started.
        running = False
    assert host.engine.running() == ([name] if running else [])
    assert host.engine.revision(name) == "r1"
    assert list(host.engine.all) == [name]
    assert host.text(f"etc/{mode}/ibc/config.ini.tmpl") == "one"
    assert host.text(f"var/{mode}/tws_settings/jts.ini") == "[Logon]\nTimeZone=one\n"


def test_what_was_down_is_down_again(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "exited")
    host.ready = lambda: False
    with pytest.raises(SessionError, match=r"not ready but .* Next step: .* The container before is back, and down\.$"):
        host.run(host.order())
    assert (host.engine.revision("ibgw-paper"), host.engine.running()) == ("r1", [])


def test_a_first_one_that_does_not_become_ready_is_stopped(host: Host) -> None:
    host.ready = lambda: False
    with pytest.raises(SessionError, match="The gateway is down"):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], [])


def test_an_image_and_a_push_are_seen_to_before_anything_is_touched(host: Host) -> None:
    host.engine.images.clear()
    host.ready = lambda: pytest.fail("there is nothing to wait for")
    assert host.run(host.order()).needs == "image"
    host.engine.images.add(IMAGE)
    order = host.order("live", "live")
    assert Deployment(order, host.control(order)).run(False).needs == "push"
    assert host.engine.calls == looked_at("ibgw-live")
    # Until it goes on, it has the lease.
    with pytest.raises(BusyError, match="Ann"):
        host.run(order, owner="Bob")
    host.ready = lambda: True
    host.run(order)
    assert host.engine.running() == ["ibgw-live"]


def test_a_replacement_that_nobody_starts_leaves_one_container_down(host: Host) -> None:
    host.engine.made("ibgw-live", "r1", "running", "live")
    done = host.run(host.order("live", "live", now=True, start="never"))
    assert (done.step, list(host.engine.all), host.engine.running()) == ("replace", ["ibgw-live"], [])
    assert host.engine.revision("ibgw-live") == "r2"


# Runs that are cut


@pytest.mark.parametrize("revision", ["r2", "r3"])
@pytest.mark.parametrize("cut", range(len(REPLACED)))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(host: Host, cut: int, revision: str) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.calls.clear()
    host.engine.kill_at = cut
    with pytest.raises(Killed):
        host.run(host.order(start="if_running"))
    host.engine.kill_at = None
    # A gateway that ran is not left down because it was about to be replaced.
    host.run(host.order(start="if_running", revision=revision))
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == revision
    assert host.run(host.order(start="if_running", revision=revision)).changed is False


@pytest.mark.parametrize("names", [each for n in range(4) for each in itertools.combinations(("", ".new", ".old"), n)])
@pytest.mark.parametrize("status", ["running", "exited"])
@pytest.mark.parametrize("revision", ["r1", "r2"])
def test_whatever_is_left_behind_one_container_runs_in_the_end(
    host: Host, names: tuple[str, ...], status: str, revision: str
) -> None:
    for name in names:
        host.engine.made(f"ibgw-paper{name}", "r1", status if name == "" else "exited")
    host.run(host.order(revision=revision))
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == revision


def test_what_runs_and_was_never_proven_falls_back_to_what_was(host: Host) -> None:
    host.engine.made("ibgw-paper.old", "r1", "exited")
    host.engine.made("ibgw-paper", "r2", "running")
    host.ready = lambda: False
    with pytest.raises(SessionError):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.revision("ibgw-paper")) == (["ibgw-paper"], "r1")


def test_a_frozen_container_is_there(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "paused")
    with pytest.raises(Refused, match="docker unpause ibgw-paper"):
        host.run(host.order())
    assert host.engine.calls == []


# The guard


def paused(host: Host) -> None:
    """A live gateway that was PAUSEd, as a maintenance that was killed leaves it."""
    host.engine.made("ibgw-live", "r2", "exited", "live")
    token = host.root / "var/live/tws_settings/abc"
    token.mkdir(parents=True)
    (token / "autorestart").touch()
    with host.control(host.order("live", "live")).acting("a test") as record:
        record.stopped_by, record.signed_in_at = policy.PAUSE, MONDAY - 3600.0


STATES: dict[str, Callable[[Host], object]] = {
    "running": lambda host: host.engine.made("ibgw-live", "r1", "running", "live"),
    "frozen": lambda host: host.engine.made("ibgw-live", "r1", "paused", "live"),
    "down": lambda host: host.engine.made("ibgw-live", "r1", "exited", "live"),
    "down, unchanged": lambda host: host.engine.made("ibgw-live", "r2", "exited", "live"),
    "cut": lambda host: host.engine.made("ibgw-live.old", "r1", "exited", "live"),
    "paused": paused,
    "new": lambda host: None,
}
WAYS: dict[str, dict[str, Any]] = {
    "no limit": {"name": "live", "mode": "live", "asked": False},
    "no limit, at once": {"name": "live", "mode": "live", "asked": False, "now": True},
    "no limit, anew": {"name": "live", "mode": "live", "asked": False, "recreate": True, "now": True},
    "as paper": {"name": "live", "mode": "paper"},
    "as paper, anew": {"name": "live", "mode": "paper", "recreate": True, "now": True},
    "another name": {"name": "live2", "mode": "live"},
    "another name, at once": {"name": "live2", "mode": "live", "now": True},
    "another name, as paper": {"name": "live2", "mode": "paper"},
}


@pytest.mark.parametrize(
    ("state", "way"), [(state, way) for state in STATES for way in WAYS if state != "new" or way.startswith("no limit")]
)
def test_no_way_past_the_guard(host: Host, state: str, way: str) -> None:
    STATES[state](host)
    before = {name: found["status"] for name, found in host.engine.all.items()}
    for check in (True, False):
        with pytest.raises(Refused, match="Nothing was touched"):
            host.run(host.order(**WAYS[way]), check)
    assert host.engine.calls == []
    assert {name: found["status"] for name, found in host.engine.all.items()} == before
    assert not (host.root / "etc").exists()


def test_another_run_is_told_who_is_at_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{Control.__module__}.PATIENCE", 0.0)
    order = host.order("live", "live")
    with host.control(order, "Ann").acting("a sign-in"), pytest.raises(BusyError, match="a sign-in by Ann"):
        host.run(order, owner="Bob")
    assert host.engine.calls == []


def test_a_program_that_holds_the_port_is_named(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "exited")
    host.listeners[4001] = "nginx (process 12)"
    with pytest.raises(Refused, match=r"gateway_port: on 4001 of this host nginx \(process 12\) listens"):
        host.run(host.order())
    assert host.engine.calls == []


def test_its_own_port_is_no_fault(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1")
    host.listeners[4001] = "docker-proxy (process 12)"
    assert host.run(host.order()).step == "replace"


def test_a_mode_is_changed_when_it_is_down_and_the_operator_says_so(host: Host) -> None:
    host.engine.made("ibgw-live", "r1", "exited", "live")
    host.run(host.order("live", "paper", change_mode=True))
    assert host.engine.running() == ["ibgw-live"]


def test_a_week_that_is_over_takes_no_sign_in_and_loses_no_container(host: Host) -> None:
    host.engine.made("ibgw-live", "r1", "running", "live")
    order = host.order("live", "live", now=True)
    saturday_night = datetime(2026, 11, 28, 23, 45, tzinfo=week.NEW_YORK).timestamp()
    control = Control(order.descriptor, Plan(), "the operator", host.engine, lambda: saturday_night, "Ann")
    with pytest.raises(Refused, match="Sunday"):
        Deployment(order, control, ("push",)).run(False)
    assert host.engine.calls == []


# A kept sign-in


def test_a_killed_maintenance_is_resumed_and_no_push_is_asked_for(host: Host) -> None:
    paused(host)
    host.engine.all["ibgw-live"]["request"]["Labels"]["ibops.gateway.revision"] = "r1"
    order = host.order("live", "live")
    done = Deployment(order, host.control(order)).run(False)
    assert (done.step, done.needs) == ("resume", "")
    assert host.engine.revision("ibgw-live") == "r2"
    record = store.Store("live").load("live")
    assert (record.stopped_by, record.grant, record.blocked) == ("", None, None)


# What is found


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ({}, Found()),
        ({"": "running"}, Found(True, False, "r")),
        ({"": "restarting"}, Found(True, False, "r")),
        ({"": "paused"}, Found(True, True, "r")),
        ({"": "exited"}, Found(False, False, "r")),
        ({"": "exited", ".new": "created, running"}, Found(False, False, "r", was_running=True)),
        ({"": "exited", ".new": "created, down"}, Found(False, False, "r")),
        ({"": "running", ".new": "created, running"}, Found(True, False, "r")),
        # Between two renames the old one is what there is.
        ({".old": "exited", ".new": "created, running"}, Found(False, False, "r.old", was_running=True)),
        ({".old": "exited"}, Found(False, False, "r.old")),
        # Whoever started it needs it.
        ({".old": "running"}, Found(True, False, "r.old", unproven=True)),
        # The new one has its name and was not started, or runs and is not proven.
        ({"": "created, running", ".old": "exited"}, Found(False, False, "r.old", was_running=True)),
        ({"": "exited, down", ".old": "exited"}, Found(False, False, "r.old")),
        ({"": "running, running", ".old": "exited"}, Found(True, False, "r", unproven=True)),
        # What a label tells counts after a cut only.
        ({"": "exited, running"}, Found(False, False, "r")),
    ],
)
def test_what_is_found(host: Host, containers: dict[str, str], expected: Found) -> None:
    for end, told in containers.items():
        status, _comma, replaces = told.partition(", ")
        labels = {"ibops.gateway.replaces": replaces} if replaces else {}
        host.engine.made(f"ibgw-paper{end}", f"r{end}", status, **labels)
    order = host.order()
    made = Deployment(order, host.control(order))
    found = made.found(store.Record("paper", "paper"), neighbours.around(host.engine))
    assert found == expected


def test_a_kept_sign_in_counts_while_the_live_gateway_is_down(host: Host) -> None:
    paused(host)
    order = host.order("live", "live")
    record = store.Store("live").load("live")

    def kept(mode: str) -> bool:
        order = host.order("live", mode)
        made = Deployment(order, host.control(order))
        return made.found(record, neighbours.around(host.engine)).kept

    assert (kept("live"), kept("paper")) == (True, False)
    host.engine.start(order.descriptor.container)
    assert kept("live") is False


# What is refused


def test_a_container_of_somebody_else_with_its_name_is_left_alone(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "exited")
    host.engine.all["ibgw-paper"]["request"]["Labels"] = None
    with pytest.raises(Refused, match="gateway_name"):
        host.run(host.order())
    assert host.engine.calls == []


@pytest.mark.parametrize(("change", "refused"), [(False, True), (True, False)])
def test_the_mode_of_the_descriptor_counts_where_there_is_no_container(host: Host, change: bool, refused: bool) -> None:
    host.run(host.order("live", "live"))
    host.engine.all.clear()
    with (
        pytest.raises(Refused, match="gateway_mode: paper is wanted for gateway live, ")
        if refused
        else contextlib.nullcontext()
    ):
        host.run(host.order("live", "paper", change_mode=change))


def test_a_damaged_descriptor_is_written_anew(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    path = host.root / "etc/paper/gateway.json"
    path.write_text("{")
    host.run(host.order())
    assert json.loads(path.read_text())["revision"] == "r2"


def test_a_port_that_another_container_publishes_is_refused(host: Host) -> None:
    host.engine.all["web"] = {
        "Id": "web",
        "request": {**request_of("web", "", user="alice"), "Labels": {}},
        "status": "running",
    }
    with pytest.raises(Refused, match=r"gateway_port: 4001 .* container web"):
        host.run(host.order())


def test_what_needs_nothing_is_not_refused_for_its_neighbours(host: Host) -> None:
    host.engine.made("ibgw-paper", "r2")
    host.engine.made("ibgw-paper2", "r2")
    assert host.run(host.order()).step == "none"
    host.engine.made("ibgw-paper.old", "r1", "exited")
    assert host.run(host.order()).step == "prove"
    with pytest.raises(Refused, match="gateway_user: bob of gateway paper is the user of container ibgw-paper2 "):
        host.run(host.order(revision="r3"))


@pytest.mark.parametrize(("port", "refused"), [(4001, False), (4009, True)])
def test_a_port_is_its_own_while_its_container_runs_on_it(host: Host, port: int, refused: bool) -> None:
    host.engine.made("ibgw-paper", "r1")
    host.listeners[port] = "somebody (process 12)"
    order = host.order()
    order = replace(order, descriptor=replace(order.descriptor, port=port))
    if refused:
        with pytest.raises(Refused, match="gateway_port: on 4009"):
            host.run(order)
        assert host.engine.calls == []
    else:
        assert host.run(order).step == "replace"


@pytest.mark.parametrize(
    ("state", "mode", "more", "refused"),
    [
        ("down", "live", {}, True),
        ("down", "live", {"start": "never"}, False),
        ("running", "live", {"now": True}, True),
        ("running", "live", {}, False),
        ("paused", "live", {}, False),
        ("new", "paper", {}, False),
    ],
)
def test_in_the_closed_week_only_a_sign_in_is_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: str, mode: str, more: dict[str, Any], refused: bool
) -> None:
    STATES[state](host)
    order = host.order("live", mode, **more)
    saturday = datetime(2026, 11, 21, 23, 45, tzinfo=week.NEW_YORK).timestamp()
    with host.control(order).acting("a test") as record:
        record.signed_in_at = saturday - 3600 if state == "paused" else record.signed_in_at
    control = Control(order.descriptor, Plan(), "the operator", host.engine, lambda: saturday, "Ann")
    with pytest.raises(Refused, match="Sunday") if refused else contextlib.nullcontext():
        Deployment(order, control, ("push",)).run(True)


def test_check_mode_waits_for_nobody(host: Host) -> None:
    with host.control(host.order(), "Bob").acting("a test"):
        assert host.run(host.order(), check=True).step == "make"


# What a run leaves


def events(host: Host, name: str) -> list[str]:
    return [each["event"] for each in store.Store(name).history()]


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
    assert Deployment(order, host.control(order)).run(False).needs == needs
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
    """It writes the file anew when it ends."""
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


class Judged:
    """What the session's rules say of a start, and what the engine is asked then."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, step: policy.Step | None) -> None:
        self.looks = 0

        def waits(*_arguments: Any, tell: Callable[[], None] = lambda: None, **_more: Any) -> bool:
            tell()
            self.looks += 1
            return True

        monkeypatch.setattr(deployment, "wait_for", waits)
        self.asked: list[tuple[store.Record, policy.Seen, Plan, float]] = []

        def decide(record: store.Record, look: policy.Seen, plan: Plan, now: float) -> policy.Step | None:
            self.asked.append((record, look, plan, now))
            return step

        monkeypatch.setattr(policy, "decide", decide)
        self.observed: list[bool] = []
        observe = policy.observe

        def observes(record: store.Record, look: policy.Seen, plan: Plan, now: float) -> None:
            self.observed.append(look.asked)
            observe(record, look, plan, now)

        monkeypatch.setattr(policy, "observe", observes)


@pytest.mark.parametrize("action", ["kill", "stop"])
@pytest.mark.parametrize("cause", ["sign_in_asked", None])
def test_a_rule_of_the_session_ends_a_start(
    host: Host, monkeypatch: pytest.MonkeyPatch, action: str, cause: str | None
) -> None:
    killed: list[str] = []

    def kill(name: str) -> None:
        killed.append(name)
        host.engine.stop(name, 0)

    monkeypatch.setattr(host.engine, "kill", kill)
    Judged(host, monkeypatch, policy.Step(action, "a reason", cause))
    with pytest.raises(SessionError, match=r"not ready but .* Next step: .* The gateway is down\.$"):
        host.run(host.order("live", "live"))
    assert killed == (["ibgw-live"] if action == "kill" else [])
    assert host.engine.running() == []
    record = store.Store("live").load("live")
    assert (record.blocked, record.stopped_by, record.grant) == (cause, "the operator", None)
    blocked = [each for each in store.Store("live").history() if each["event"] == "blocked"]
    assert [(each["text"], each["cause"]) for each in blocked] == ([("a reason", cause)] if cause else [])


@pytest.mark.parametrize("step", [None, policy.Step("restart", "hung"), policy.Step("blocked", "x", "session_lost")])
def test_what_is_no_end_of_a_session_ends_no_start(
    host: Host, monkeypatch: pytest.MonkeyPatch, step: policy.Step | None
) -> None:
    judged = Judged(host, monkeypatch, step)
    host.run(host.order("live", "live"))
    assert (judged.looks, host.engine.running()) == (1, ["ibgw-live"])
    assert judged.observed == [False]
    [(record, look, plan, now)] = judged.asked
    assert (record.gateway, record.checked_at, look.asked, plan, now) == ("live", MONDAY, False, Plan(), MONDAY)
    assert events(host, "live") == ["start"]


@pytest.mark.parametrize(("state", "kept"), [("degraded", True), ("starting", False), ("blocked", False)])
@pytest.mark.parametrize("phase", ["configured", "signed_in", "waiting_2fa"])
def test_an_approved_push_is_not_thrown_away_for_what_is_behind_the_api(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: str, kept: bool, phase: str
) -> None:
    host.engine.made("ibgw-live", "r1", "exited", "live")
    host.ready = lambda: False
    order = host.order("live", "live")
    control = host.control(order)
    control.gateway.summary.phase = phase
    judgement = replace(control.gateway.judgement(), state=state)
    monkeypatch.setattr(control.gateway, "judgement", lambda: judgement)
    kept = kept and phase != "waiting_2fa"
    put_back = "" if kept else " The container before is back, and down."
    with pytest.raises(SessionError, match=f"is not ready but {state}: .*{re.escape(judgement.next_step + put_back)}$"):
        Deployment(order, control, ("push",)).run(False)
    assert list(host.engine.all) == ["ibgw-live"]
    assert host.engine.revision("ibgw-live") == ("r2" if kept else "r1")
    assert host.engine.running() == (["ibgw-live"] if kept else [])
    assert ("put_back" in events(host, "live")) is not kept


def test_what_is_put_back_runs_with_what_let_it_run(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    grant = store.Grant(store.MANUAL, "Bob", MONDAY, MONDAY + 600)
    with host.control(host.order()).acting("a test") as record:
        record.grant = grant
    host.ready = lambda: False
    with pytest.raises(SessionError, match="is back, and starting"):
        host.run(host.order())
    record = store.Store("paper").load("paper")
    assert (record.grant, record.stopped_by, host.engine.running()) == (grant, "", ["ibgw-paper"])
    assert events(host, "paper") == ["start", "stop", "start", "stop", "put_back"]


def test_what_runs_and_is_not_proven_is_judged_by_its_record_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.engine.made("ibgw-paper.old", "r1", "exited")
    host.engine.made("ibgw-paper", "r2", "running")
    judged = Judged(host, monkeypatch, None)
    assert host.run(host.order()).step == "prove"
    assert [each[0].gateway for each in judged.asked] == ["paper"]
    assert list(host.engine.all) == ["ibgw-paper"]


@pytest.mark.parametrize("step", ["none", "make", "prove", "resume"])
def test_how_long_it_may_take_to_be_ready(host: Host, step: str) -> None:
    mode = "live" if step == "resume" else "paper"
    order = host.order(mode, mode, ready_seconds=33.0)
    if step == "resume":
        paused(host)
    elif step != "make":
        host.engine.made("ibgw-paper", "r2", "running")
    if step == "prove":
        host.engine.made("ibgw-paper.old", "r1", "exited")
    control = host.control(order)
    assert Deployment(order, control).run(False).step == step
    assert host.waits == [(control.gateway, "ready", 33.0)]


def test_how_a_replacement_that_fails_is_stopped(host: Host) -> None:
    host.run(host.order(revision="r1", config="one", stop_seconds=11.0))
    host.stops.clear()
    host.ready = lambda: False
    with pytest.raises(SessionError):
        host.run(host.order(stop_seconds=22.0))
    # The old one with the settings that it was deployed with; the new one with its own.
    assert [(found.revision, *rest) for found, *rest in host.stops] == [
        ("r1", host.engine, 22.0, False),
        ("r2", host.engine, 22.0, False),
    ]
    noted = [(each["event"], each["text"], each["at"]) for each in store.Store("paper").history()]
    assert noted == [
        ("start", "started by the operator", MONDAY),
        ("stop", "stopped by the operator (IBC STOP)", MONDAY),
        ("start", "started by the operator", MONDAY),
        ("stop", "stopped by the operator (IBC STOP)", MONDAY),
        ("put_back", "the container before is put back by the operator", MONDAY),
    ]


def test_an_engine_that_does_not_stop_the_replacement_keeps_nobody_from_putting_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(host.order(revision="r1", config="one"))

    def fails() -> bool:
        host.engine.all["ibgw-paper"]["status"] = "exited"
        monkeypatch.setattr(lifecycle, "stop", refuses)
        return False

    def refuses(*_arguments: Any, **_more: Any) -> Outcome:
        raise EngineError("the engine does not answer")

    host.ready = fails
    with pytest.raises(SessionError, match="is back, and starting"):
        host.run(host.order())
    assert (host.engine.revision("ibgw-paper"), host.engine.running()) == ("r1", ["ibgw-paper"])


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


@pytest.mark.parametrize(("mode", "kind"), [("live", store.SIGN_IN), ("paper", None)])
def test_a_start_is_granted_to_whoever_deploys(host: Host, mode: str, kind: str | None) -> None:
    grants: list[store.Grant | None] = []

    def ready() -> bool:
        grants.append(store.Store(mode).load(mode).grant)
        return True

    host.ready = ready
    host.run(host.order(mode, mode))
    assert [each and (each.kind, each.by, each.started_at) for each in grants] == [
        kind and (kind, "the operator", MONDAY)
    ]


def test_what_is_not_started_is_looked_at_for_the_report(host: Host) -> None:
    order = host.order(start="never")
    control = host.control(order)
    assert Deployment(order, control).run(False).step == "make"
    assert control.gateway.container
    assert control.gateway.container["status"] == "created"


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
    assert (deployment.Decision("none").why, deployment.Done("none", False, False, []).needs) == ("", "")


# The image is asked before it is trusted


def test_a_container_that_is_left_of_a_look_is_removed_by_the_next_run(host: Host) -> None:
    host.run(host.order())
    host.engine.create("ibgw-paper.image", {"Image": IMAGE, "HostConfig": {}})
    assert host.run(host.order()).step == "none"
    assert list(host.engine.all) == ["ibgw-paper"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("mode", "now"), [("paper", False), ("live", False), ("live", True)])
def test_an_image_that_is_refused_leaves_the_running_gateway_as_it_was(
    host: Host, mode: str, now: bool, check: bool
) -> None:
    name = f"ibgw-{mode}"
    host.run(host.order(mode, mode, revision="r1", config="one"))
    before = {
        path: path.read_bytes() for path in host.root.rglob("*") if path.is_file() and "session" not in path.parts
    }
    host.engine.made_image.config["User"] = "root"
    host.engine.calls.clear()
    with pytest.raises(
        Refused, match=r"gateway_image: image@sha256:1 is not what it must be \(user: .*Nothing was touched"
    ):
        host.run(host.order(mode, mode, now=now), check=check)
    assert (list(host.engine.all), host.engine.running()) == ([name], [name])
    assert host.engine.revision(name) == "r1"
    assert set(host.engine.calls) <= set(looked_at(name))
    assert before == {
        path: path.read_bytes() for path in host.root.rglob("*") if path.is_file() and "session" not in path.parts
    }
    assert host.stops == []


def test_what_the_operator_accepts_is_taken(host: Host) -> None:
    host.engine.made_image.config["User"] = "root"
    done = host.run(host.order(accept=("user",)))
    assert (done.step, host.engine.running()) == ("make", ["ibgw-paper"])
    assert done.image is not None
    assert ("user", False) in [(each.id, each.refused) for each in done.image.differences]


DAY = datetime(2026, 12, 15, tzinfo=week.NEW_YORK).timestamp()


@pytest.mark.parametrize(
    ("status", "revision", "start", "now", "refused"),
    [
        # Before the day it is told, and on the day refused before anything is stopped.
        ("running", "r1", "always", DAY - 1, False),
        ("running", "r1", "always", DAY, True),
        ("exited", "r1", "if_running", DAY, True),
        # A container that is there is not started in vain, and one that runs is left alone.
        ("exited", "r2", "always", DAY - 1, False),
        ("exited", "r2", "always", DAY, True),
        ("exited", "r2", "if_running", DAY, False),
        # Made for the sign-in that follows, or left for it.
        ("exited", "r1", "never", DAY, True),
        ("exited", "r2", "never", DAY, True),
        ("exited", "r2", "never", DAY - 1, False),
        ("running", "r2", "never", DAY, False),
        ("running", "r2", "always", DAY, False),
    ],
)
def test_a_release_that_ibkr_does_not_accept_is_refused_before_anything_is_stopped(
    host: Host, status: str, revision: str, start: str, now: float, refused: bool
) -> None:
    host.engine.made_image = MadeImage(os.getuid(), "10.45.1j")
    host.engine.made("ibgw-paper", revision, status)
    order = host.order(start=start)
    control = Control(order.descriptor, Plan(), "the operator", host.engine, lambda: now, "Ann")
    if refused:
        with pytest.raises(
            Refused, match=r"release_not_accepted: release 10\.45\.1j has not been accepted by IBKR since"
        ):
            Deployment(order, control).run(False)
        assert set(host.engine.calls) <= set(looked_at("ibgw-paper"))
        assert host.engine.all["ibgw-paper"]["status"] == status
    else:
        done = Deployment(order, control).run(False)
        assert done.image is not None
        assert [each.id for each in done.image.differences][:1] == [
            "release_ends" if now < DAY else "release_not_accepted"
        ]


def test_a_container_that_is_there_is_started_though_the_role_would_not_make_it_of_such_an_image(host: Host) -> None:
    host.engine.made("ibgw-paper", "r2", "exited")
    host.engine.made_image.config["User"] = "root"
    assert host.run(host.order()).step == "start"


# The controller is read off the image


def ibg_order(host: Host, mode: str = "paper", **more: Any) -> Order:
    order = host.order(mode=mode, **more)
    request = {**order.request, "Env": [*order.request["Env"], "USE_IBG_CONTROLLER=yes"]}
    return replace(order, request=request, descriptor=replace(order.descriptor, controller="ibg-controller"))


def test_the_controller_is_that_of_the_image(host: Host) -> None:
    assert deployment.controller_of(host.engine, "paper", IMAGE) == "ibc"
    host.engine.made_image.have_ibg_controller()
    assert deployment.controller_of(host.engine, "paper", IMAGE) == "ibg-controller"


def test_of_an_image_that_is_not_here_it_is_what_is_deployed(host: Host) -> None:
    assert deployment.controller_of(host.engine, "paper", "another") == "ibc"
    order = host.order()
    described = {**order.parameters["descriptor"], "controller": "ibg-controller"}
    host.run(replace(order, parameters={**order.parameters, "descriptor": described}))
    assert deployment.controller_of(host.engine, "paper", "another") == "ibg-controller"


def test_a_running_live_gateway_does_not_change_its_controller_at_its_next_sign_in(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", mode="live")
    host.engine.made_image.have_ibg_controller()
    order = ibg_order(host, "live", accept=("live_costs",))
    for check in (True, False):
        with pytest.raises(Refused, match=r"runs with IBC, and image@sha256:1 has ibg-controller\. Stop it"):
            host.run(order, check)
    assert host.engine.calls == []
    assert not (host.root / "etc" / "paper").exists()
    # At once, by who has the phone at hand; and while it is down.
    assert host.run(replace(order, now=True)).step == "replace"


def test_the_same_controller_waits_for_the_next_sign_in(host: Host) -> None:
    host.engine.made_image.have_ibg_controller()
    host.engine.create("ibgw-paper", ibg_order(host, "live").request)
    host.engine.all["ibgw-paper"]["status"] = "running"
    assert host.run(ibg_order(host, "live", accept=("live_costs",))).step == "pending"


def test_a_paper_gateway_changes_its_controller_as_any_image(host: Host) -> None:
    host.run(host.order(revision="r1"))
    host.engine.made_image.have_ibg_controller()
    done = host.run(ibg_order(host))
    assert (done.step, done.starts) == ("replace", True)
    assert controllers.controller_of(host.engine.inspect("ibgw-paper")["Config"]) == "ibg-controller"


def test_on_live_ibg_controller_has_to_be_accepted(host: Host) -> None:
    host.engine.made_image.have_ibg_controller()
    with pytest.raises(Refused, match=r"live_costs: ibg-controller does not keep on live: .*Nothing was touched"):
        host.run(ibg_order(host, "live"))
    assert host.run(ibg_order(host, "live", accept=("live_costs",))).step == "make"

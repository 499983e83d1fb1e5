# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with an engine on which deployments are tried."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.made_images import MadeImage

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    Engine,
    EngineError,
    NotFoundError,
    Stream,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    acting,
    descriptor,
    lifecycle,
    policy,
    store,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import control as control_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import Descriptor
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import Outcome
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import deployment
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import gateway as gateway_deployment
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.deployment import Order
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment

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
        monkeypatch.setattr(gateway_deployment, "wait_for", self.waited)
        monkeypatch.setattr(control_module, "wait_for", self.waited)
        monkeypatch.setattr(acting, "PATIENCE", 0.0)
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
        return GatewayDeployment(order, self.control(order, owner), ("push",)).run(check)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


def looked_at(container: str) -> list[str]:
    """The calls by which an image is looked at."""
    return [f"create {container}.image", f"remove {container}.image"]


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


def events(host: Host, name: str) -> list[str]:
    return [each["event"] for each in store.Store(name).history()]

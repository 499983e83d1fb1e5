# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.plugins import exposition
from tests.unit.plugins.session_log import BEGUN, IN, PUSH, signing_in

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import endpoint, metrics
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.endpoint import Answer, Endpoint
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher


@pytest.fixture
def served() -> Iterator[Endpoint]:
    made = Endpoint("127.0.0.1", 0, {"/health": lambda: Answer(200, "well")})
    assert made.open() == ""
    yield made
    made.close()


def get(port: int, path: str, method: str = "GET") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path)
    reply = connection.getresponse()
    return reply.status, reply.read().decode(), str(reply.getheader("Content-Type"))


@pytest.mark.parametrize(
    ("path", "method", "status", "content"),
    [
        ("/health", "GET", 200, "well"),
        ("/health?x=1", "GET", 200, "well"),
        ("/health", "HEAD", 200, ""),
        ("/other", "GET", 404, "there are /health\n"),
        ("/../etc/passwd", "GET", 404, "there are /health\n"),
        ("/health", "POST", 405, "GET only\n"),
    ],
)
def test_what_it_answers(served: Endpoint, path: str, method: str, status: int, content: str) -> None:
    assert get(served.port, path, method)[:2] == (status, content)


def test_whoever_says_nothing_is_hung_up_on_and_delays_nobody(
    served: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "SECONDS", 0.3)
    quiet = socket.create_connection(("127.0.0.1", served.port))
    assert get(served.port, "/health")[0] == 200
    quiet.settimeout(5)
    begun = time.monotonic()
    assert quiet.recv(100) == b""
    assert time.monotonic() - begun < 1


def test_one_that_drips_has_one_deadline_for_all_of_it(served: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "SECONDS", 0.3)
    dripping = socket.create_connection(("127.0.0.1", served.port))
    begun = time.monotonic()

    def drip() -> None:
        while time.monotonic() - begun < 5:
            dripping.sendall(b"G")
            time.sleep(0.05)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        drip()
    assert time.monotonic() - begun < 1


def test_a_request_has_a_limit(served: Endpoint) -> None:
    loud = socket.create_connection(("127.0.0.1", served.port))
    loud.sendall(b"GET /health HTTP/1.1\r\n" + b"A" * endpoint.REQUEST_BYTES)
    loud.settimeout(5)
    assert loud.recv(100).startswith(b"HTTP/1.1 400 ")


def test_of_too_many_the_last_are_hung_up_on(served: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "SECONDS", 1.0)
    many = [socket.create_connection(("127.0.0.1", served.port)) for _each in range(endpoint.MOST_AT_ONCE)]
    time.sleep(0.2)
    one_more = socket.create_connection(("127.0.0.1", served.port))
    one_more.settimeout(0.5)
    assert one_more.recv(100) == b""
    for each in many:
        each.settimeout(5)
        assert each.recv(100) == b""
    assert get(served.port, "/health")[0] == 200


def test_a_port_that_is_taken_is_named_and_tried_again(served: Endpoint) -> None:
    second = Endpoint("127.0.0.1", served.port, {})
    assert second.open() == f"127.0.0.1 port {served.port} cannot be listened on: Address already in use"
    served.close()
    assert second.open() == ""
    second.close()


# Of a watcher


@pytest.fixture
def watching(control: Any, fake_engine: Any) -> Iterator[Watcher]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    live = control(http_port=port, host="gw1")
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    made = Watcher(live)
    made.look()
    yield made
    made.publisher.close()


Get = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def asking(watching: Watcher) -> Get:
    return lambda path: get(watching.control.plan.http_port, path)


def test_a_ready_gateway(watching: Watcher, asking: Get) -> None:
    status, content, kind = asking("/metrics")
    assert (status, kind) == (200, metrics.CONTENT_TYPE)
    assert exposition.read(content)[0]["ibgw_state"] == "gauge"
    status, content, kind = asking("/health")
    shown = json.loads(content)
    assert (status, kind, shown["ok"], shown["state"], shown["fault"]) == (200, "application/json", True, "ready", "")
    assert asking("/ready")[:2] == (200, '{"ready": true, "state": "ready"}\n')
    assert "U1234567" not in content


def test_a_gateway_that_is_gone(watching: Watcher, asking: Get, fake_engine: Any) -> None:
    fake_engine.exit(1)
    watching.look()
    status, content, _kind = asking("/health")
    shown = json.loads(content)
    assert (status, shown["blocked"], shown["next_step"][-7:]) == (503, "session_lost", " -l gw1")
    assert asking("/ready")[0] == 503


def test_a_watcher_that_hangs_is_told_by_the_clock(watching: Watcher, asking: Get) -> None:
    now = watching.control.now()
    watching.control.now = lambda: now + 300
    status, content, _kind = asking("/health")
    assert (status, json.loads(content)["fault"]) == (503, "the last look is 160 s overdue")
    assert asking("/ready")[0] == 503


def test_its_end_frees_the_port(watching: Watcher) -> None:
    watching.run(rounds=0)
    with socket.create_server(("127.0.0.1", watching.control.plan.http_port)):
        pass


def test_what_cannot_be_published_is_told_once_and_costs_no_look(control: Any, tmp_path: Any) -> None:
    (tmp_path / "metrics").mkdir(mode=0o777)
    (tmp_path / "metrics").chmod(0o777)
    live = control(metrics_directory=str(tmp_path / "metrics"))
    watching = Watcher(live)
    watching.look()
    watching.look()
    (tmp_path / "metrics").chmod(0o755)
    watching.look()
    told = [(each["event"], each["text"]) for each in live.store.history() if "publish" in each["event"]]
    assert [event for event, _text in told] == ["publish_failed", "published"]
    assert "others may write" in told[0][1]
    assert (tmp_path / "metrics" / "ibgw_live.prom").exists()

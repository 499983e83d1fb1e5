# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import threading
import time
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import channel
from ansible_collections.ibops.gateway.plugins.module_utils.gateway import engine as engine_module
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.engine import (
    Engine,
    EngineError,
    LateError,
    NotFoundError,
)


def test_inspect(fake_engine: Any) -> None:
    assert Engine().inspect("ibgw-paper")["State"]["Status"] == "running"
    assert fake_engine.calls == ["GET /containers/ibgw-paper/json"]


def test_a_container_that_is_unknown(fake_engine: Any) -> None:
    fake_engine.exists = False
    with pytest.raises(NotFoundError, match="cannot inspect container x: No such container: x"):
        Engine().inspect("x")


def test_image_present(fake_engine: Any) -> None:
    assert Engine().image_present("image@sha256:1")
    assert not Engine().image_present("host:5000/other@sha256:2")


def test_networks_of_a_label(fake_engine: Any) -> None:
    fake_engine.networks = {"b": "of=paper", "a": "of=paper", "c": "of=live"}
    assert Engine().networks("of=paper") == ["a", "b"]


def test_logs_are_read_whole_and_in_lines(fake_engine: Any) -> None:
    fake_engine.log("one", "two \udcff", "three\r")
    assert [line.partition(" ")[2] for line in Engine().logs("c")] == ["one", "two \ufffd", "three"]


def test_logs_since(fake_engine: Any) -> None:
    fake_engine.log("old")
    moment = time.time()
    fake_engine.log("new")
    assert [line.partition(" ")[2] for line in Engine().logs("c", since=f"{moment:.9f}")] == ["new"]


def test_follow_yields_lines_as_they_come_and_none_at_the_end(fake_engine: Any) -> None:
    fake_engine.log("before")
    with Engine().follow("c") as lines:
        assert lines.get(timeout=5).endswith(" before")
        fake_engine.log("after")
        assert lines.get(timeout=5).endswith(" after")
        fake_engine.exit(0)
        assert lines.get(timeout=5) is None


def test_leaving_follow_ends_its_thread(fake_engine: Any) -> None:
    with Engine().follow("c"):
        pass
    assert not [thread.name for thread in threading.enumerate() if "(read)" in thread.name]


def test_wait(fake_engine: Any) -> None:
    assert Engine().wait("c", 0.1) is None
    threading.Timer(0.05, fake_engine.exit, (143,)).start()
    assert Engine().wait("c", 5) == 143


def test_start_and_stop(fake_engine: Any) -> None:
    fake_engine.status = "exited"
    Engine().start("c")
    assert fake_engine.status == "running"
    Engine().stop("c", 90)
    assert fake_engine.calls[-1] == "POST /containers/c/stop?t=90"


def test_execute(fake_engine: Any) -> None:
    assert Engine().execute("c", ["bash", "-c", "echo out; echo err >&2; exit 3"], 5) == (3, "out\nerr\n")


def test_execute_in_a_stopped_container(fake_engine: Any) -> None:
    fake_engine.exit(0)
    with pytest.raises(EngineError, match="cannot run bash in container c: Container c is not running"):
        Engine().execute("c", ["bash"], 5)


def test_execute_is_bounded(fake_engine: Any) -> None:
    with pytest.raises(LateError, match="cannot run sleep in container c: the Docker engine did not answer in time"):
        Engine().execute("c", ["sleep", "1"], 0.1)


def test_unreachable(no_engine: Any) -> None:
    with pytest.raises(EngineError, match=r"unreachable at .*absent.sock .*: is the docker service running\?"):
        Engine().inspect("c")


def test_no_permission(fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: Any, _path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.connect", refused)
    with pytest.raises(EngineError, match="run as root"):
        Engine().inspect("c")


def test_only_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(EngineError, match="only unix:// sockets"):
        Engine()


@pytest.mark.parametrize("stream", [b"plain text of a terminal", b"\1\0\0\0\xff\xff\xff\xff"])
def test_a_stream_that_is_not_multiplexed(stream: bytes) -> None:
    with pytest.raises(EngineError, match="not multiplexed"):
        list(engine_module._payloads(io.BytesIO(stream)))  # type: ignore[arg-type]  # reading is all that is used


def test_a_line_without_end_is_kept_in_part() -> None:
    lines = engine_module._Lines()
    for _part in range(100):
        assert lines.feed(b"x" * 10_000) == []
    assert len(lines.feed(b"\n")[0]) == engine_module.MAX_LINE


# The command channel, through a real bash


def test_send(fake_engine: Any, command_server: Any) -> None:
    replies = channel.send(Engine(), "c", command_server.port, "RESTART")
    assert replies == ["OK RESTART in progress", "OK RESTART at 10:01 PM"]
    assert command_server.received.get(timeout=1) == "RESTART"


def test_a_command_that_is_under_way(fake_engine: Any, command_server: Any) -> None:
    with pytest.raises(channel.UnderWayError, match="IBC answered PAUSE with: ERROR PAUSE already in progress"):
        channel.send(Engine(), "c", command_server.port, "PAUSE")


def test_no_command_server(fake_engine: Any, closed_port: int) -> None:
    with pytest.raises(channel.NoServerError, match=f"nothing answers on 127.0.0.1:{closed_port} in container c"):
        channel.send(Engine(), "c", closed_port, "STOP")


def test_a_command_server_that_ends_before_its_reply(fake_engine: Any, serve: Any) -> None:
    def behaviour(script: Any) -> None:
        script.connection.sendall(b"INFO Command received: STOP\r\n")

    with pytest.raises(channel.NoServerError):
        channel.send(Engine(), "c", serve(behaviour), "STOP")


def test_a_command_server_that_is_silent(fake_engine: Any, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "REPLY_SECONDS", 1)
    with pytest.raises(channel.ChannelError, match="did not answer STOP within 1 s"):
        channel.send(Engine(), "c", serve(lambda script: script.stay()), "STOP")


def test_an_error_reply_on_a_channel_that_stays_open_is_not_waited_out(fake_engine: Any, serve: Any) -> None:
    def behaviour(script: Any) -> None:
        script.connection.sendall(b"ERROR Command invalid\r\n")
        script.stay()

    started = time.monotonic()
    with pytest.raises(channel.ChannelError, match="Command invalid"):
        channel.send(Engine(), "c", serve(behaviour), "STOP")
    assert time.monotonic() - started < channel.REPLY_SECONDS


def test_a_container_is_made_renamed_connected_listed_and_removed(fake_engine: Any) -> None:
    client = Engine()
    client.create("ibgw-paper.new", {"Image": "image@sha256:1"})
    client.connect("ibgw-paper", "ibgw-paper.new")
    assert fake_engine.bodies == [
        ("/containers/create", "name=ibgw-paper.new", {"Image": "image@sha256:1"}),
        ("/networks/ibgw-paper/connect", "", {"Container": "ibgw-paper.new"}),
    ]
    client.rename("ibgw-paper", "ibgw-paper.old")
    assert [found["Name"] for found in client.containers()] == ["/ibgw-paper.old"]
    with pytest.raises(EngineError, match="You cannot remove a running"):
        client.remove("ibgw-paper.old")
    fake_engine.exit(0)
    client.remove("ibgw-paper.old")
    assert client.containers() == []
    with pytest.raises(NotFoundError):
        client.remove("ibgw-paper.old")


def test_the_hosts_cpus(fake_engine: Any) -> None:
    assert Engine().cpus() == 2

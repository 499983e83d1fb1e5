# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import commands
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import client as engine_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    Engine,
    EngineError,
    LateError,
    NotFoundError,
    TooLongError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import image


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


def test_an_images_description(fake_engine: Any) -> None:
    assert Engine().image("image@sha256:1")["Config"]["User"] == "1000:1000"
    with pytest.raises(NotFoundError, match="cannot look for image other: No such image"):
        Engine().image("other")
    assert Engine().platform() == "linux/amd64"


def test_a_file_of_a_container_that_does_not_run(fake_engine: Any) -> None:
    found = Engine().path_stat("c", image.IBC_VERSION)
    assert found == {"name": "version", "size": 7, "mode": 0o644, "linkTarget": ""}
    assert Engine().path_stat("c", "/nothing") is None
    assert b"3.24.1\n" in Engine().archive("c", image.IBC_VERSION, 1 << 14)
    with pytest.raises(NotFoundError):
        Engine().archive("c", "/nothing", 1 << 14)
    with pytest.raises(TooLongError, match="cannot read /home/ibgateway/ibc/version of c"):
        Engine().archive("c", image.IBC_VERSION, 1 << 8)
    assert fake_engine.calls[0] == "HEAD /containers/c/archive"


def test_a_stat_that_is_none_is_an_error_of_the_engine(fake_engine: Any) -> None:
    fake_engine.image.stat = lambda _path: {"name": "x"}
    with pytest.raises(EngineError, match="cannot look at /x of c"):
        Engine().path_stat("c", "/x")


def test_networks_of_a_label(fake_engine: Any) -> None:
    fake_engine.networks = {"b": "of=paper", "a": "of=paper", "c": "of=live"}
    assert Engine().networks("of=paper") == ["a", "b"]


def text_of(block: bytes | None) -> str:
    return (block or b"").decode("utf-8", "replace").partition("Z ")[2].rstrip()


def test_follow_yields_lines_as_they_come_and_none_at_the_end(fake_engine: Any) -> None:
    fake_engine.log("gone", "before")
    with Engine().follow("c", 1) as lines:
        assert text_of(lines.get(timeout=5)) == "before"
        fake_engine.log("after \udcff")
        assert text_of(lines.get(timeout=5)) == "after \ufffd"
        fake_engine.exit(0)
        assert lines.get(timeout=5) is None


def test_leaving_follow_ends_its_thread(fake_engine: Any) -> None:
    with Engine().follow("c", 1):
        pass
    assert not [thread.name for thread in threading.enumerate() if "(read)" in thread.name]


def test_a_flood_that_nobody_reads_fills_no_memory(fake_engine: Any) -> None:
    fake_engine.log(*["x" * 15_000] * 1000)
    with Engine().follow("c", 1000) as lines:
        while not lines.full():
            time.sleep(0.01)
        assert lines.qsize() == engine_module.MAX_BLOCKS
        assert max(len(block or b"") for block in [lines.get() for _each in range(3)]) <= 2 * engine_module.BLOCK_BYTES
    assert not [thread.name for thread in threading.enumerate() if "(read)" in thread.name]


def test_the_last_line(fake_engine: Any) -> None:
    assert Engine().last_line("c") == b""
    fake_engine.log("one", "two")
    assert text_of(Engine().last_line("c")) == "two"


@pytest.mark.parametrize("what", ["headers", "body", "log"])
def test_a_drip_stretches_no_deadline(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """One byte each 50 ms, without end: every read is in time, the exchange is not."""
    monkeypatch.setattr(engine_module, "LOOK_SECONDS", 0.3)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "drip.sock"))
    listener.listen()

    def drip() -> None:
        connection, _address = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.0 200 OK\r\nX: " if what == "headers" else b"HTTP/1.0 200 OK\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    engine, begun = Engine(str(tmp_path / "drip.sock")), time.monotonic()
    with pytest.raises(LateError):
        (engine.last_line if what == "log" else engine.inspect)("c")
    assert time.monotonic() - begun < 3
    listener.close()


@pytest.mark.parametrize(
    ("exchange", "seconds"),
    [
        (lambda engine: engine.inspect("c"), 0.6),
        (lambda engine: engine.last_line("c"), 0.6),
        (lambda engine: engine.follow("c", 1).__enter__(), 0.6),
        (lambda engine: engine.starts("c", 60).__enter__(), 0.6),
        # The caller's own limit, where that comes first.
        (lambda engine: engine.starts("c", 0.1).__enter__(), 0.1),
        (lambda engine: engine.starts("c", 0).__enter__(), 0.0),
    ],
)
def test_an_engine_that_accepts_and_says_nothing_is_left_in_time(
    hung_engine: str, monkeypatch: pytest.MonkeyPatch, exchange: Any, seconds: float
) -> None:
    monkeypatch.setattr(engine_module, "LOOK_SECONDS", 0.6)
    begun = time.monotonic()
    with pytest.raises(LateError):
        exchange(Engine(hung_engine))
    assert seconds - 0.05 <= time.monotonic() - begun < seconds + 2


@pytest.mark.parametrize("stream", ["follow", "starts"])
def test_a_stream_that_has_begun_has_no_deadline(
    fake_engine: Any, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    monkeypatch.setattr(engine_module, "LOOK_SECONDS", 0.8)
    engine = Engine()
    with engine.follow("c", 1) if stream == "follow" else engine.starts("c", 60) as received:
        with pytest.raises(queue.Empty):
            received.get(timeout=1.0)
        fake_engine.log("late")
        fake_engine.exit(0)
        fake_engine.start()
        assert received.get(timeout=5)


def test_an_answer_that_is_too_long_is_an_error(fake_engine: Any) -> None:
    fake_engine.labels = {"x": "y" * (2 << 20)}
    with pytest.raises(TooLongError):
        Engine().inspect("c")
    with pytest.raises(TooLongError):
        Engine().execute("c", ["bash", "-c", "yes | head -c 200000"], 5, most=1 << 16)


def test_what_the_engine_says_is_fit_to_be_shown(fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    foul = "\x1b[31m\u202e\u200b\u2028"
    monkeypatch.setattr(engine_module.json, "loads", lambda _text: {"message": foul})
    fake_engine.exists = False
    with pytest.raises(NotFoundError) as refused:
        Engine().inspect("c")
    assert str(refused.value).isprintable()


def test_wait(fake_engine: Any) -> None:
    assert Engine().wait("c", 0.1) is None
    threading.Timer(0.05, fake_engine.exit, (143,)).start()
    assert Engine().wait("c", 5) == 143


def test_start_and_stop(fake_engine: Any) -> None:
    fake_engine.status = "exited"
    Engine().start("c")
    assert fake_engine.status == "running"
    Engine().stop("c", 90, 95)
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
        engine_module._check(stream)


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"\1\0\0\0\0\0\0\3ab\n", True),
        (b"\1\0\0\0\0\0\0\2ab", True),
        (b"\1\0\0\0\0\0\0\3ab\n\1\0\0\0\0\0\0\2ab\1\0\0\0\0\0\0\1a", True),
        (b"\1\0\0\0\0\0\0\3ab", False),
        (b"\1\0\0\0\0", False),
        (b"no frame", False),
    ],
)
def test_a_block_ends_where_the_engine_ended(data: bytes, whole: bool) -> None:
    assert engine_module._whole(data) is whole


# The command channel, through a real bash


def test_send(fake_engine: Any, command_server: Any) -> None:
    replies = commands.send(Engine(), "c", command_server.port, "RESTART")
    assert replies == ["OK RESTART in progress", "OK RESTART at 10:01 PM"]
    assert command_server.received.get(timeout=1) == "RESTART"


def test_a_command_that_is_under_way(fake_engine: Any, command_server: Any) -> None:
    with pytest.raises(commands.UnderWayError, match="IBC answered PAUSE with: ERROR PAUSE already in progress"):
        commands.send(Engine(), "c", command_server.port, "PAUSE")


def test_no_command_server(fake_engine: Any, closed_port: int) -> None:
    with pytest.raises(commands.NoServerError, match=f"nothing answers on 127.0.0.1:{closed_port} in container c"):
        commands.send(Engine(), "c", closed_port, "STOP")


def test_a_command_server_that_ends_before_its_reply(fake_engine: Any, serve: Any) -> None:
    def behaviour(script: Any) -> None:
        script.connection.sendall(b"INFO Command received: STOP\r\n")

    with pytest.raises(commands.NoServerError):
        commands.send(Engine(), "c", serve(behaviour), "STOP")


def test_a_command_server_that_is_silent(fake_engine: Any, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "REPLY_SECONDS", 1)
    monkeypatch.setattr(commands, "TALK_SECONDS", 3)
    with pytest.raises(commands.ChannelError, match="did not answer STOP within"):
        commands.send(Engine(), "c", serve(lambda script: script.stay()), "STOP")


def test_an_error_reply_on_a_channel_that_stays_open_is_not_waited_out(fake_engine: Any, serve: Any) -> None:
    def behaviour(script: Any) -> None:
        script.connection.sendall(b"ERROR Command invalid\r\n")
        script.stay()

    started = time.monotonic()
    with pytest.raises(commands.ChannelError, match="Command invalid"):
        commands.send(Engine(), "c", serve(behaviour), "STOP")
    assert time.monotonic() - started < commands.REPLY_SECONDS


@pytest.mark.parametrize("said", [b"INFO busy\r\n", b"x"])
def test_a_command_server_that_drips_is_left_in_time(
    fake_engine: Any, serve: Any, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """Each read comes in time, and the conversation has an end all the same."""
    monkeypatch.setattr(commands, "REPLY_SECONDS", 1)

    def behaviour(script: Any) -> None:
        while True:
            script.connection.sendall(said)
            time.sleep(0.3)

    begun = time.monotonic()
    with pytest.raises(commands.ChannelError):
        commands.send(Engine(), "c", serve(behaviour), "STOP")
    assert time.monotonic() - begun < commands.TALK_SECONDS


def test_a_command_server_that_floods(fake_engine: Any, serve: Any) -> None:
    def behaviour(script: Any) -> None:
        while True:
            script.connection.sendall(b"OK" + b"y" * 100_000)

    begun = time.monotonic()
    with contextlib.suppress(commands.ChannelError):
        assert all(len(reply) <= 200 for reply in commands.send(Engine(), "c", serve(behaviour), "STOP"))
    assert time.monotonic() - begun < commands.TALK_SECONDS


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

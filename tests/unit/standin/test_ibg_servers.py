# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command port of ibg-controller where no recording has it: one thread serves it, and reads only so much."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.unit.standin.conftest import free_port

from ibgw_standin import ibg_servers

Obey = Callable[[str], Awaitable[str]]
SILENT = "[WARNING] Command server: handler error: TimeoutError: timed out"


async def done(command: str) -> str:
    return f"OK {command}"


class Port:
    """A command port."""

    def __init__(self) -> None:
        self.port, self.said = free_port(), list[str]()
        self.task: asyncio.Task[None] | None = None

    async def open(self, obey: Obey, token: str = "") -> None:
        environment = {
            "CONTROLLER_COMMAND_SERVER_PORT": str(self.port), "CONTROLLER_COMMAND_SERVER_HOST": "127.0.0.1",
            "CONTROLLER_COMMAND_SERVER_AUTH_TOKEN": token,
        }  # fmt: skip
        self.task = await ibg_servers.serve_commands(self._log, obey, lambda: None, environment)

    def _log(self, text: str, level: str = "INFO") -> None:
        self.said.append(f"[{level}] {text}")

    async def ask(self, sent: bytes, ends: bool = False) -> str:
        """Return the answer, up to the end of the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        if ends:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer.decode()


@pytest.mark.parametrize(
    ("token", "sent", "ends", "answer"),
    [
        ("", b"stop", True, "OK STOP\n"),
        ("", b"x" * 2000, False, f"OK {'X' * 1024}\n"),
        ("", b"stop", False, ""),
        ("T", b"AUTH T\n", True, "ERR empty_command\n"),
        ("T", b"auth  T \nstop\n", False, "OK STOP\n"),
        ("T", b"AUTH T\n", False, ""),
        ("T", b"", True, "ERR auth_required\n"),
    ],
    ids=["ended", "too much", "silent", "no command", "spaces", "silent behind the token", "nothing"],
)
def test_the_command_port_answers_what_it_has_read(
    token: str, sent: bytes, ends: bool, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibg_servers, "PATIENCE", 0.1)
    port = Port()

    async def run() -> str:
        await port.open(done, token)
        return await port.ask(sent, ends)

    assert asyncio.run(run()) == answer
    assert (SILENT in port.said) == (answer == "")


def test_the_command_port_serves_one_at_a_time() -> None:
    port, goes_on = Port(), asyncio.Event()

    async def obey(command: str) -> str:
        if command == "RESTART":
            await goes_on.wait()
        return await done(command)

    async def run() -> None:
        await port.open(obey)
        first = asyncio.create_task(port.ask(b"RESTART\n"))
        while len(port.said) < 2:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(port.ask(b"STOP\n"))
        assert await asyncio.wait([first, second], timeout=0.3) == (set(), {first, second})
        goes_on.set()
        assert [await first, await second] == ["OK RESTART\n", "OK STOP\n"]

    asyncio.run(run())


def test_a_command_that_ends_its_thread_ends_the_command_port() -> None:
    port = Port()

    async def obey(command: str) -> str:
        raise RuntimeError(command)

    async def run() -> None:
        await port.open(obey)
        assert await port.ask(b"RESTART\n") == ""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(port.ask(b"STOP\n"), 0.3)
        assert port.task
        assert isinstance(port.task.exception(), RuntimeError)

    asyncio.run(run())

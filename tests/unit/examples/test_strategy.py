"""The client of examples/strategy through a week of its gateway, and the notebook, both against the stand-in."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import typing as t
from pathlib import Path

import pytest

from ibgw_standin.testing import relay, running

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
pytestmark = pytest.mark.programs
FAST = {"IB_PAUSES": "0.1,0.3", "IB_CONNECT_SECONDS": "3", "IB_QUIET_SECONDS": "1", "IB_ANSWER_SECONDS": "2"}


class Client:
    """The running client, and its output."""

    def __init__(self, port: int, **settings: str) -> None:
        command = [sys.executable, str(EXAMPLES / "strategy/strategy.py")]
        environment = {**os.environ, **FAST, **settings, "IB_PORT": str(port)}
        self.process = subprocess.Popen(command, text=True, env=environment, stdout=subprocess.PIPE)
        self._lines: queue.Queue[dict[str, t.Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def says(self, message: str, seconds: float = 20, **fields: object) -> list[dict[str, t.Any]]:
        """Wait for such a line; all lines up to it."""
        found = []
        while True:
            try:
                found.append(self._lines.get(timeout=seconds))
            except queue.Empty:
                raise AssertionError(f"not said within {seconds} s: {message} {fields}; but {found}") from None
            if {**found[-1], "message": message, **fields} == found[-1]:
                return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def client(port: int) -> t.Iterator[Client]:
    with relay(port) as outer, contextlib.closing(Client(outer)) as found:
        yield found


def test_a_week(client: Client, port: int) -> None:
    # Before the window: the relay accepts, and nobody is behind it.
    client.says("waiting for the gateway")
    with running(port=port) as gateway:
        client.says("trading", subscribe=True, positions=1)
        assert gateway.status()["clients"] == [31]
        # 00:15, the reset at IBKR: the gateway stays, its link goes; what it had subscribed to lives on, or not.
        for data_lost in (False, True):
            gateway.set_fault("link_lost")
            client.says("paused", why="notice 1100")
            gateway.control({"cmd": "fault", "name": "link_restored", "args": {"data_lost": data_lost}})
            client.says("trading", subscribe=data_lost)
    # 22:00, the gateway's restart.
    client.says("paused", why="closed by the gateway")
    with running(port=port, fault="link_down") as gateway:
        # It comes back before its link to IBKR.
        client.says("paused", why="notice 2110")
        gateway.control({"cmd": "fault", "name": "link_restored", "args": {}})
        client.says("trading")
        gateway.freeze()
        said = client.says("paused", why="the API hangs")
        assert not [each for each in said if each["message"] == "trading"]
    # Saturday 23:30 to Sunday's sign-in: said once, however often it tries.
    waits = client.says("waiting for the gateway")
    with running(port=port, fault="client_id_in_use") as gateway:
        said = client.says("waiting for the gateway", why="client id 31 is in use")
        assert len(said) <= 3, (waits, said)
        gateway.set_fault(None)
        client.says("trading", subscribe=True)
        client.process.send_signal(signal.SIGTERM)
        client.says("told to stop")
        assert client.process.wait(10) == 0
        assert gateway.status()["clients"] == []


@pytest.mark.parametrize(("pending", "quiet"), [("reqCurrentTime", "1"), ("reqAllOpenOrders", "60")])
def test_the_gateway_ends_while_an_answer_is_pending(port: int, pending: str, quiet: str) -> None:
    # The watcher restarts a gateway whose API hangs, before the client gives its request up.
    settings = {"IB_ANSWER_SECONDS": "60", "IB_QUIET_SECONDS": quiet}
    with relay(port) as outer, contextlib.closing(Client(outer, **settings)) as client:
        with running(port=port) as gateway:
            client.says("trading")
            asked = len(gateway.requests())
            gateway.set_fault("unresponsive")
            if pending == "reqAllOpenOrders":
                gateway.set_fault("link_lost")
                client.says("paused")
                gateway.set_fault("unresponsive")
                gateway.control({"cmd": "fault", "name": "link_restored", "args": {}})
            while pending not in [each["request"] for each in gateway.requests()[asked:]]:
                time.sleep(0.05)
        client.says("paused", why="closed by the gateway")
        with running(port=port):
            client.says("trading", subscribe=True)


def test_the_notebook_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    book = json.loads((EXAMPLES / "notebook/gateway.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    names: dict[str, t.Any] = {}

    async def run_all() -> None:
        for cell in cells:
            code = compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = types.FunctionType(code, names)()
            if inspect.isawaitable(result):
                await result

    with running(accounts=["DU1234567"]) as gateway:
        monkeypatch.setenv("IB_PORT", str(gateway.port))
        asyncio.run(run_all())
        assert gateway.status()["clients"] == []
    assert ("DU1234567", "AAPL", 10.0) in names["positions"]
    assert names["contract"].conId


@pytest.mark.parametrize("unit", ["strategy.service", "job.service"])
def test_a_unit_runs_an_example_that_the_page_brings_there(unit: str) -> None:
    (program,) = re.findall(r"ExecStart=\S+ /opt/strategy/(\S+)", (EXAMPLES / "strategy" / unit).read_text())
    page = (EXAMPLES.parent / "docs/how-to/clients.md").read_text()
    ((folder, file),) = re.findall(r'scp -r "\$IBGW/examples/(\S+)" "\$IBGW/examples/(\S+)" ann@', page)
    (brought,) = re.findall(r"sudo install -m 644 (.+) /opt/strategy$", page, re.MULTILINE)
    here = {f"{folder}/{each.name}": each for each in (EXAMPLES / folder).iterdir()}
    here[Path(file).name] = EXAMPLES / file
    assert {each for each in brought.split() if here[each].is_file() and here[each].name == program}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("unit", ["strategy.service", "job.service", "job.timer"])
def test_systemd_reads_the_unit(unit: str, tmp_path: Path) -> None:
    for path in (EXAMPLES / "strategy").glob("*.[st]*[er]"):
        text = (
            path.read_text()
            .replace("/usr/local/sbin/ibgwctl", "/bin/true")
            .replace("/opt/strategy/venv/bin/python", "/bin/true")
        )
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or unit in line]
    assert complaints == []

"""The pipeline of examples/cloud_run as the process that it is on Cloud Run, against the stand-in."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ibgw_standin.testing import relay, running

MAIN = Path(__file__).resolve().parents[3] / "examples" / "cloud_run" / "main.py"
Pipeline = subprocess.Popen[str]
pytestmark = pytest.mark.programs


@contextmanager
def started(port: int, **settings: str) -> Iterator[Pipeline]:
    environment = {**os.environ, "IB_HOST": "127.0.0.1", "IB_PORT": str(port), **settings}
    with subprocess.Popen([sys.executable, str(MAIN)], text=True, env=environment, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: Pipeline) -> list[dict[str, Any]]:
    """The rest of its output, until it ends."""
    assert process.stdout
    return [json.loads(line) for line in process.stdout]


def said(process: Pipeline, text: str) -> None:
    """Wait until it has said something."""
    assert process.stdout
    assert any(text in line for line in process.stdout)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_it_does_its_work_and_leaves() -> None:
    with running(accounts=["DU1234567"]) as gateway, started(gateway.port, CLOUD_RUN_TASK_INDEX="2") as process:
        found = lines(process)
        assert process.wait() == 0
        assert gateway.status()["clients"] == []
    assert f"connected to 127.0.0.1:{gateway.port} as client 23" in found[0]["message"]
    assert found[-1]["accounts"] == ["DU1234567"]
    assert "1000000.00" in found[-1]["message"]
    assert "10 AAPL" in found[-1]["message"]


def test_it_waits_for_a_gateway_that_is_not_there_yet(free_port: int) -> None:
    with started(free_port) as process:
        said(process, "is not there yet")
        with running(port=free_port):
            assert "worth" in lines(process)[-1]["message"]
            assert process.wait() == 0


def test_it_waits_for_a_gateway_whose_relay_is_up_already(free_port: int) -> None:
    with relay(free_port) as port, started(port) as process:
        said(process, "is not there yet")
        with running(port=free_port):
            assert "worth" in lines(process)[-1]["message"]
            assert process.wait() == 0


def test_it_gives_up_in_time(free_port: int) -> None:
    with started(free_port, IB_CONNECT_SECONDS="0.5") as process:
        (line,) = lines(process)
        assert process.wait() == 1
    assert line["severity"] == "ERROR"
    assert f"127.0.0.1:{free_port} gave no answer in 0.5 s" in line["message"]


def test_it_gives_up_a_gateway_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with started(port, IB_CONNECT_SECONDS="0.5") as process:
            assert "gave no answer in 0.5 s: TimeoutError()" in lines(process)[-1]["message"]
            assert process.wait() == 1


def test_the_gateway_ends_while_an_answer_is_pending() -> None:
    with running() as gateway:
        gateway.set_fault("unresponsive")
        with started(gateway.port, IB_CONNECT_SECONDS="1") as process:
            while "reqAccountSummary" not in [each["request"] for each in gateway.requests()]:
                time.sleep(0.05)
            gateway.stop()
            line = lines(process)[-1]
            assert process.wait() == 1
    assert line["severity"] == "ERROR"
    assert f"127.0.0.1:{gateway.port} has ended the connection" in line["message"]


@pytest.mark.parametrize("settings", [{"IB_PORT": "four"}, {"IB_HOST": None}], ids=["port", "host"])
def test_wrong_settings_are_said(settings: dict[str, str | None]) -> None:
    environment = {k: v for k, v in {**os.environ, "IB_HOST": "127.0.0.1", **settings}.items() if v is not None}
    done = subprocess.run([sys.executable, str(MAIN)], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["message"].startswith("settings: ")


def test_told_to_stop_it_leaves(free_port: int) -> None:
    with started(free_port) as process:
        said(process, "is not there yet")
        process.send_signal(signal.SIGTERM)
        assert lines(process)[-1] == {"severity": "WARNING", "message": "told to stop"}
        assert process.wait() == 3

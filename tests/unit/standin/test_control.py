# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ibgw_standin import faults
from ibgw_standin.control import ControlServer
from ibgw_standin.testing import PACKAGE_ROOT, Running, running


def standin_ctl(*arguments: str, socket: str = "/nonexistent") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ibgw_standin.ctl", "--socket", socket, *arguments],
        env=os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_a_fault_is_set_and_cleared_by_command(gateway: Running) -> None:
    def run(*arguments: str) -> str:
        done = standin_ctl(*arguments, socket=gateway.socket_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("fault", "link_down", "repeat=0.5", "note=text")
    assert json.loads(run("status"))["faults"] == {"link_down": {"repeat": 0.5, "note": "text"}}
    run("fault", "P11", "--add")
    run("clear", "link_down")
    assert json.loads(run("status"))["faults"] == {"read_only": {}}
    assert run("requests") == ""


def test_a_refused_command_says_why(gateway: Running) -> None:
    done = standin_ctl("fault", "nope", socket=gateway.socket_path)
    assert done.returncode == 1
    assert "no fault is called 'nope'" in done.stderr


def test_the_list_of_faults_needs_no_gateway() -> None:
    assert standin_ctl("faults").stdout.count("\n") == len(faults.FAULTS)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("true", True), ("[7]", [7]), ("usfarm", "usfarm"), ("", "")])
def test_values_are_json_or_text(text: str, value: object) -> None:
    assert faults.value_of(text) == value


def test_the_readme_shows_the_table_of_faults() -> None:
    assert faults.markdown() in (PACKAGE_ROOT / "README.md").read_text()


def test_a_stand_in_that_cannot_start_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), running(fault="nope"):
        pass
    assert "no fault is called 'nope'" in capfd.readouterr().err


def test_a_connection_that_the_end_cuts_off_is_no_line_of_the_console(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def end_with_a_connection() -> None:
        server = ControlServer(str(tmp_path / "socket"), {})
        await server.start()
        reader, writer = await asyncio.open_unix_connection(server.path)
        writer.write(b"{}\n")
        await reader.readline()
        server.close()

    asyncio.run(end_with_a_connection())
    assert caplog.text == ""

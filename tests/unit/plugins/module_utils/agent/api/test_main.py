# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe as a process: its verdicts, its exit status, and what it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import __main__ as command

PACKAGE = Path(str(command.__file__)).parent


def run(*arguments: object, by_module: bool = False) -> subprocess.CompletedProcess[str]:
    program = ["-m", "agent.api"] if by_module else [str(PACKAGE / "__main__.py")]
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=PACKAGE.parent.parent,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("by_module", [True, False])
def test_ready(healthy_port: int, by_module: bool) -> None:
    done = run("127.0.0.1", healthy_port, "--mode", "paper", by_module=by_module)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ready: ")


@pytest.mark.parametrize(
    ("arguments", "status", "api_state"),
    [
        ([], 0, "ready"),
        (["--mode", "live"], 3, "wrong_account"),
        (["--settle", "0", "--timeout", "3"], 0, "ready"),
    ],
)
def test_json_and_exit_status(
    healthy_port: int, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, api_state: str
) -> None:
    assert command.main(["127.0.0.1", str(healthy_port), *arguments, "--json"]) == status
    assert json.loads(capsys.readouterr().out)["api_state"] == api_state


def test_not_ready(closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["127.0.0.1", str(closed_port)]) == 1
    assert capsys.readouterr().out.startswith("port_closed: ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["host"],
        ["host", "port"],
        ["host", "1", "--mode"],
        ["host", "1", "--mode", "demo"],
        ["host", "1", "--x", "1"],
        ["host", "1", "--timeout", "soon"],
        ["host", "1", "--timeout", "nan"],
        ["host", "1", "--timeout", "-1"],
        ["host", "1", "--timeout", "inf"],
        ["host", "1", "--settle", "-1"],
        ["host", "1", "--client-id", "0"],
        ["host", "1", "--client-id", "-1"],
        ["host", "0"],
        ["host", "70000"],
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_what_a_probe_loads_stays_small() -> None:
    """The import of one of these would cost more than the probe itself."""
    script = "import sys; before = set(sys.modules); import agent.api.probe; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=PACKAGE.parent.parent, text=True, capture_output=True, check=True
    )
    heavy = {
        "re",
        "typing",
        "dataclasses",
        "json",
        "argparse",
        "inspect",
        "asyncio",
        "http",
        "logging",
        "encodings.idna",
    }
    assert not heavy & set(done.stdout.split())


def test_the_package_has_no_import_of_ansible() -> None:
    names: Any = [
        path
        for path in PACKAGE.glob("*.py")
        if "import ansible" in (text := path.read_text()) or "from ansible" in text
    ]
    assert not names

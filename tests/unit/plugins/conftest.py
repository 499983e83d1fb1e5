# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the plugins' tests: fake servers, a deployed gateway, and a runner of modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from sandbox.client_portal import standin
from tests.unit.plugins.api_server import closed_port, healthy_port, serve
from tests.unit.plugins.command_server import command_server
from tests.unit.plugins.fake_engine import fake_engine, hung_engine, no_engine
from tests.unit.plugins.prometheus import amtool, promtool

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, store
from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user

# Fixtures; pytest finds them here.
__all__ = [
    "amtool",
    "closed_port",
    "command_server",
    "fake_engine",
    "healthy_port",
    "hung_engine",
    "no_engine",
    "promtool",
    "serve",
]

Deploy = Callable[..., descriptor.Descriptor]
RunModule = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def no_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test makes an account on this machine, even if the containers' uid is taken here."""
    monkeypatch.setattr(container_user, "reserve", lambda uid, check: [])


@pytest.fixture(autouse=True)
def no_passwords(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test leaves a password in this machine's /run."""
    monkeypatch.setattr(password, "ROOT", str(tmp_path / "run"))


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Write the descriptor of a gateway (default: paper) and return it as loaded."""
    for module in (descriptor, place):
        monkeypatch.setattr(module, "ROOT", str(tmp_path / "etc"))
    monkeypatch.setattr(store, "ROOT", str(tmp_path / "var"))

    def write(**changes: Any) -> descriptor.Descriptor:
        content = {
            "schema": 1,
            "name": "paper",
            "mode": "paper",
            "container": "ibgw-paper",
            "image": "image@sha256:1",
            "host": "127.0.0.1",
            "port": 4002,
            "client_id": 917,
            "accounts": [],
            "command_port": 7462,
            "settings_dir": str(tmp_path),
            "revision": "r1",
            **changes,
        }
        folder = tmp_path / "etc" / content["name"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "gateway.json").write_text(json.dumps(content))
        if content["mode"] == "paper" and not content.get("password_secret"):
            (folder / "password").write_text("kept")
        return descriptor.load(content["name"])

    return write


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Run a module's main with arguments and return what it printed, `failed` and `changed` included."""

    def run(main: Callable[[], None], *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        if check:
            arguments["_ansible_check_mode"] = True
        with patch_module_args(arguments), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        # From ansible-core 2.21 on a module has it only when it is asked for.
        result.pop("invocation", None)
        return result

    return run


@pytest.fixture(scope="session")
def portal_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return standin.make_certificate(str(tmp_path_factory.mktemp("portal")))


@pytest.fixture
def portal_state() -> standin.State:
    state = standin.State()
    state.sign_in()
    return state


@pytest.fixture
def portal_port(portal_state: standin.State, portal_certificate: str) -> Iterator[int]:
    with standin.running(portal_state, portal_certificate) as port:
        yield port

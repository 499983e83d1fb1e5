# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway for tests: a fake container, an API that answers, IBC's command server, a stopped clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.plugins.session_log import FARM_OK, TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import lifecycle, watcher
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(watcher, "BUSY_SECONDS", 0.02)


@pytest.fixture(scope="module", params=["UTC", "Etc/GMT+12"])
def process_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's own zone, which no answer may depend on: a server's, and the one farthest behind all others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def control(fake_engine: Any, deploy: Any, command_server: Any, serve: Any) -> Callable[..., Control]:
    """Make a control of a stopped gateway of mode *mode*; its API is healthy and its clock stands at *now*."""

    def healthy(script: Any) -> None:
        script.start(accounts={"live": "U1234567,U7654321", "paper": "DU1234567"}[mode[0]])
        for code, text in notices:
            script.notice(code, text)
        script.answer_time()
        script.stay()

    mode = ["live"]
    notices: list[tuple[int, str]] = []

    def make(of: str = "live", now: float = TUESDAY, said: tuple[int, str] = FARM_OK, **settings: Any) -> Control:
        mode[0], notices[:] = of, [said, (2106, "OK:ushmds"), (2158, "OK:secdefil")]
        fake_engine.exit(0)
        command_server.on_command = lambda command: fake_engine.exit(0) if command in ("STOP", "PAUSE") else None
        command_server.replies["PAUSE"] = ["OK PAUSE in progress", "OK PAUSE at 10:01 PM"]
        found = deploy(name=of, mode=of, container=f"ibgw-{of}", port=serve(healthy), command_port=command_server.port)
        return Control(found, Plan(**settings), by="Ann", now=lambda: now, password="secret")

    return make

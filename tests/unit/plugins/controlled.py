# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways that are signed in, paused or stopped by hand in tests of control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import lifecycle
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway


def spied_stops(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, bool]]:
    stops, stop = [], lifecycle.stop

    def spied(gateway: Gateway, engine: Any, timeout: float, check: bool) -> lifecycle.Outcome:
        stops.append((timeout, check))
        return stop(gateway, engine, timeout, check)

    monkeypatch.setattr(lifecycle, "stop", spied)
    return stops


DOORS: dict[str, Callable[[Any], object]] = {
    "start": lambda live: live.start(allow_signin=False),
    "start by a person": lambda live: live.start(allow_signin=True),
    "resume": lambda live: live.resume(5),
    "sign-in": lambda live: live.sign_in(lambda _step, _text: None),
}

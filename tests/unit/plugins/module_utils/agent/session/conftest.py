# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.plugins.session_log import (
    BEGUN,
    IN,
    PUSH,
    TUESDAY,
    signing_in,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control


@pytest.fixture
def ready(control: Any, fake_engine: Any) -> Control:
    """A live gateway that is signed in, a log that is at rest, and a clock that goes on from its sign-in."""
    live: Control = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    begun = time.monotonic()
    live.now = lambda: TUESDAY + time.monotonic() - begun
    return live


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener.getsockname()[1]
    listener.close()

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.filter.client_portal_step import client_portal_step


def container(revision: str, running: bool) -> dict[str, Any]:
    return {"State": {"Running": running}, "Config": {"Labels": {"ibops.gateway.revision": revision}}}


@pytest.mark.parametrize(
    ("found", "start", "waits", "step"),
    [
        (None, True, False, "replace"),
        (None, False, True, "replace"),
        ({"State": {"Running": True}, "Config": {"Labels": None}}, True, False, "replace"),
        (container("1", running=True), True, True, "none"),
        (container("1", running=True), False, False, "none"),
        (container("1", running=False), False, False, "none"),
        (container("1", running=False), True, True, "replace"),
        (container("0", running=True), True, True, "pending"),
        (container("0", running=True), True, False, "replace"),
        (container("0", running=False), True, True, "replace"),
        (container("0", running=False), False, True, "replace"),
    ],
)
def test_the_step(found: dict[str, Any] | None, start: bool, waits: bool, step: str) -> None:
    assert client_portal_step(found, "1", start, waits) == step

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest
from ansible.utils.display import Display

from ansible_collections.ibops.gateway.plugins.filter.upgrade_record import upgrade_record

GOOD = {"image": "i@sha256:1", "running": True, "tried": False, "previous": ""}


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_what_was_left() -> None:
    assert upgrade_record(encoded(json.dumps({**GOOD, "of_a_later_release": 1}).encode())) == GOOD
    assert upgrade_record(None) == {}


@pytest.mark.parametrize(
    "content",
    [
        "*",
        encoded(b""),
        encoded(b"\xff"),
        encoded(b"[]"),
        encoded(b"{}"),
        encoded(json.dumps({**GOOD, "tried": "no"}).encode()),
        encoded(json.dumps({**GOOD, "previous": None}).encode()),
    ],
)
def test_a_damaged_one_is_warned_of(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text: warned.append(text))
    assert upgrade_record(content) == {}
    assert len(warned) == 1

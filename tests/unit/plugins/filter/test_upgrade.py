# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest
from ansible.utils.display import Display

from ansible_collections.ibops.gateway.plugins.filter.upgrade import (
    upgrade_current,
    upgrade_record,
    upgrade_taken_back,
)

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


@pytest.mark.parametrize(
    ("left", "container", "current"),
    [
        ({}, ("old", True), ("new", True, False, "old")),
        ({}, ("old", False), ("new", False, False, "old")),
        ({}, ("new", True), ("new", True, False, "")),
        (("other", True, False, "older"), ("old", False), ("new", False, False, "old")),
        (("new", True, False, "older"), ("old", False), ("new", True, False, "older")),
        (("new", True, False, "older"), ("new", False), ("new", True, False, "older")),
        (("new", True, True, "older"), ("new", False), ("new", True, True, "older")),
        (("new", True, True, "older"), ("old", False), ("new", False, False, "old")),
    ],
    ids=[
        "begun",
        "of one that is down",
        "has it",
        "another one wanted",
        "interrupted before",
        "interrupted after",
        "tried",
        "taken back",
    ],
)
def test_which_upgrade_is_under_way(
    left: tuple[object, ...], container: tuple[str, bool], current: tuple[object, ...]
) -> None:
    record = dict(zip(GOOD, left, strict=True)) if left else {}
    found = upgrade_current(record, "new", {"image": container[0], "running": container[1]})
    assert found == dict(zip(GOOD, current, strict=True))


@pytest.mark.parametrize(
    ("left", "cause", "expected"),
    [
        (("new", True, False, "old"), "release_refused", True),
        (("new", True, False, "old"), "push_missed", False),
        (("new", True, False, "old"), "sign_in_ended", True),
        (("new", True, False, "old"), "sign_in_late", True),
        (("new", True, False, "old"), "bad_settings", True),
        (("new", True, False, "old"), "login_window_loop", True),
        (("new", True, False, "old"), "of a later release", False),
        (("new", True, False, "old"), "", False),
        (("new", True, False, ""), "release_refused", False),
        (("new", True, True, "old"), "release_refused", False),
        (("other", True, False, "old"), "release_refused", False),
        ((), "release_refused", False),
    ],
)
def test_what_brings_the_image_before_back(left: tuple[object, ...], cause: str, expected: bool) -> None:
    record = dict(zip(GOOD, left, strict=True)) if left else {}
    assert upgrade_taken_back(record, "new", cause) is expected

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check values as YAML reads them against a specification."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.rules import types


def ids(option: dict[str, Any], value: object) -> list[str]:
    return [each.id for each in types.problems("x", option, value)]


@pytest.mark.parametrize(
    ("kind", "written", "id_"),
    [
        ("str", "text", None),
        ("str", "''", None),
        ("str", "5", "not-text"),
        ("str", "1.5", "not-text"),
        ("str", "1e3", None),
        ("str", "1.0e+3", "not-text"),
        ("str", "22:00", "not-text"),
        ("str", "'22:00'", None),
        ("str", "no", "not-text"),
        ("str", "on", "not-text"),
        ("str", "2026-12-25", "not-text"),
        ("str", "2026-12-25 10:00:00", "not-text"),
        ("str", "[a]", "not-text"),
        ("str", "{a: b}", "not-text"),
        ("path", "5", "not-text"),
        ("int", "5", None),
        ("int", "'5'", None),
        ("int", "'-5'", None),
        ("int", "5.0", None),
        ("int", "5.5", "not-a-whole-number"),
        ("int", ".inf", "not-a-whole-number"),
        ("int", ".nan", "not-a-whole-number"),
        ("int", "0o17", "not-a-whole-number"),
        ("int", "1e3", "not-a-whole-number"),
        ("int", "five", "not-a-whole-number"),
        ("int", "yes", "not-a-whole-number"),
        ("int", "[5]", "not-a-whole-number"),
        ("int", "''", "not-a-whole-number"),
        ("float", "1.5", None),
        ("float", "'1.5'", None),
        ("float", "2", None),
        ("float", "1e3", "not-a-number"),
        ("float", "true", "not-a-number"),
        ("bool", "yes", None),
        ("bool", "'no'", None),
        ("bool", "'True'", None),
        ("bool", "1", None),
        ("bool", "2", "not-a-boolean"),
        ("bool", "maybe", "not-a-boolean"),
        ("bool", "[]", "not-a-boolean"),
        ("list", "[]", None),
        ("list", "DU1", "not-a-list"),
        ("list", "5", "not-a-list"),
        ("list", "{a: b}", "not-a-list"),
        ("dict", "{}", None),
        ("dict", "a=b", "not-a-mapping"),
        ("dict", "[a]", "not-a-mapping"),
        ("raw", "5", None),
    ],
)
def test_what_yaml_makes_of_it(kind: str, written: str, id_: str | None) -> None:
    assert ids({"type": kind}, yaml.safe_load(written)) == ([id_] if id_ else [])


@pytest.mark.parametrize(("written", "clock"), [("22:00", "22:00"), ("9:05", "09:05"), ("5", None), ("2026", None)])
def test_a_time_of_day_is_recognized(written: str, clock: str | None) -> None:
    (problem,) = types.problems("x", {"type": "str"}, yaml.safe_load(written))
    assert (str(clock) in problem.fix) is (clock is not None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], []),
        (["a", "b"], []),
        (["a", "c"], [("not-a-choice", "x[1]", "'c'")]),
        ([5, "c"], [("not-text", "x[0]", "5"), ("not-a-choice", "x[1]", "'c'")]),
    ],
)
def test_the_elements_of_a_list(value: list[object], expected: list[tuple[str, str, str]]) -> None:
    option = {"type": "list", "elements": "str", "choices": ["a", "b"]}
    assert [(each.id, each.variable, each.value) for each in types.problems("x", option, value)] == expected


SUBOPTIONS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {"name": {"type": "str", "required": True}, "size": {"type": "int"}, "url": {"no_log": True}},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"name": "a"}], []),
        ([{"name": "a", "size": None}], []),
        ([{}], [("missing-suboption", "x[0].name")]),
        ([{"name": None}], [("not-text", "x[0].name")]),
        ([{"name": "a", "sice": 1}], [("unknown-suboption", "x[0].sice")]),
        ([{"name": "a"}, {"name": "b", "size": "c"}], [("not-a-whole-number", "x[1].size")]),
        (["a"], [("not-a-mapping", "x[0]")]),
    ],
)
def test_suboptions(value: list[object], expected: list[tuple[str, str]]) -> None:
    assert [(each.id, each.variable) for each in types.problems("x", SUBOPTIONS, value)] == expected


def test_the_nearest_choice_and_suboption() -> None:
    (choice,) = types.problems("x", {"choices": ["debian", "docker"]}, "dockr")
    assert "docker" in choice.fix
    (key,) = types.problems("x", SUBOPTIONS, [{"name": "a", "sizes": 1}])
    assert "size" in key.fix


@pytest.mark.parametrize("value", [12345, ["top-secret"], {"k": "top-secret"}])
def test_a_secret_is_not_shown(value: object) -> None:
    for option in ({"type": "str", "no_log": True}, {"type": "int", "no_log": True}):
        for problem in types.problems("x", option, value):
            assert problem.value is None
    (problem,) = types.problems("x", SUBOPTIONS, [{"name": "a", "url": 5}])
    assert problem.value is None

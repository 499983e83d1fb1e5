from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.filter.machine_first import MACHINE, PREPARED, machine_first

VARS = {
    "a": {MACHINE: {"machine": "m1"}},
    "b": {MACHINE: {"machine": "m2"}},
    "c": {MACHINE: {"machine": "m1"}},
    "d": {MACHINE: {"machine": "m1"}},
    # Not reached, and not asked.
    "e": {MACHINE: {"msg": "unreachable"}},
    "f": {},
}


@pytest.mark.parametrize(
    ("going", "expected"),
    [
        ("abcdef", {"a": "a", "b": "b", "c": "a", "d": "a", "e": "e", "f": "f"}),
        ("bcd", {"a": "c", "b": "b", "c": "c", "d": "c", "e": "e", "f": "f"}),
        ("b", {"a": "a", "b": "b", "c": "c", "d": "d", "e": "e", "f": "f"}),
    ],
)
def test_the_first_that_goes_on_prepares_the_machine(going: str, expected: dict[str, str]) -> None:
    assert machine_first("abcdef", VARS, going) == expected


def test_who_has_prepared_it_needs_not_go_on() -> None:
    prepared = VARS | {"a": {**VARS["a"], PREPARED: True}}
    assert machine_first("abcd", prepared, "d") == {"a": "a", "b": "b", "c": "a", "d": "a"}

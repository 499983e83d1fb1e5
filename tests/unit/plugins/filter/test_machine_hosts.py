from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.filter.machine_hosts import MACHINE, PREPARED, machine_hosts

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
    ("host", "going", "expected"),
    [
        ("c", "abcdef", ["a", "c", "d"]),
        ("b", "abcdef", ["b"]),
        ("c", "bcd", ["c", "d"]),
        ("e", "abcdef", ["e"]),
        ("f", "abcdef", ["f"]),
    ],
)
def test_the_first_that_goes_on_prepares_the_machine(host: str, going: str, expected: list[str]) -> None:
    assert machine_hosts(host, VARS, "abcdef", going) == expected


def test_who_has_prepared_it_needs_not_go_on() -> None:
    prepared = VARS | {"a": {**VARS["a"], PREPARED: True}}
    assert machine_hosts("d", prepared, "abcdef", "d") == ["a", "d"]

from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host.units import to_change

NAMES = ("exists", "enabled", "static", "active", "skipped", "masked")


@pytest.mark.parametrize(
    ("wanted", "is_so", "differs"),
    [
        ("started", "exists enabled active", False),
        ("started", "exists static active", False),
        ("started", "exists enabled skipped", False),
        ("started", "exists skipped", True),
        ("started", "exists enabled", True),
        ("started", "exists active", True),
        ("started", "", True),
        ("stopped", "", False),
        ("stopped", "exists", False),
        ("stopped", "exists static", False),
        ("stopped", "exists masked", False),
        ("stopped", "exists active", True),
        ("stopped", "exists enabled", True),
        ("masked", "", False),
        ("masked", "exists masked", False),
        ("masked", "exists", True),
    ],
)
def test_which_units_differ(wanted: str, is_so: str, differs: bool) -> None:
    found = {"a.service": {name: name in is_so.split() for name in NAMES}}
    assert ("a.service" in to_change({"a.service": wanted}, found, predicted=False)) is differs


def test_what_is_only_predicted_may_be_missing() -> None:
    found = {"a.service": dict.fromkeys(NAMES, False)}
    assert to_change({"a.service": "started"}, found, predicted=True) == {}

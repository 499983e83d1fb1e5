# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole numbers of settings, and the weight of the modules that the watcher keeps in memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent import bounds

ENV = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        ("12", 12),
        (-3, -3),
        ("-3", -3),
        (True, None),
        (None, None),
        (1.5, None),
        ("1.5", None),
        ("", None),
        (" 12", None),
        ("12\n", None),
        ("１２", None),  # noqa: RUF001  digits beyond ASCII
        ("9" * 5000, None),  # int() refuses so many digits
        ([1], None),
    ],
)
def test_whole(value: object, number: int | None) -> None:
    assert bounds.whole(value) == number


@pytest.mark.parametrize(
    ("value", "fits"), [(1, True), ("1", True), (5, True), (0, False), (6, False), ("6", False), (True, False)]
)
def test_both_bounds_are_included(value: object, fits: bool) -> None:
    assert (bounds.problem("session_interval", value, (1, 5)) is None) is fits


@pytest.mark.parametrize("command", ["watch", "answers"])
def test_what_always_runs_does_not_load_what_it_does_not_need(command: str) -> None:
    """The watcher runs within 30 MiB; role gateway's checks bring difflib and more, argparse gettext."""
    library = bounds.__name__.rpartition(".")[0]
    heavy = ("argparse", "difflib", "gettext", f"{library.removesuffix('.agent')}.rules")
    begun = f"import {library}.session.watcher, {library}.session.ctl as ctl; ctl.parsed([{command!r}, 'live'])"
    code = f"import sys; {begun}; print([name for name in {heavy} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV).stdout
    assert output.strip() == "[]"

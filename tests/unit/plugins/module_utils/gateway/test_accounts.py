# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import accounts


@pytest.mark.parametrize(
    ("account", "masked"),
    [
        ("DU1234567", "DU***67"),
        ("U7654321", "U***21"),
        ("F12345", "F***45"),
        ("U1234", "U***"),
        ("", "***"),
        ("1234567", "***67"),
        ("ABCDEFGHIJ", "ABC***"),
        ("DFI123456", "DFI***56"),
    ],
)
def test_mask(account: str, masked: str) -> None:
    assert accounts.mask(account) == masked


@given(st.from_regex(r"[A-Z]{0,3}[0-9]{5,10}", fullmatch=True))
def test_mask_keeps_at_most_two_digits(account: str) -> None:
    assert sum(c.isdigit() for c in accounts.mask(account)) == 2


@pytest.mark.parametrize(
    ("ids", "mode", "allowed", "reason"),
    [
        (["DU1234567"], "paper", [], None),
        (["DF1234567", "DU1234567"], "paper", [], None),
        (["U1234567", "F1234567"], "live", [], None),
        (["U1234567"], "paper", [], "U***67 is no paper account (D…)"),
        (["DU1234567"], "live", [], "DU***67 is no live account (U… or F…)"),
        (["DU1234567", "U1234599"], "paper", [], "U***99 is no paper account (D…)"),
        (["X1234567"], None, [], None),
        (["DU1234567"], None, ["DU1234567"], None),
        (["DU1234567"], "paper", ["DU1111111"], "DU***67 is not among the 1 allowed accounts"),
    ],
)
def test_misfit(ids: list[str], mode: str | None, allowed: list[str], reason: str | None) -> None:
    assert accounts.misfit(ids, mode, allowed) == reason


def test_an_adviser_is_shown_in_part() -> None:
    assert len(accounts.mask_all([f"U{n:07}" for n in range(1000)])) == accounts.SHOWN


def test_hide() -> None:
    assert accounts.hide("no U1234567, no DU1234567", ["U1234567", "DU1234567"]) == "no U***67, no DU***67"

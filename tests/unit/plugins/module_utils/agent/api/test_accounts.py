# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import accounts


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
        ("U12345\x1b[", "U***"),
    ],
)
def test_mask(account: str, masked: str) -> None:
    assert accounts.mask(account) == masked


@given(st.from_regex(r"[A-Z]{0,3}[0-9]{5,10}", fullmatch=True))
def test_mask_keeps_at_most_two_digits(account: str) -> None:
    assert sum(c.isdigit() for c in accounts.mask(account)) == 2


@pytest.mark.parametrize(
    ("text", "listed", "hidden"),
    [
        ("no U1234567, no DU1234567", ("U1234567", "DU1234567"), "no U***67, no DU***67"),
        ("Account U1234567 is closed", (), "Account U***67 is closed"),
        ("DU1234567,DF7654321/U12345678", (), "DU***67,DF***21/U***78"),
        ("for du1234567.", (), "for ***67."),
        ("user X99 holds U1234567", ("X99",), "user X*** holds U***67"),
        ("release 10.45.1j, error 2104, id F123, XU1234567, U1234567th", (), None),
    ],
)
def test_hide(text: str, listed: tuple[str, ...], hidden: str | None) -> None:
    assert accounts.hide(text, listed) == (text if hidden is None else hidden)


WRONG, DEVIATION = "wrong", "deviation"


@pytest.mark.parametrize(
    ("ids", "mode", "allowed", "verdict", "named"),
    [
        (["DU1234567"], "paper", [], None, ""),
        (["DF1234567", "DU1234567", "DI1234567"], "paper", [], None, ""),
        (["U1234567", "F1234567", "I1234567"], "live", [], None, ""),
        ([" DU1234567 ", "", "DU.12-34_5"], "paper", [], None, ""),
        (["X1234567"], None, [], None, ""),
        (["DU1234567"], None, ["DU1234567"], None, ""),
        (["DU1234567"], "paper", ["DU1234567", "DU7654321"], DEVIATION, "DU***21"),
        (["DU1234567", "DU7654321"], "paper", ["DU1234567"], DEVIATION, "DU***21"),
        (["DU1234567", "DU1111199"], "paper", ["DU1234567", "DU7654321"], DEVIATION, "DU***99"),
        (["U1234567"], "paper", [], WRONG, "U***67"),
        (["du1234567"], "live", [], WRONG, "***67"),
        (["DU1234567"], "live", [], WRONG, "DU***67"),
        (["DU1234567", "U1234599"], "paper", [], WRONG, "U***99"),
        # the mode counts for more than the list
        (["DU1234567", "U1234599"], "paper", ["DU1234567", "U1234599"], WRONG, "U***99"),
        # none of the allowed: somebody else has signed in
        (["DU1234567"], "paper", ["DU1111111"], WRONG, "DU***67"),
    ],
)
@pytest.mark.parametrize("parts", [1, 50])
def test_what_a_gateway_names(
    ids: list[str], mode: str | None, allowed: list[str], verdict: str | None, named: str, parts: int
) -> None:
    check = accounts.Check(mode, allowed)
    for part in range(parts):
        check.take(ids[part::parts])
    said = {WRONG: check.wrong, DEVIATION: None if check.wrong else check.deviation}
    assert [key for key, reason in said.items() if reason] == ([verdict] if verdict else [])
    assert named in str(said)
    assert "1234567" not in str(said)


def test_of_thousands_the_first_are_kept_and_all_are_counted() -> None:
    check = accounts.Check("paper")
    for part in range(10):
        check.take([f"DU{part}{n:06}" for n in range(10_000)])
    assert check.count == 100_000
    assert check.first == [f"DU0{n:06}" for n in range(accounts.SHOWN)]
    assert check.anew().count == 0


@pytest.mark.parametrize(
    ("entry", "mode", "fault"),
    [
        ("U1234567", "live", None),
        ("I1234567", "live", None),
        ("F1234567", "live", None),
        ("DU1234567", "paper", None),
        ("DF12", "paper", None),
        ("U1234567", None, None),
        ("U1234567", "paper", "is not an account of mode paper"),
        ("DI1234567", "live", "is not an account of mode live"),
        ("u1234567", "live", "use capitals"),
        ("DU1,DU2", "paper", "each an entry of its own"),
        (" DU1234567", "paper", "blanks around"),
        ("DU 1234567", "paper", "is not an account id"),
        ("DU1234567\x1b", "paper", "is not an account id"),
        ("DÜ1234567", "paper", "is not an account id"),
        ("", "paper", "is not an account id"),
        ("D" * 41, "paper", "is not an account id"),
        ("DU", "paper", "is not an account id"),
        ("U-1", "live", None),
        ("-U1", "live", "is not an account id"),
        ("DU1234567.", "paper", "is not an account id"),
        (1234567, "paper", "is not an account id"),
        (None, "paper", "is not an account id"),
    ],
)
def test_an_entry_of_the_inventory(entry: object, mode: str | None, fault: str | None) -> None:
    found = accounts.entry_fault(entry, mode)
    assert (fault is None) == (found is None)
    assert fault is None or fault in str(found)
    assert "1234567" not in str(found)
    assert str(found).isprintable()


@given(
    st.lists(st.from_regex(r"[DUFI][A-Z._-]{0,4}[0-9]{1,4}", fullmatch=True), max_size=9),
    st.sampled_from(["live", "paper"]),
)
def test_what_the_inventory_accepts_a_gateway_may_serve(ids: list[str], mode: str) -> None:
    """One rule for both: a list that passes the inventory is right when the gateway serves it, and the reverse."""
    check = accounts.Check(mode, ids)
    check.take(ids)
    assert any(accounts.entry_fault(each, mode) for each in ids) == (check.wrong is not None)
    assert check.deviation is None


def test_an_adviser_is_shown_in_part() -> None:
    assert len(accounts.mask_all([f"U{n:07}" for n in range(1000)])) == accounts.SHOWN


def test_hide_is_not_fooled_by_ids_of_a_mask() -> None:
    assert len(accounts.hide("A-1" * 100, ["A", "-", "1", "A-"] * 5)) < 3000

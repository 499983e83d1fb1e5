# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import ibc
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.marks import MAX_FINDS, Controller, Finding

STAMP = "2026-11-20T09:43:50.000000001Z"


@pytest.mark.parametrize("line", ["Gateway finished", "Login attempt: {}"])
@pytest.mark.parametrize("count", [1, 2, 3, 199, 200, 201, 500])
def test_of_what_is_said_too_often_the_first_ones_and_the_last_one_count(line: str, count: int) -> None:
    block = "".join(f"{line.format(number)}\nother\n" for number in range(count)).encode()
    found = [event.value for event in ibc.IBC.events(block)]
    assert len(found) == min(count, MAX_FINDS + 1) == min(count, 201)
    if line.endswith("{}"):
        assert (found[0], found[-1]) == ("0", str(count - 1))
    else:
        assert set(found) == {""}
    last = list(ibc.IBC.events(block + b"IBC is paused\nGateway finished\n"))
    assert [event.name for event in last][-2:] == ["paused", "finished"]


@pytest.mark.parametrize("header", [b"", b"\x01\0\0\0\0\0\0\x50", b"\x01\0\0\0\0\0\0\n", b"\x01\0\0\0\0\0\n\x50"])
def test_the_engines_header_and_time_are_no_part_of_a_line(header: bytes) -> None:
    front = header + STAMP.encode() + b" "
    block = front + b".> Starting IBC/IB gateway\n" + front + b"IBC is paused\n"
    assert list(ibc.IBC.events(block)) == [("container_start", "", STAMP), ("paused", "", STAMP)]


@pytest.mark.parametrize(
    ("text", "event"), [(".> Starting IBC/IB gateway", "container_start"), ("error: both", "bad_settings")]
)
@pytest.mark.parametrize("before", ["", "x", "said: ", f"{STAMP} said: "])
def test_a_mark_of_a_lines_start_is_none_within_a_line(before: str, text: str, event: str) -> None:
    found = [each.name for each in ibc.IBC.events(f"{before}{text}\n".encode())]
    assert found == ([] if before else [event])


def test_a_time_within_a_line_is_not_the_engines() -> None:
    for text in (
        f"it is now, by this machine, {STAMP} IBC is paused",
        f"123456789{STAMP} IBC is paused",
        f"IBC is paused {STAMP} ",
    ):
        assert list(ibc.IBC.events(f"{text}\n".encode())) == [("paused", "", "")]


@pytest.mark.parametrize("before", [b"", b"other\n" * 1000])
@pytest.mark.parametrize(("length", "counts"), [(0, True), (1999, True), (2000, True), (2001, False), (2100, False)])
def test_how_much_of_a_line_counts(before: bytes, length: int, counts: bool) -> None:
    block = before + STAMP.encode() + b" " + b"x" * length + b"IBC is paused\n"
    assert bool(list(ibc.IBC.events(block))) is counts


def test_a_huge_line_is_read_in_part() -> None:
    line = b"x" * 10_000_000
    assert not list(ibc.IBC.events(line + b"Login has completed\n"))
    assert not list(ibc.IBC.events(b"other\n" + line + b"Login has completed\n"))
    assert [event.name for event in ibc.IBC.events(line + b"\nLogin has completed\n")] == ["signed_in"]


def test_a_value_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    assert [event.value for event in ibc.IBC.events(b"IBC: version: 3\xff\n")] == ["3\ufffd"]


def test_a_finding_that_says_no_more_is_tried_again_by_nobody_and_stopped_gently() -> None:
    found = Finding("it is so", "do this")
    assert (found.again, found.at_once, found.of_image) == ((), False, False)


def test_a_controller_that_says_no_more_listens_early_and_reads_a_property() -> None:
    found = Controller("x", "X", {}, {}, {}, {}, "", "")
    assert (found.listens_late, found.names_pushes_late, found.password_is_property) == (False, False, True)
    assert (found.exit_codes_after_start, found.settings_codes) == ({}, frozenset())
    more = Controller("x", "X", {}, {}, {}, {}, "", "", exit_codes_after_start={1: "a stop"})
    assert more.exit_codes_after_start == {1: "a stop"}

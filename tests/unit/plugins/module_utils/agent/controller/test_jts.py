from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.jts import keys, reconcile

WANTED = "[IBGateway]\nApiOnly=true\n[Logon]\nTimeZone=America/New_York\ns3store=true\n"
REWRITTEN = (
    "#Sat Nov 21 10:00:00 EST 2026\r\n[Logon]\r\ns3store=true\r\nTimeZone=America/New_York\r\n"
    "SupportsSSL=h1:4000,true\r\n"
    "[ns]\r\nFarm=usfarm\r\n[IBGateway]\r\nLocalServerPort=4000\r\nApiOnly=true\r\n[Communication]\r\nRegion=us\r\n"
)
NAME = st.text("abcXYZ", min_size=1, max_size=4)
INI = st.dictionaries(st.tuples(NAME, NAME), NAME, max_size=6).map(
    lambda entries: "".join(f"[{section}]\n{key}={value}\n" for (section, key), value in entries.items())
)


def test_an_empty_file_becomes_the_wanted_one() -> None:
    assert reconcile("", WANTED) == WANTED


def test_what_the_gateway_rewrote_is_no_change() -> None:
    assert reconcile(REWRITTEN, WANTED) is REWRITTEN


def test_a_changed_zone_arrives_and_the_rest_stays() -> None:
    reconciled = reconcile(REWRITTEN, WANTED.replace("America/New_York", "Europe/London"))
    assert keys(reconciled) == keys(REWRITTEN) | {("Logon", "TimeZone"): "Europe/London"}


@pytest.mark.parametrize(
    ("current", "reconciled"),
    [
        ("[Logon]\nLocale=en\n[ns]\na=1\n", "[Logon]\nLocale=en\nTimeZone=UTC\n[ns]\na=1\n"),
        ("[ns]\na=1", "[ns]\na=1\n[Logon]\nTimeZone=UTC\n"),
        ("[Logon]\n TimeZone = GMT \n", "[Logon]\nTimeZone=UTC\n"),
        ("TimeZone=GMT\n", "TimeZone=GMT\n[Logon]\nTimeZone=UTC\n"),
        ("[Logon]\nTimeZone=\n", "[Logon]\nTimeZone=UTC\n"),
    ],
)
def test_where_a_key_goes(current: str, reconciled: str) -> None:
    assert reconcile(current, "[Logon]\nTimeZone=UTC\n") == reconciled


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\f", "\x1c", "\x0b", "\u2029", "\x1d", "\x1e"])
def test_what_is_no_line_end_for_java_stays_in_its_value(odd: str) -> None:
    current = f"[ns]\nFarm=us{odd}farm=1\nTimeZone=GMT\r\n[Logon]\r\nPeer={odd}a{odd}\r\n"
    reconciled = reconcile(current, "[Logon]\nTimeZone=UTC\n")
    assert keys(reconciled) == keys(current) | {("Logon", "TimeZone"): "UTC"}
    assert keys(reconciled)["ns", "Farm"] == f"us{odd}farm=1"
    assert f"Peer={odd}a{odd}\n" in reconciled
    assert reconcile(reconciled, "[Logon]\nTimeZone=UTC\n") is reconciled


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_of_javas_line_ends_is_one(end: str) -> None:
    assert keys(f"[a]{end}b=1{end}{end}c=2") == {("a", "b"): "1", ("a", "c"): "2"}


@given(INI, INI)
def test_wanted_keys_hold_others_stay_and_a_second_run_is_no_change(current: str, wanted: str) -> None:
    once = reconcile(current, wanted)
    assert keys(once) == keys(current) | keys(wanted)
    assert reconcile(once, wanted) is once

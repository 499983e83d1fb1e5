from __future__ import annotations

import typing as t
import xml.etree.ElementTree as xml
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.plugins import live_facts as made
from tests.unit.plugins.live_facts import NOW, at, event, live, state

from ansible_collections.ibops.gateway.plugins.module_utils.report.picture import (
    COLOURS,
    SEVEN_DAYS,
    intervals,
    lasting,
    midnights,
    picture,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"
BEGIN = NOW - SEVEN_DAYS


def week(*events: dict[str, t.Any], **session: object) -> dict[str, t.Any]:
    return {"checked_at": NOW, "mode": "live", "history": {"events": list(events)}, "session": session}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (week(), [(BEGIN, "unknown")]),
        (week(state(10, "10:00:00", "ready")), [(BEGIN, "ready")]),
        (week(state(25, "10:00:00", "ready")), [(BEGIN, "unknown"), (at(25, "10:00:00"), "ready")]),
        (week(state(25, "10:00:00", "nonsense")), [(BEGIN, "unknown")]),
        # One state in two events is one span.
        (week(event(25, "10:00:00", "stop"), state(25, "10:00:30", "stopped")),
         [(BEGIN, "unknown"), (at(25, "10:00:00"), "stopped")]),
        # Of two at one moment, the later one holds.
        (week(state(25, "10:00:00", "ready"), state(25, "10:00:00", "degraded")),
         [(BEGIN, "unknown"), (at(25, "10:00:00"), "degraded")]),
        # A block by the watcher: its action has a cause.
        (week(event(25, "10:00:00", "kill", cause="sign_in_asked")),
         [(BEGIN, "unknown"), (at(25, "10:00:00"), "blocked")]),
        # The record takes precedence.
        (week(event(25, "10:00:00", "start"), state="ready", since=at(25, "10:01:00")),
         [(BEGIN, "unknown"), (at(25, "10:00:00"), "starting"), (at(25, "10:01:00"), "ready")]),
        (week(state(20, "10:00:01", "ready"), state="stopped", since=at(1, "10:00:00")), [(BEGIN, "stopped")]),
        (week(state(25, "10:00:00", "ready"), state="stopped", since=0.0),
         [(BEGIN, "unknown"), (at(25, "10:00:00"), "ready")]),
        # A clock that was ahead.
        (week({"at": NOW + 5, "event": "state", "state": "ready"}), [(BEGIN, "unknown")]),
    ],
)  # fmt: skip
def test_the_states_of_a_week(facts: dict[str, t.Any], expected: list[tuple[float, str]]) -> None:
    spans = intervals(facts)
    assert [(span["start"], span["state"]) for span in spans] == expected
    assert spans[-1]["end"] == NOW


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        (week(), []),
        (week(event(25, "10:00:00", "sign_in")), ["sign_in"]),
        (week(event(12, "10:00:00", "sign_in")), []),
        # The record knows of one that nobody noted, and of one that somebody did.
        (week(signed_in_at=at(22, "09:12:00")), ["sign_in"]),
        (week(event(22, "09:12:00", "sign_in"), signed_in_at=at(22, "09:12:03")), ["sign_in"]),
        (week(signed_in_at=at(12, "09:12:00")), []),
        # The daily restart, and a RESTART that was noted.
        (week(state(25, "10:00:00", "ready"), state(25, "22:00:00", "starting")), ["start"]),
        (week(state(25, "10:00:00", "ready"), event(25, "21:59:30", "restart"), state(25, "22:00:00", "starting")),
         ["start"]),
        (week(state(25, "10:00:00", "stopped"), state(25, "22:00:00", "starting")), []),
        (week(event(25, "10:00:00", "stop", cause="push_missed")), ["blocked"]),
        (week(event(25, "10:00:00", "failed", "stop: no answer")), ["failed"]),
        (week(event(25, "10:00:00", "sign_in_step", step="push")), []),
    ],
)  # fmt: skip
def test_what_happened_in_a_week(facts: dict[str, t.Any], kinds: list[str]) -> None:
    assert [tick["kind"] for tick in ticks(facts)] == kinds


def test_days_are_new_yorks_also_when_its_clock_changes() -> None:
    end = made.datetime(2026, 11, 4, 12, tzinfo=made.NEW_YORK).timestamp()
    days = midnights(end - SEVEN_DAYS, end)
    assert [day.day for day in days] == [29, 30, 31, 1, 2, 3, 4]
    lengths = [(after.timestamp() - day.timestamp()) / 3600 for day, after in pairwise(days)]
    assert lengths == [24, 24, 24, 25, 24, 24]


@pytest.mark.parametrize(
    ("seconds", "said"), [(-5, "0 min"), (59, "0 min"), (3599, "59 min"), (3600, "1 h 0 min"), (90061, "1 d 1 h")]
)
def test_how_long(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


def spans_of(svg: xml.Element) -> list[tuple[float, float, str]]:
    found = [rect for rect in svg.iter(f"{SVG}rect") if rect.get("class") == "span"]
    return [(float(rect.attrib["x"]), float(rect.attrib["width"]), rect.attrib["fill"]) for rect in found]


def check(text: str) -> xml.Element:
    svg = xml.fromstring(text)
    spans = spans_of(svg)
    assert spans[0][0] == pytest.approx(10)
    for (left, width, _fill), (following, _width, _colour) in pairwise(spans):
        assert left + width == pytest.approx(following, abs=0.011)
    assert spans[-1][0] + spans[-1][1] == pytest.approx(1070, abs=0.011)
    return svg


@pytest.mark.parametrize(
    "facts", [live(), made.bad(), made.paper(), week(), {}], ids=["good", "bad", "paper", "empty", "nothing"]
)
def test_the_picture(facts: dict[str, t.Any]) -> None:
    svg = check(picture(facts))
    titles = [title.text or "" for title in svg.iter(f"{SVG}title")]
    assert all(titles)
    labels = [text.text or "" for text in svg.iter(f"{SVG}text")]
    # Each state of the lane is in the legend, with its time.
    for span in intervals(facts):
        assert any(label.startswith(f"{span['state']} ") for label in labels)


def test_the_good_weeks_picture_tells_its_sign_in_its_restarts_and_its_days() -> None:
    svg = check(picture(live()))
    titles = [title.text or "" for title in svg.iter(f"{SVG}title")]
    assert "Sun 09:12 signed in (the operator)" in titles
    assert titles.count("Mon 22:00 restarted without a sign-in") == 1
    labels = [text.text for text in svg.iter(f"{SVG}text")]
    days = [
        f"{name} {day} Nov" for name, day in zip(("Sat", "Sun", "Mon", "Tue", "Wed", "Thu"), range(21, 27), strict=True)
    ]
    assert [label for label in labels if label in days] == days
    assert "7 starts" in labels


def test_a_blocked_week_has_crosses_with_their_reasons() -> None:
    titles = [title.text or "" for title in xml.fromstring(picture(made.bad())).iter(f"{SVG}title")]
    assert "Thu 03:12 the live gateway is down, and a start would send a push" in titles


def test_every_state_has_a_colour_of_its_own() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS) == 7


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
MOMENTS = st.one_of(st.floats(BEGIN - 1e6, NOW + 1e6), st.sampled_from([BEGIN, NOW, at(25, "10:00:00")]), ANYTHING)
NAMES = st.one_of(
    st.sampled_from(
        ["state", "stop", "kill", "start", "restart", "resume", "pause", "sign_in", "blocked", "none", "failed"]
    ),
    ANYTHING,
)
STATES = st.one_of(st.sampled_from([*COLOURS]), ANYTHING)
EVENTS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"at": MOMENTS, "event": NAMES},
            optional={"text": ANYTHING, "state": STATES, "cause": ANYTHING, "by": ANYTHING},
        ),
        ANYTHING,
    ),
    max_size=12,
)
SESSIONS = st.fixed_dictionaries({}, optional={"since": MOMENTS, "state": STATES, "signed_in_at": MOMENTS})


@given(EVENTS, SESSIONS, st.sampled_from(["live", "paper", None]))
def test_any_history_gives_a_lane_without_gaps_and_without_overlaps(
    events: list[t.Any], session: dict[str, t.Any], mode: str | None
) -> None:
    facts = {"checked_at": NOW, "mode": mode, "history": {"events": events}, "session": session}
    spans = intervals(facts)
    assert spans[0]["start"] == BEGIN
    assert spans[-1]["end"] == NOW
    assert all(span["start"] < span["end"] for span in spans)
    for span, following in pairwise(spans):
        assert span["end"] == following["start"]
        assert span["state"] != following["state"]
    marks = ticks(facts)
    assert [mark["at"] for mark in marks] == sorted(mark["at"] for mark in marks)
    check(picture(facts))

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the live check: the states of the last seven days, what happened in them, and both as SVG. Pure.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import math
import typing as t
import xml.etree.ElementTree as xml
from datetime import datetime, time, timedelta

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy, week
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable

LIVE = "live"
SEVEN_DAYS = 7 * 86400.0
Facts = c.Mapping[str, t.Any]


def new_york(at: float, form: str = "%A %Y-%m-%d %H:%M") -> str:
    return policy.moment(at).astimezone(week.NEW_YORK).strftime(form)


def lasting(seconds: float) -> str:
    minutes = max(int(seconds // 60), 0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min"


def many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


UNKNOWN = "unknown"
# The state implied by events that do not record one.
_AFTER = {
    "stop": verdicts.STOPPED,
    "kill": verdicts.STOPPED,
    "pause": verdicts.STOPPED,
    "start": verdicts.STARTING,
    "restart": verdicts.STARTING,
    "resume": verdicts.READY,
    "sign_in": verdicts.READY,
    "blocked": verdicts.BLOCKED,
}


class Kind(t.NamedTuple):
    """A mark above the lane: its label, shape, colour and row, and the events that it stands for."""

    word: str
    shape: str
    colour: str
    line: int
    events: tuple[str, ...]


KINDS = {
    "sign_in": Kind("sign-in", "triangle", "#004488", 0, ("sign_in",)),
    "start": Kind("start", "circle", "#000000", 1, ("start", "restart", "resume")),
    "blocked": Kind("block", "cross", "#a00000", 2, ("blocked",)),
    "failed": Kind("failure", "square", "#a00000", 2, ("failed",)),
}
# Notes of one occurrence by two parties, the watcher and the actor, are at most this far apart.
SAME_SECONDS = 300.0


def _events_of(facts: Facts) -> list[Facts]:
    """The events with a valid time, oldest first, none later than the check."""
    now = float(facts.get("checked_at") or 0.0)
    found = (facts.get("history") or {}).get("events") or []
    sound = [
        each
        for each in found
        if isinstance(each, c.Mapping)
        and isinstance(each.get("at"), int | float)
        and not isinstance(each["at"], bool)
        and math.isfinite(each["at"])
        and each["at"] <= now
    ]
    return sorted(sound, key=lambda each: float(each["at"]))


def _state_after(event: Facts) -> str | None:
    if event.get("cause"):
        return verdicts.BLOCKED
    if event.get("event") == "state":
        state = event.get("state")
        return state if state in verdicts.GATEWAY_STATES else UNKNOWN
    return _AFTER.get(str(event.get("event")))


def intervals(facts: Facts) -> list[dict[str, t.Any]]:
    """The states of the last seven days, ``{start, end, state}``, without gaps or overlaps."""
    now = float(facts.get("checked_at") or 0.0)
    begin = now - SEVEN_DAYS
    changes = [(float(each["at"]), state) for each in _events_of(facts) if (state := _state_after(each))]
    session: Facts = facts.get("session") or {}
    since, state = session.get("since"), session.get("state")
    if state in verdicts.GATEWAY_STATES and isinstance(since, int | float) and 0 < since <= now:
        # From then on the record's state holds, whatever was noted on the way there.
        changes = [each for each in changes if each[0] < since] + [(float(since), state)]
    found: list[dict[str, t.Any]] = [{"start": begin, "state": UNKNOWN}]
    for at, state in changes:
        start = max(at, begin)
        if found[-1]["start"] >= start:
            found.pop()
        if not found or found[-1]["state"] != state:
            found.append({"start": start, "state": state})
    ends = [each["start"] for each in found[1:]] + [now]
    return [
        {"start": each["start"], "end": end, "state": each["state"]}
        for each, end in zip(found, ends, strict=True)
        if end > each["start"]
    ]


def ticks(facts: Facts) -> list[dict[str, t.Any]]:
    """Return the events of the last seven days, ``{at, kind, title}`` each, oldest first."""
    begin = float(facts.get("checked_at") or 0.0) - SEVEN_DAYS
    found: list[dict[str, t.Any]] = []

    def add(at: float, kind: str, title: str) -> None:
        if begin <= at <= begin + SEVEN_DAYS:
            found.append({"at": at, "kind": kind, "title": printable(title)})

    def noted(at: float, kind: str) -> bool:
        return any(each["kind"] == kind and abs(each["at"] - at) < SAME_SECONDS for each in found)

    running = False
    for event in _events_of(facts):
        at, name, state = float(event["at"]), str(event.get("event")), _state_after(event)
        kind = "blocked" if event.get("cause") else next((kind for kind in KINDS if name in KINDS[kind].events), None)
        if kind:
            by = f" ({event['by']})" if event.get("by") else ""
            add(at, kind, f"{event.get('text') or name}{by}")
        elif running and state == verdicts.STARTING and not noted(at, "start"):
            add(at, "start", "restarted without a sign-in")
        if state and name != "start":
            running = state in (verdicts.READY, verdicts.DEGRADED)
    signed_in = (facts.get("session") or {}).get("signed_in_at")
    if isinstance(signed_in, int | float) and not noted(float(signed_in), "sign_in"):
        add(float(signed_in), "sign_in", "signed in")
    return sorted(found, key=lambda each: float(each["at"]))


def midnights(begin: float, end: float) -> list[datetime]:
    """Midnights in New York between two moments."""
    day = policy.moment(begin).astimezone(week.NEW_YORK).date()
    found: list[datetime] = []
    while True:
        day += timedelta(days=1)
        midnight = datetime.combine(day, time(), week.NEW_YORK)
        if midnight.timestamp() >= end:
            return found
        found.append(midnight)


# Okabe and Ito's colours, distinguishable with any kind of colour blindness; each state is also labelled.
COLOURS = {
    verdicts.READY: "#009e73",
    verdicts.STARTING: "#56b4e9",
    verdicts.WAITING_2FA: "#f0e442",
    verdicts.DEGRADED: "#e69f00",
    verdicts.BLOCKED: "#d55e00",
    verdicts.STOPPED: "#bbbbbb",
    UNKNOWN: "#ffffff",
}
_WIDTH, _LEFT, _RIGHT = 1080.0, 10.0, 10.0
_MARKS_Y, _MARK_LINE, _LANE_Y, _LANE_HEIGHT, _DAYS_Y = 10.0, 16.0, 56.0, 44.0, 118.0
_LEGEND_Y, _LEGEND_LINE, _HEIGHT = 148.0, 24.0, 182.0
_CHARACTER = 7.2


def picture(facts: Facts) -> str:
    """The week as SVG: a lane with the states, New York's days below it, and marks above it."""
    now = float(facts.get("checked_at") or 0.0)
    begin = now - SEVEN_DAYS

    def x(at: float) -> float:
        return _LEFT + (at - begin) / SEVEN_DAYS * (_WIDTH - _LEFT - _RIGHT)

    svg = xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
            "role": "img",
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
        },
    )
    xml.SubElement(svg, "title").text = "States of the gateway over the last seven days"
    _hatch(svg)
    spans, marks = intervals(facts), ticks(facts)
    for span in spans:
        _span(svg, x(span["start"]), x(span["end"]), span)
    _frame(svg)
    for midnight in midnights(begin, now):
        at = x(midnight.timestamp())
        _line(svg, at, _LANE_Y, _LANE_Y + _LANE_HEIGHT, {"stroke": "#000000", "stroke-opacity": "0.3"})
        _line(svg, at, _LANE_Y + _LANE_HEIGHT, _DAYS_Y, {"stroke": "#444444"})
        # A label without room before the end would leave the picture.
        if at < _WIDTH - 70:
            _text(svg, at + 5, _DAYS_Y, f"{midnight:%a %d %b}", "#444444")
    death = week.last_token_death(policy.moment(now)).timestamp()
    if death > begin and facts.get("mode") == LIVE:
        style = {"stroke": "#000000", "stroke-dasharray": "4 3", "stroke-width": "2"}
        line = _line(svg, x(death), _LANE_Y - 6, _LANE_Y + _LANE_HEIGHT + 6, style)
        xml.SubElement(line, "title").text = f"{week.VOIDED}: IBKR voids every sign-in"
    for span in spans:
        _label(svg, x(span["start"]), x(span["end"]), str(span["state"]))
    for mark in marks:
        y = _MARKS_Y + KINDS[mark["kind"]].line * _MARK_LINE
        _mark(svg, x(mark["at"]), y, mark["kind"], f"{new_york(mark['at'], '%a %H:%M')} {mark['title']}")
    _legend(svg, spans, marks)
    return xml.tostring(svg, encoding="unicode")


_STRIP_WIDTH, _STRIP_HEIGHT = 700.0, 14.0


def strip(facts: Facts) -> str:
    """The week as a lane alone, that stretches to its place; a page with strips has :func:`key` once."""
    now = float(facts.get("checked_at") or 0.0)
    begin = now - SEVEN_DAYS

    def x(at: float) -> float:
        return (at - begin) / SEVEN_DAYS * _STRIP_WIDTH

    box = f"0 0 {_STRIP_WIDTH:.0f} {_STRIP_HEIGHT:.0f}"
    svg = xml.Element("svg", {"class": "strip", "viewBox": box, "role": "img", "preserveAspectRatio": "none"})
    xml.SubElement(svg, "title").text = "States of the gateway over the last seven days"
    for span in intervals(facts):
        _span(svg, x(span["start"]), x(span["end"]), span, (0.0, _STRIP_HEIGHT))
    for midnight in midnights(begin, now):
        style = {"stroke": "#000000", "stroke-opacity": "0.3"}
        _line(svg, x(midnight.timestamp()), 0.0, _STRIP_HEIGHT, style)
    return xml.tostring(svg, encoding="unicode")


def key() -> str:
    """The colours of the states with their names, for a page of strips."""
    svg = xml.Element("svg", {"width": "0", "height": "0", "aria-hidden": "true"})
    _hatch(svg)
    places = [xml.tostring(svg, encoding="unicode")]
    for state in COLOURS:
        box = xml.Element("svg", {"viewBox": "0 0 14 14", "class": "key", "aria-hidden": "true"})
        xml.SubElement(box, "rect", {"width": "14", "height": "14", "fill": _fill(state), "stroke": "#444444"})
        places.append(f"<span>{xml.tostring(box, encoding='unicode')} {state}</span>")
    return "\n".join(places)


def _hatch(svg: xml.Element) -> None:
    pattern = xml.SubElement(
        xml.SubElement(svg, "defs"),
        "pattern",
        {"id": "unknown", "width": "6", "height": "6", "patternUnits": "userSpaceOnUse"},
    )
    xml.SubElement(pattern, "path", {"d": "M0 6 L6 0", "stroke": "#999999", "stroke-width": "1"})


def _fill(state: str) -> str:
    return "url(#unknown)" if state == UNKNOWN else COLOURS[state]


def _span(
    svg: xml.Element, left: float, right: float, span: Facts, lane: tuple[float, float] = (_LANE_Y, _LANE_HEIGHT)
) -> None:
    state = str(span["state"])
    group = xml.SubElement(svg, "g")
    times = f"{new_york(span['start'], '%a %H:%M')} to {new_york(span['end'], '%a %H:%M')}"
    xml.SubElement(group, "title").text = f"{state}, {times}, {lasting(span['end'] - span['start'])}"
    xml.SubElement(
        group,
        "rect",
        {
            "class": "span",
            "x": f"{left:.2f}",
            "y": f"{lane[0]:.0f}",
            "width": f"{right - left:.2f}",
            "height": f"{lane[1]:.0f}",
            "fill": _fill(state),
        },
    )


def _label(svg: xml.Element, left: float, right: float, state: str) -> None:
    """The state's name if it fits, readable across a line."""
    if right - left > (len(state) + 2) * _CHARACTER:
        text = _text(svg, left + 7, _LANE_Y + _LANE_HEIGHT / 2 + 4, state, "#000000")
        text.attrib |= {"stroke": COLOURS[state], "stroke-width": "3", "paint-order": "stroke"}


def _frame(svg: xml.Element) -> None:
    xml.SubElement(
        svg,
        "rect",
        {
            "x": f"{_LEFT:.0f}",
            "y": f"{_LANE_Y:.0f}",
            "width": f"{_WIDTH - _LEFT - _RIGHT:.0f}",
            "height": f"{_LANE_HEIGHT:.0f}",
            "fill": "none",
            "stroke": "#444444",
        },
    )


def _line(svg: xml.Element, x: float, top: float, bottom: float, style: dict[str, str]) -> xml.Element:
    ends = {"x1": f"{x:.2f}", "x2": f"{x:.2f}", "y1": f"{top:.0f}", "y2": f"{bottom:.0f}"}
    return xml.SubElement(svg, "line", ends | style)


def _text(parent: xml.Element, x: float, y: float, text: str, colour: str) -> xml.Element:
    element = xml.SubElement(parent, "text", {"x": f"{x:.2f}", "y": f"{y:.2f}", "fill": colour})
    element.text = text
    return element


def _mark(parent: xml.Element, x: float, y: float, kind: str, title: str = "") -> None:
    shape, colour = KINDS[kind].shape, KINDS[kind].colour
    paths = {
        "triangle": f"M{x:.2f} {y + 7:.2f} l-6 -11 h12 z",
        "circle": f"M{x - 4:.2f} {y + 2:.2f} a4 4 0 1 0 8 0 a4 4 0 1 0 -8 0 z",
        "cross": f"M{x - 5:.2f} {y - 3:.2f} l10 10 m0 -10 l-10 10",
        "square": f"M{x - 4:.2f} {y - 2:.2f} h8 v8 h-8 z",
    }
    style = (
        {"fill": "none", "stroke": colour, "stroke-width": "3"}
        if shape == "cross"
        else {"fill": colour if shape != "circle" else "#ffffff", "stroke": colour, "stroke-width": "1.5"}
    )
    mark = xml.SubElement(parent, "path", {"d": paths[shape], **style})
    if title:
        xml.SubElement(mark, "title").text = title


def _legend(svg: xml.Element, spans: c.Sequence[Facts], marks: c.Sequence[Facts]) -> None:
    x = _LEFT
    hours: dict[str, float] = {}
    for span in spans:
        hours[span["state"]] = hours.get(span["state"], 0.0) + span["end"] - span["start"]
    for state in COLOURS:
        if state in hours:
            box = {"x": f"{x:.2f}", "y": f"{_LEGEND_Y - 11:.0f}", "width": "14", "height": "14"}
            xml.SubElement(svg, "rect", {**box, "fill": _fill(state), "stroke": "#444444"})
            label = f"{state} {lasting(hours[state])}"
            _text(svg, x + 20, _LEGEND_Y, label, "#000000")
            x += 20 + (len(label) + 2) * _CHARACTER
    x, y = _LEFT, _LEGEND_Y + _LEGEND_LINE
    for kind in KINDS:
        count = sum(mark["kind"] == kind for mark in marks)
        if count:
            _mark(svg, x + 7, y - 6, kind)
            label = many(count, KINDS[kind].word)
            _text(svg, x + 20, y, label, "#000000")
            x += 20 + (len(label) + 2) * _CHARACTER

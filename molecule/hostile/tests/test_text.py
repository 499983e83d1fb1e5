"""Text from the container: printable, bounded, and without terminal control sequences."""

from __future__ import annotations

import json
import typing as t
import unicodedata

import pytest

# A bell, a cleared screen, a colour, right-to-left text, and a second line after a supposed end.
OWNED = r"\x1b[2J\x07\u202egnihton\u2066\x9b31m\x85owned"
OPENED = "2026-11-30 12:00:00:000 IBC: detected dialog entitled: {}; event=Opened"
# A gateway that has not signed in, whose last dialog is told.
SIGNING_IN = (
    "2026-11-30 12:00:00:000 IBC: Starting session: will exit if login dialog is not displayed within 120 seconds",
    "2026-11-30 12:00:00:000 IBC: Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT",
)
SAID = {
    "dialog": (*SIGNING_IN, OPENED.format(OWNED)),
    "long_dialog": (*SIGNING_IN, OPENED.format(OWNED + "x" * 20_000)),
    "version": (f".>\t\tVersion: 10.45{OWNED}", f"2026-11-30 12:00:00:000 IBC: version: 3{OWNED}", *SIGNING_IN),
    "settings": (f".> Invalid TRADING_MODE: {OWNED}{'x' * 5000}",),
}
LONGEST = 16_384


def obeyed(text: str) -> set[str]:
    """Return the characters that are not for reading."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") and char not in "\n\t\r"}


def texts(data: object) -> str:
    """All texts in JSON data, as a reader receives them."""
    if isinstance(data, dict):
        return texts([*data, *data.values()])
    return "".join(f"{texts(each)}\n" for each in data) if isinstance(data, list) else str(data)


@pytest.mark.parametrize("kind", SAID)
def test_text_of(paper: t.Any, play: t.Callable[..., t.Any], kind: str) -> None:
    machine, told = paper.machine, len(paper.machine.alerts())
    since = machine.out("date +@%s")
    paper.attack("say", *SAID[kind])
    paper.until(lambda record: record["state"] != "ready", 30)
    shown = machine.run("ibgwctl status paper; ibgwctl history paper")
    module = play("playbooks/status.yml", "paper", "-v")
    sinks = {
        "terminal": shown.stdout + shown.stderr,
        "json": texts(json.loads(machine.run("ibgwctl status paper --json").stdout)),
        "state": texts(paper.record()),
        "journal": machine.out(f"journalctl --output=cat --all --since='{since}' -u ibgw-watch@paper"),
        "alerts": texts(machine.alerts(told)),
        "module": module.printed,
    }
    assert {name: obeyed(text) for name, text in sinks.items() if obeyed(text)} == {}
    assert {name: len(text) for name, text in sinks.items() if len(text) > LONGEST} == {}

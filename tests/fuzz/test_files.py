"""Files that are read back: state, history, plan, descriptor and alerts, of any content."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.documents import VALUES, changed, contents

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, descriptor, plan, store

DESCRIPTOR: dict[str, Any] = {
    "name": "paper",
    "mode": "paper",
    "container": "ibgw-paper",
    "image": "registry/image@sha256:00",
    "host": "127.0.0.1",
    "port": 4002,
    "client_id": 917,
    "accounts": ["DU1234567"],
    "command_port": 7462,
    "settings_dir": "/opt/ibgw/paper",
    "revision": "r1",
}
RECORD = dataclasses.asdict(store.Record("paper", "paper")) | {
    "grant": dataclasses.asdict(store.Grant("x", "manual", 1.0, 2.0)),
    "schema": 1,
}
PLAN = json.loads(json.dumps(dataclasses.asdict(plan.Plan())))
ALERT = dataclasses.asdict(alerts.Alert("state/x", "paper", "host", "warning", "title", "text", "step", 1.0))
OUTBOX = {"told": {"state/blocked": 1.0}, "pending": [{"alert": ALERT, "got": []}], "rests": {"webhook/0": [1.0, 10.0]}}


def types_of(kind: Any) -> dict[str, type]:
    """The fields of a dataclass with the type that its content must have; only those that are one plain type."""
    hints = typing.get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if hint in (str, int, float, bool)}


def assert_types(value: Any) -> None:
    for name, kind in types_of(type(value)).items():
        found = getattr(value, name)
        assert isinstance(found, kind) or (kind is float and isinstance(found, int)), (name, found)


def assert_read_or_refused(load: Callable[[str], Any], path: Path, content: bytes) -> None:
    """The file of gateway paper is read by its types, twice the same, or refused by DescriptorError."""
    path.write_bytes(content)
    try:
        found = load("paper")
    except descriptor.DescriptorError:
        return
    assert_types(found)
    assert found == load("paper")


@given(contents(DESCRIPTOR))
def test_a_descriptor(host: Path, content: bytes) -> None:
    assert_read_or_refused(descriptor.load, host / "gateway.json", content)


@given(contents(PLAN))
def test_a_plan(host: Path, content: bytes) -> None:
    assert_read_or_refused(plan.load, host / "session.json", content)


@given(contents(RECORD))
def test_the_state(host: Path, content: bytes) -> None:
    """It is read as it is or refused by ValueError; load goes on with a record that can be saved, whatever it was."""
    memory = store.Store("paper")
    (host / "session" / "state.json").write_bytes(content)
    try:
        before = memory.read()
    except ValueError:
        before = None
    found = memory.load("paper")
    assert before is None or found == before
    assert_types(found)
    assert found.grant is None or isinstance(found.grant, store.Grant)
    memory.save(found)
    assert memory.read() == found


EVENT = {"at": 1.0, "event": "started", "text": "it started"}


@given(st.lists(contents(EVENT) | st.just(json.dumps(EVENT).encode()), max_size=6), st.floats(0, 10))
def test_the_history(host: Path, lines: list[bytes], since: float) -> None:
    memory = store.Store("paper")
    (host / "session" / "history.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    found = memory.history(since)
    assert all(isinstance(event, dict) and event["at"] > since for event in found)
    assert len(found) >= (lines.count(json.dumps(EVENT).encode()) if since < 1 else 0)
    assert found == memory.history(since)
    assert memory.history(since, last=1) == found[-1:]
    memory.note("started", "again", 20.0)
    assert memory.history(since)[-1]["text"] == "again"


def outboxes() -> st.SearchStrategy[bytes]:
    """An outbox with another value anywhere, also in an alert and in what a channel has got."""
    inner = st.fixed_dictionaries({"alert": changed(ALERT) | VALUES, "got": st.just([]) | VALUES})
    whole = st.fixed_dictionaries(
        {"told": st.just({}) | VALUES, "pending": st.lists(inner, max_size=2), "rests": VALUES}
    )
    return contents(OUTBOX) | whole.map(lambda value: json.dumps(value).encode())


@given(outboxes())
def test_the_alerts(host: Path, content: bytes) -> None:
    """Whatever the file holds, an alert that is put after it is told, and the file is a whole one again."""
    (host / "session" / "alerts.json").write_bytes(content)
    outbox = alerts.Outbox(str(host / "session"), lambda: 100.0)
    outbox.forget("key")
    assert outbox.put(alerts.Alert(**{**ALERT, "at": 100.0, "key": "key"}))
    outbox.flush([], 0.1)
    json.loads((host / "session" / "alerts.json").read_text())


@given(contents({"channels": []}) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_the_channels(host: Path, content: bytes) -> None:
    path = host / "channels.json"
    path.write_bytes(content)
    try:
        found = alerts.load(str(path))
    except alerts.ChannelsError:
        return
    assert alerts.problems(found) == []

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent import record_file
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import tickle
from ansible_collections.ibops.gateway.plugins.module_utils.agent.record_file import DamagedError, build, parse, read
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    alerts,
    ctl,
    descriptor,
    health,
    plan,
    policy,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Alert, Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Grant, Record, Store
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher
from ansible_collections.ibops.gateway.plugins.module_utils.host import pending

NOW = 1_796_000_000.0
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([10**400, 1e308, -1, "ready", "blocked", "\ud800", NOW, "live", "sign_in"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=6,
)


@dataclasses.dataclass(frozen=True)
class Inner:
    name: str


@dataclasses.dataclass(frozen=True)
class Outer:
    count: int
    at: float | None = None
    flag: bool = False
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    names: frozenset[str] = frozenset()
    table: dict[str, int] = dataclasses.field(default_factory=dict)
    anything: Any = None


def test_every_kind_of_field_is_built() -> None:
    data = {
        "schema": 1, "count": 2, "at": 3, "flag": True, "inner": {"name": "x"}, "many": [{"name": "y"}],
        "names": ["z"], "table": {"a": 1}, "anything": [1], "of_a_later_release": {},
    }  # fmt: skip
    assert build(Outer, data) == Outer(2, 3, True, Inner("x"), (Inner("y"),), frozenset({"z"}), {"a": 1}, [1])
    assert build(Outer, {"count": 0}) == Outer(0)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"count": "2"}, "count"),
        ({"count": 2.5}, "count"),
        ({"count": True}, "count"),
        ({"count": -1}, "count"),
        ({"count": 10**11}, "count"),
        ({"count": None}, "count"),
        ({"at": "noon"}, "at"),
        ({"at": 1e300}, "at"),
        ({"at": float("nan")}, "at"),
        ({"flag": 1}, "flag"),
        ({"inner": []}, "inner"),
        ({"inner": {}}, "inner.name"),
        ({"inner": {"name": 1}}, "inner.name"),
        ({"many": {}}, "many"),
        ({"many": [{"name": "x"}, {"name": None}]}, "many[1].name"),
        ({"names": [["x"]]}, "names[0]"),
        ({"names": "xyz"}, "names"),
        ({"table": {"a": "b"}}, "table.*"),
        ({"table": []}, "table"),
        ({"inner": {"name": "\ud800"}}, "inner.name"),
        ({"schema": 2}, "schema"),
    ],
)
def test_the_place_of_the_fault_is_named(change: dict[str, Any], place: str) -> None:
    with pytest.raises(DamagedError) as fault:
        build(Outer, {"count": 1} | change)
    assert str(fault.value).split()[0] == place


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"[" * 100_000,
        b"1" * 100_000,
        b"\0",
        b"{}x",
        b'"\xed\xa0\x80"',
    ],
)
def test_what_is_not_json(data: bytes) -> None:
    with pytest.raises(DamagedError):
        parse(data)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/passwd", path)])
def test_what_is_not_a_file_is_not_read(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "state.json")
    with pytest.raises(DamagedError):
        read(str(tmp_path / "state.json"))
    (tmp_path / "large").write_bytes(b" " * record_file.FILE_BYTES + b"{}")
    with pytest.raises(DamagedError):
        read(str(tmp_path / "large"))


def test_one_damaged_file_is_kept(tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "x").write_text(content)
        assert record_file.set_aside(str(tmp_path / "x")) == f"{tmp_path}/x.damaged"
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("x.damaged", "second")]


# Any JSON in any field of any file


def changed(good: dict[str, Any], field: str, value: object) -> bytes:
    return json.dumps(good | {field: value}).encode("utf-8", "surrogatepass")


def a_record() -> dict[str, Any]:
    grant = Grant("sign_in", "me", NOW, NOW + 600)
    return dataclasses.asdict(Record("paper", "paper", state="ready", since=NOW, grant=grant, counts={"pushes": 1}))


@MANY
@given(field=st.sampled_from([*a_record(), "schema"]), value=ANYTHING)
def test_any_state_file_is_loaded_looked_at_and_shown(deploy: Any, no_engine: None, field: str, value: object) -> None:
    control = Control(deploy(), plan.Plan(), now=lambda: NOW)
    path = Path(control.store.state_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = changed(a_record(), field, value)
    path.write_bytes(content)
    record = control.store.load("paper")
    assert (record.gateway, record.mode) == ("paper", "paper")
    path.write_bytes(content)
    Watcher(control).look()
    path.write_bytes(content)
    options = argparse.Namespace(plan_fault="")
    _code, shown = ctl.status(control, options, lambda _step, _text: None)
    assert shown["gateway"] == "paper"
    json.dumps(policy.shown(record, control.plan, NOW), allow_nan=False).encode()


@pytest.mark.parametrize("content", [b'{"gateway": 1}', b"\xff", b"[]", b'{"gateway": "x", "mode": "x", "since": "x"}'])
def test_a_damaged_state_file_is_said_in_the_history(tmp_path: Path, content: bytes) -> None:
    store = Store("live", str(tmp_path))
    store.save(Record("live", "live"))
    Path(store.state_path).write_bytes(content)
    assert store.load("live") == Record("live", "live")
    assert Path(f"{store.state_path}.damaged").read_bytes() == content
    assert [event["event"] for event in store.history()] == ["damaged"]
    assert store.load("live") == Record("live", "live")
    assert len(store.history()) == 1


def test_a_cause_of_a_later_release_stays_blocked(deploy: Any, no_engine: None) -> None:
    control = Control(deploy(), plan.Plan(), now=lambda: NOW)
    control.store.save(Record("paper", "paper", state="blocked", blocked="of_a_later_release"))
    Watcher(control).look()
    assert control.store.load("paper").blocked == "of_a_later_release"


@MANY
@given(
    lines=st.lists(
        st.binary(max_size=60)
        | ANYTHING.map(lambda each: json.dumps(each).encode())
        | st.builds(
            lambda at, event: json.dumps({"at": at, "event": event, "text": event}).encode(), ANYTHING, ANYTHING
        ),
        max_size=6,
    )
)
def test_any_history_is_read(deploy: Any, capsys: pytest.CaptureFixture[str], lines: list[bytes]) -> None:
    found = deploy()
    store = Store("paper")
    os.makedirs(store.directory, exist_ok=True)
    Path(store.history_path).write_bytes(b"\n".join([*lines, b""]))
    store.note("state", "whole", NOW)
    events = store.history()
    assert events[-1]["text"] == "whole"
    ctl.print_result(ctl.parser().parse_args(["history"]), {"events": events})
    assert health.history(found, NOW + 1)["events"][-1]["text"] == "whole"


def test_a_history_of_one_line_without_an_end_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store.HISTORY_BYTES", 1000
    )
    store = Store("paper", str(tmp_path))
    os.makedirs(store.directory)
    Path(store.history_path).write_bytes(b"\xff" * 5000 + b"\n")
    store.note("state", "whole", NOW)
    assert Path(store.history_path).stat().st_size < 500
    assert [event["text"] for event in store.history()] == ["whole"]


def an_outbox() -> dict[str, Any]:
    alert = dataclasses.asdict(Alert("state/blocked", "live", "gw1", "critical", "t", "t", "n", NOW))
    return {"told": {"x": NOW}, "pending": [{"alert": alert, "got": []}], "rests": {"webhook/0": [NOW, 10.0]}}


@MANY
@given(field=st.sampled_from([*an_outbox(), *an_outbox()["pending"][0]["alert"]]), value=ANYTHING)
def test_any_outbox_is_read_and_sends(tmp_path: Path, field: str, value: object) -> None:
    kept = an_outbox()
    (kept if field in kept else kept["pending"][0]["alert"])[field] = value
    path = tmp_path / "outbox.json"
    path.write_text(json.dumps(kept))
    outbox = Outbox(str(tmp_path), clock=lambda: NOW)
    assert bool(outbox.damage) is (tmp_path / "outbox.json.damaged").exists()
    outbox.put(Alert("new", "live", "gw1", "info", "t", "t", "n", NOW))
    outbox.flush([{"kind": "webhook", "url": "http://127.0.0.1:1/"}], 0.0)
    assert not Outbox(str(tmp_path), clock=lambda: NOW).damage
    (tmp_path / "outbox.json.damaged").unlink(missing_ok=True)


A_DESCRIPTOR = {
    "schema": 1, "name": "paper", "mode": "paper", "container": "ibgw-paper", "image": "i", "host": "127.0.0.1",
    "port": 4002, "client_id": 917, "accounts": [], "command_port": 7462, "settings_dir": "/x",
    "revision": "r", "password_secret": None,
}  # fmt: skip
A_PLAN = {
    **json.loads(json.dumps(dataclasses.asdict(plan.Plan()))),
    "paper_sessions": [
        {"name": "a", "days": ["mon"], "time": "09:00", "zone": "UTC", "lead_minutes": 5, "max_minutes": 60}
    ],
}
A_PORTAL = {"host": "127.0.0.1", "port": 5000, "ca_path": None, "mode": "paper", "accounts": []}


@MANY
@given(
    case=st.sampled_from([("gateway.json", A_DESCRIPTOR), ("session.json", A_PLAN), ("client_portal.json", A_PORTAL)]),
    data=st.data(),
)
def test_any_file_of_a_role_is_read_or_named(
    deploy: Any, case: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    # A gateway is of one kind.
    Path(tickle.place.path("paper")).unlink(missing_ok=True)
    deploy()
    name, good = case
    content = changed(good, data.draw(st.sampled_from(list(good))), data.draw(ANYTHING))
    (Path(descriptor.ROOT) / "paper" / name).write_bytes(content)
    load = {"gateway.json": descriptor.load, "session.json": plan.load, "client_portal.json": tickle.load}[name]
    with contextlib.suppress(descriptor.DescriptorError, ValueError):
        found: Any = load("paper")
        if name == "session.json":
            Watcher(Control(descriptor.load("paper"), found, now=lambda: NOW))
            policy.shown(Record("paper", "paper"), found, NOW)


def test_the_good_ones_are_read(deploy: Any) -> None:
    deploy()
    place = Path(descriptor.ROOT) / "paper"
    for name, good in (("session.json", A_PLAN), ("gateway.json", A_DESCRIPTOR)):
        (place / name).write_text(json.dumps(good))
    assert plan.load("paper").paper_sessions[0].name == "a"
    assert descriptor.load("paper").client_id == 917
    (place / "client_portal.json").write_text(json.dumps(A_PORTAL))
    assert tickle.load("paper").port == 5000


@MANY
@given(value=ANYTHING)
def test_any_channels_are_read_or_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / "alerts.json").write_text(json.dumps([{"kind": "email", "host": "h", "from": "a", "to": value}, value]))
    with contextlib.suppress(alerts.ChannelsError):
        alerts.load(str(tmp_path / "alerts.json"))


@pytest.mark.parametrize(
    "more", [{"to": [1]}, {"to": [["a"]]}, {"to": "a@b.example"}, {"port": "25"}, {"port": True}, {"password": {}}]
)
def test_a_mail_channel_of_wrong_types_is_refused(more: dict[str, Any]) -> None:
    assert alerts.problems([{"kind": "email", "host": "h", "from": "a@b", "to": ["a@b"], **more}])


@pytest.mark.parametrize("key", ["url", "headers", "kind", "min_severity"])
@pytest.mark.parametrize("value", [1, [], {}, None, True, [{}]])
def test_a_channel_of_wrong_types_is_refused(key: str, value: object) -> None:
    channel = {"kind": "webhook", "url": "https://x.example/", key: value}
    fits = key == "headers" and isinstance(value, dict)
    assert bool(alerts.problems([channel])) is not fits


@MANY
@given(value=ANYTHING)
def test_any_pending_file_is_read(tmp_path: Path, value: object) -> None:
    (tmp_path / "pending.json").write_text(json.dumps(value))
    memory = pending.Memory(str(tmp_path / "pending.json"))
    assert isinstance(memory.left(["/a"]), list)
    memory.add([pending.Call("/a", "reload")])
    assert "reload" in memory.left(["/a"])

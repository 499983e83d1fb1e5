from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from tests.unit.access.authority import Authority, days

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, health
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.health import UnknownError, fact
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant, Record, Store

NOW = 1_795_791_600.0
Outputs = dict[str, str]


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Outputs]:
    """Output of programs by name; the others are not installed."""
    outputs: Outputs = {}

    def output(*command: str) -> str:
        if command[0] not in outputs:
            raise UnknownError(f"{command[0]} is not installed")
        return outputs[command[0]]

    monkeypatch.setattr(health, "output", output)
    return outputs


def raises(error: Exception) -> t.Callable[[], dict[str, t.Any]]:
    def read() -> dict[str, t.Any]:
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda: {"size": 1}, {"size": 1, "age": None, "reason": None}),
        (raises(FileNotFoundError(2, "No such file or directory", "/x")), "/x: No such file or directory"),
        (raises(OSError("odd")), "odd"),
        (raises(UnknownError("openssl is not installed")), "openssl is not installed"),
        (raises(EngineError("the engine is away\x1b")), "the engine is away\\x1b"),
        (raises(descriptor.DescriptorError("session.json is damaged")), "session.json is damaged"),
        (raises(KeyError("NTP")), "it cannot be understood (KeyError('NTP'))"),
        (raises(TypeError("no")), "it cannot be understood (TypeError('no'))"),
        (raises(AttributeError("no")), "it cannot be understood (AttributeError('no'))"),
    ],
)
def test_a_fact_that_cannot_be_had_says_why(read: t.Any, expected: t.Any) -> None:
    found = expected if isinstance(expected, dict) else {"size": None, "age": None, "reason": expected}
    assert fact(read, "size", "age") == found


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-program-of-ours"], "no-such-program-of-ours is not installed"),
        ([sys.executable, "-c", "import sys; print('a\\nb', file=sys.stderr); sys.exit(3)"], ": b"),
        ([sys.executable, "-c", "raise SystemExit(3)"], ": exit status 3"),
    ],
)
def test_a_program_that_fails_says_why(command: list[str], said: str) -> None:
    with pytest.raises(UnknownError) as caught:
        health.output(*command)
    assert str(caught.value).endswith(said)


def test_a_program_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "COMMAND_SECONDS", 0.1)
    with pytest.raises(UnknownError, match="did not answer"):
        health.output(sys.executable, "-c", "import time; time.sleep(20)")


def test_a_program_cannot_ask_anything() -> None:
    assert health.output(sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))") == "''\n"


NO_CLOCK = {"synchronised": None, "service": None}


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("NTP=yes\nNTPSynchronized=yes\n", {"synchronised": True, "service": True, "reason": None}),
        ("NTP=yes\nNTPSynchronized=no\n", {"synchronised": False, "service": True, "reason": None}),
        ("NTPSynchronized=yes\n", {"synchronised": True, "service": False, "reason": None}),
        ("", {**NO_CLOCK, "reason": "it cannot be understood (KeyError('NTPSynchronized'))"}),
        (None, {**NO_CLOCK, "reason": "timedatectl is not installed"}),
    ],
)
def test_the_clock(says: Outputs, printed: str | None, expected: dict[str, t.Any]) -> None:
    if printed is not None:
        says["timedatectl"] = printed
    assert fact(health.clock, "synchronised", "service") == expected


UNITS = """
Id=ibgw-watch@live.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
Result=success
NextElapseUSecRealtime=

Id=ibgw-watch@paper.service
LoadState=loaded
ActiveState=failed

Id=ibgw-watch@live.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
Result=success
NextElapseUSecRealtime=

Id=apt-daily-upgrade.timer
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
Result=success
NextElapseUSecRealtime=Fri 2026-11-27 05:40:34 UTC
"""


def test_units_are_each_told_once_and_other_watchers_are_left_out(says: Outputs) -> None:
    says["systemctl"] = UNITS
    found = health.units("live")
    assert [unit["name"] for unit in found] == ["ibgw-watch@live.service", "apt-daily-upgrade.timer"]
    assert found[1] == {
        "name": "apt-daily-upgrade.timer",
        "load": "loaded",
        "enabled": "enabled",
        "active": "active",
        "sub": "waiting",
        "result": "success",
        "next": "Fri 2026-11-27 05:40:34 UTC",
        "restarts": 0,
        "up_seconds": None,
    }


def test_no_units(says: Outputs) -> None:
    says["systemctl"] = ""
    assert health.units("live") == []


def test_file_systems_are_told_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "settings").mkdir()
    first, gone = health.disks([str(tmp_path), str(tmp_path / "settings"), str(tmp_path / "gone")])
    assert first["path"] == str(tmp_path)
    assert 0 <= first["free_percent"] <= 100
    assert first["total"] >= first["free"] > 0
    assert gone["free_percent"] is None
    assert "No such file" in gone["reason"]


def test_the_secret_is_looked_at_and_not_read(deploy: t.Any, tmp_path: pathlib.Path) -> None:
    gateway = deploy()
    path = tmp_path / "etc/paper/password"
    path.write_text("top-secret")
    path.chmod(0o600)
    os.utime(path, (NOW - 10 * 86400,) * 2)
    found = health.secret(gateway, NOW)
    assert (found["age_days"], found["mode"]) == (10.0, "0600")
    assert "top-secret" not in str(found)


@pytest.mark.parametrize(
    ("mode", "secret", "source"),
    [
        ("paper", {"name": "projects/p/secrets/s/versions/1", "endpoint": "https://x", "metadata_host": "m"}, True),
        ("live", {"name": "projects/p/secrets/s/versions/1", "endpoint": "https://x", "metadata_host": "m"}, True),
        ("live", None, False),
    ],
)
def test_a_secret_that_the_vm_does_not_keep(
    deploy: t.Any, mode: str, secret: dict[str, str] | None, source: bool
) -> None:
    found = health.secret(deploy(name=mode, mode=mode, password_secret=secret), NOW)
    assert (found["age_days"], found["exposed"]) == (None, False)
    assert found["source"] == (secret["name"] if secret and source else "who signs in")


@pytest.mark.parametrize(("granted", "text", "exposed"), [(True, "x", False), (False, "x", True), (False, "", False)])
def test_a_live_password_outside_of_a_sign_in_is_exposed(
    deploy: t.Any, granted: bool, text: str, exposed: bool
) -> None:
    gateway = deploy(name="live", mode="live")
    record = Record("live", "live", grant=Grant(SIGN_IN, "Ann", NOW, NOW + 60) if granted else None)
    Store("live").save(record)
    place = pathlib.Path(password.path("live"))
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert health.secret(gateway, NOW)["exposed"] is exposed


def test_the_secret_of_nobody(deploy: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = deploy()

    def nobody(_uid: int) -> t.NoReturn:
        raise KeyError

    monkeypatch.setattr(health.pwd, "getpwuid", nobody)
    assert health.secret(gateway, NOW)["owner"] == str(os.getuid())


@pytest.fixture
def tls(deploy: t.Any, tmp_path: pathlib.Path) -> pathlib.Path:
    deploy()
    path = tmp_path / "etc/paper/tls/server.crt"
    path.parent.mkdir()
    return path


def test_certificates(tls: pathlib.Path) -> None:
    key = str(tls.with_suffix(".key"))
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-days", "30"]
    subprocess.run([*command, "-keyout", key, "-out", str(tls)], check=True, capture_output=True)
    (found,) = health.certificates(time.time())
    assert found["path"] == str(tls)
    assert found["days_left"] == pytest.approx(30.0, abs=0.1)
    assert found["reason"] is None


def test_a_list_of_the_revoked(tls: pathlib.Path) -> None:
    path = tls.with_name("clients.crl")
    Authority().revoke(path, ends=12)
    (found,) = health.certificates(days(0).timestamp())
    assert found == {"path": str(path), "ends_at": days(12).timestamp(), "days_left": 12.0, "reason": None}


def test_a_certificate_that_is_none(tls: pathlib.Path) -> None:
    tls.write_text("no certificate")
    (found,) = health.certificates(NOW)
    assert found["days_left"] is None
    assert found["reason"].startswith("openssl: ")


def test_without_openssl(tls: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls.write_text("")
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = health.certificates(NOW)
    assert found["reason"] == "openssl is not installed"


def line(moment: str) -> str:
    return json.dumps({"log": "x\n", "stream": "stdout", "time": moment}) + "\n"


def test_the_log_and_its_growth(tmp_path: pathlib.Path) -> None:
    new, old = tmp_path / "c-json.log", tmp_path / "c-json.log.1"
    old.write_text(line("2026-11-26T15:00:00.5Z") + "x" * 900)
    new.write_text(line("2026-11-27T03:00:00Z"))
    for path, age in ((old, 12 * 3600), (new, 0)):
        os.utime(path, (NOW - age, NOW - age))
    size = old.stat().st_size + new.stat().st_size
    found = health.log({"LogPath": str(new)}, None)
    assert (found["bytes"], found["files"]) == (size, 2)
    assert found["since"] == NOW - 86400 + 0.5
    assert found["bytes_per_day"] == pytest.approx(size, abs=1)


@pytest.mark.parametrize("first", ["", "no JSON\n", line("soon")])
def test_a_log_that_does_not_say_since_when(tmp_path: pathlib.Path, first: str) -> None:
    path = tmp_path / "c-json.log"
    path.write_text(first)
    found = health.log({"LogPath": str(path)}, None)
    assert (found["bytes"], found["since"], found["bytes_per_day"]) == (len(first), None, None)


@pytest.mark.parametrize(
    ("inspected", "said"),
    [(None, "no engine"), ({}, "the container's log driver keeps no file"), ({"LogPath": "/gone"}, "No such file")],
)
def test_a_log_that_cannot_be_had(inspected: dict[str, t.Any] | None, said: str) -> None:
    assert said in fact(lambda: health.log(inspected, "no engine"), "bytes")["reason"]


# The host's records


def test_nothing_is_remembered(deploy: t.Any) -> None:
    found = deploy(mode="live")
    with pytest.raises(UnknownError, match="role session has not run"):
        health.session(found, NOW)


def test_what_is_remembered(deploy: t.Any) -> None:
    found = deploy(mode="live", name="live", accounts=["U1234567"])
    store = Store("live")
    record = store.load("live")
    record.state, record.since, record.checked_at, record.reason = "ready", NOW - 60, NOW - 21, "serves U1234567"
    record.signed_in_at, record.valid_until = NOW - 86400, NOW + 86400
    record.grant = Grant("sign_in", "the operator", NOW - 60, NOW + 60)
    store.save(record)
    shown = health.session(found, NOW)
    assert (shown["state"], shown["stale_seconds"], shown["week"]) == ("ready", 21.0, "valid")
    assert shown["grant"]["by"] == "the operator"
    assert shown["plan"]["sign_in_deadline"] == "17:00"
    assert shown["reason_remembered"] == "serves U***67"


@pytest.mark.parametrize("content", ["{", "[]", '{"gateway": "live"}', '{"grant": {"x": 1}}'])
def test_a_damaged_record_is_a_finding_and_stays_where_it_is(deploy: t.Any, content: str) -> None:
    found = deploy(mode="live", name="live")
    store = Store("live")
    os.makedirs(store.directory)
    pathlib.Path(store.state_path).write_text(content)
    assert fact(lambda: health.session(found, NOW), "state")["reason"].startswith("it cannot be understood")
    assert os.listdir(store.directory) == ["state.json"]


def test_a_paper_gateways_windows(deploy: t.Any, tmp_path: pathlib.Path) -> None:
    found = deploy()
    session = {"name": "open", "days": ["fri"], "time": "09:30", "zone": "America/New_York", "lead_minutes": 10}
    plan = {"paper_sessions": [{**session, "max_minutes": 90}]}
    (tmp_path / "etc/paper/session.json").write_text(json.dumps(plan))
    store = Store("paper")
    store.save(store.load("paper"))
    shown = health.session(found, NOW)
    assert shown["window"]["name"] == "open"
    assert shown["window"]["start"] < NOW < shown["window"]["end"] < shown["next_window"]["start"]


def test_the_history_is_of_eight_days_and_without_damage(deploy: t.Any) -> None:
    found = deploy(accounts=["DU1234567"])
    store = Store("paper")
    for at in (NOW - 9 * 86400, NOW - 60, NOW + 60, float("inf")):
        store.note("state", "serves DU1234567\x1b", at, state="ready", more=[1])
    store.note("start", "started", NOW - 120, by=None)
    with open(store.history_path, "a") as file:
        file.write('no JSON\n{"at": "noon"}\n[]\n{"at": true, "event": "x"}\n{"at": 1795791500}\n')
    shown = health.history(found, NOW)["events"]
    assert shown == [
        {"at": NOW - 120, "event": "start", "text": "started"},
        {"at": NOW - 100, "event": "", "text": ""},
        {"at": NOW - 60, "event": "state", "text": "serves DU***67\\x1b", "state": "ready"},
    ]

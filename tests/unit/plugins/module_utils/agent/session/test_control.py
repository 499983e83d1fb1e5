# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.controlled import DOORS, spied_stops
from tests.unit.plugins.session_log import (
    BEGUN,
    FARM_BROKEN,
    IN,
    MISSED,
    PUSH,
    TUESDAY,
    Said,
    events,
    new_york,
    signing_in,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password, settings_dir
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import control as control_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import inspection, lifecycle, plan, policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import (
    Control,
    Refused,
    ReleaseRefused,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import (
    BlockedError,
    NoPasswordError,
    SessionError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant


def test_a_sign_in_step_by_step(control: Any, fake_engine: Any, tmp_path: Path) -> None:
    live = control()
    stale = [tmp_path / "abc" / "autorestart", tmp_path / "PAUSE1", tmp_path / "COLDRESTART1"]
    stale[0].parent.mkdir()
    for path in stale:
        path.touch()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    said: Said = []
    signing_in(live, said)
    assert [step for step, _text in said] == [
        "cleaned", "cleaned", "cleaned", "starting", "login_window", "signing_in", "push_sent", "signed_in",
        "configured", "verified", "valid",
    ]  # fmt: skip
    assert said[-1][1] == "valid until Sunday 2026-11-29 01:00 New York time"
    assert live.gateway.verdict
    assert said[-2][1].endswith(f" {', '.join(live.gateway.verdict['accounts'])}")
    assert len(live.gateway.verdict["accounts"]) == 2
    assert "U1234567" not in str(said)
    assert [(event["event"], event["text"], event["at"], event["by"]) for event in live.store.history()] == [
        ("push", "1 sent, asked for by Ann", TUESDAY, "Ann"),
        ("sign_in", "signed in", TUESDAY, "Ann"),
    ]
    assert not any(path.exists() for path in stale)
    record = live.store.load("live")
    assert (record.state, record.grant, record.counts["pushes"]) == (verdicts.READY, None, 1)
    again: Said = []
    signing_in(live, again)
    assert [step for step, _text in again] == ["already"]


def test_an_approved_push_is_not_lost_to_a_broken_data_farm(control: Any, fake_engine: Any) -> None:
    live = control(said=FARM_BROKEN, sign_in_minutes=0.1)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    said: Said = []
    signing_in(live, said)
    assert "usfarm" in dict(said)["verified"]
    record = live.store.load("live")
    assert (fake_engine.status, record.state, record.blocked) == ("running", verdicts.DEGRADED, None)
    assert record.valid_until == new_york("2026-11-29 01:00")


def test_a_sign_in_ends_at_its_deadline_though_it_has_minutes_left(control: Any, fake_engine: Any) -> None:
    live = control(sign_in_minutes=10)
    live.until = live.now() + 0.3
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    with pytest.raises(BlockedError, match="did not complete in its time"):
        signing_in(live)
    assert live.grant(None).ends_at == live.until


def test_missed_pushes_are_bounded_and_end_in_blocked(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "LAPSE_SECONDS", 0.5)  # 20 s, for an approval that is late
    live = control(pushes=3)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, MISSED)
    said: Said = []
    with pytest.raises(BlockedError, match="no push was approved within the bounds"):
        signing_in(live, said)
    assert [step for step, _text in said].count("push_missed") == 3
    record = live.store.load("live")
    assert (record.state, record.blocked, record.counts["pushes"]) == (verdicts.BLOCKED, "push_missed", 3)
    assert fake_engine.status == "exited"


def test_a_controller_that_sends_push_after_push_is_bounded_too(control: Any, fake_engine: Any) -> None:
    live = control(pushes=3)
    again = "Re-login after second factor authentication timeout in 5 second"
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, again, BEGUN[-1], PUSH, again, BEGUN[-1], PUSH, again)
    with pytest.raises(BlockedError, match="no push was approved within the bounds"):
        signing_in(live)
    record = live.store.load("live")
    assert (record.counts["pushes"], record.blocked, fake_engine.status) == (3, "push_missed", "exited")


def test_the_state_file_follows_a_sign_in(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH)
    states_seen = []

    def say(step: str, _text: str) -> None:
        states_seen.append(live.store.load("live").state)
        if step == "push_sent":
            threading.Timer(0.2, lambda: fake_engine.log(*IN)).start()

    live.sign_in(say)
    assert verdicts.WAITING_2FA in states_seen


def test_a_refused_password_is_not_tried_again(control: Any, fake_engine: Any) -> None:
    live = control()
    starts = []
    fake_engine.on_start = lambda: (
        starts.append(1),
        fake_engine.log(*BEGUN, "Login failed", "Cold restart in progress", *BEGUN[2:], "Login failed"),
    )
    with pytest.raises(BlockedError, match="refused the user or the password"):
        signing_in(live)
    assert (len(starts), live.store.load("live").blocked) == (1, "refused_login")
    assert told_of_the_end(live) == (policy.CAUSES["refused_login"].meaning, "refused_login", TUESDAY)


def told_of_the_end(live: Control) -> tuple[str, str, float]:
    [event] = [each for each in live.store.history() if each["event"] == "blocked"]
    return event["text"], event["cause"], event["at"]


def test_a_refusal_counts_also_after_a_missed_push(control: Any, fake_engine: Any) -> None:
    live = control()
    starts = []
    again = "Re-login after second factor authentication timeout in 5 second"
    fake_engine.on_start = lambda: (
        starts.append(1),
        fake_engine.log(*BEGUN, PUSH, again, BEGUN[-1], "Login failed", BEGUN[-1], "Login failed"),
    )
    with pytest.raises(BlockedError):
        signing_in(live)
    assert (len(starts), live.store.load("live").blocked) == (1, "refused_login")


def test_a_gateway_that_goes_down_in_its_sign_in_is_told_with_its_reason(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: (fake_engine.log(*BEGUN), fake_engine.exit(76))
    with pytest.raises(BlockedError, match="exited with code 76"):
        signing_in(live)
    assert live.store.load("live").blocked == "sign_in_ended"
    text, cause, _at = told_of_the_end(live)
    assert (text.partition(" (its container has exited with code 76")[0], cause) == (
        policy.CAUSES["sign_in_ended"].meaning,
        "sign_in_ended",
    )


@pytest.mark.parametrize(
    ("took", "waits", "cause"),
    [
        # How long is waited, and whether the last push ends it.
        (300.0, [(600.0, False), (300.0, False)], "push_missed"),
        (299.75, [(600.0, False), (300.25, False), (0.5, True)], "push_missed"),
    ],
)
def test_all_pushes_of_a_sign_in_share_its_time(
    control: Any,
    fake_engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    took: float,
    waits: list[tuple[float, bool]],
    cause: str,
) -> None:
    live = control(pushes=3, sign_in_minutes=10)
    clock = itertools.count(1000.0, took)
    now = [next(clock)]
    live.gateway.clock = lambda: now[0]
    waited = []

    def waits_for(gateway: Gateway, _wanted: str, timeout: float, tell: Callable[[], None]) -> bool:
        gateway.refresh()
        now[0] = next(clock)
        waited.append((timeout, True))
        tell()
        waited[-1] = (timeout, False)
        return False

    stops = spied_stops(monkeypatch)
    monkeypatch.setattr(control_module, "wait_for", waits_for)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, MISSED)
    meaning, next_step = policy.CAUSES[cause][:2]
    with pytest.raises(BlockedError) as blocked:
        signing_in(live)
    assert (waited, live.store.load("live").blocked) == (waits, cause)
    assert str(blocked.value).endswith(f": {meaning}. {next_step}")
    assert told_of_the_end(live) == (meaning, cause, TUESDAY)
    # The one before the first start, and one after each.
    assert stops == [(60.0, False)] * (1 + len(waits))


@pytest.mark.parametrize(
    ("lines", "waits", "signed_in"),
    [
        # A push that was approved at the last moment has a minute to complete; one that was not has none.
        ((*BEGUN, PUSH, IN[0]), [600.0, control_module.OPENS_SECONDS], True),
        ((*BEGUN, PUSH), [600.0], False),
    ],
)
def test_what_was_approved_at_the_last_moment_is_waited_for(
    control: Any,
    fake_engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    lines: tuple[str, ...],
    waits: list[float],
    signed_in: bool,
) -> None:
    live = control(pushes=1, sign_in_minutes=10)
    live.gateway.clock = lambda: 1000.0
    waited, grants = [], []

    def waits_for(gateway: Gateway, _wanted: str, timeout: float, **_more: Any) -> bool:
        gateway.refresh()
        waited.append(timeout)
        grants.append(live.store.load("live").granted(live.now(), SIGN_IN))
        return len(waited) > 1

    monkeypatch.setattr(control_module, "wait_for", waits_for)
    fake_engine.on_start = lambda: fake_engine.log(*lines)
    with contextlib.nullcontext() if signed_in else pytest.raises(BlockedError):
        signing_in(live)
    assert (waited, grants) == (waits, [True] * len(waits))


def test_a_sign_in_has_its_time_from_the_end_of_the_old_session_on(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = control(sign_in_minutes=10)
    began = live.now()
    now = [began]
    live.now = lambda: now[0]
    ends = []

    def clear(_say: object) -> None:
        now[0] += 100.0

    def push(record: Any, _say: object) -> None:
        ends.append(live.store.load("live").grant.ends_at)

    monkeypatch.setattr(live, "_clear", clear)
    monkeypatch.setattr(live, "_push_by_push", push)
    signing_in(live)
    assert ends == [began + 100.0 + 600.0]


def test_a_sign_in_ends_with_its_time(control: Any, fake_engine: Any) -> None:
    live = control(sign_in_minutes=0.005)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH)
    with pytest.raises(BlockedError, match="did not complete in its time"):
        signing_in(live)
    assert fake_engine.status == "exited"


@pytest.mark.parametrize(
    ("mode", "now", "message"),
    [
        ("paper", TUESDAY, "signs in by itself"),
        ("live", new_york("2026-11-28 23:40"), "sign in from Sunday 01:15 on"),
        ("live", new_york("2026-11-29 01:14"), "sign in from Sunday 01:15 on"),
    ],
)
def test_what_is_refused_before_anything_is_touched(
    control: Any, fake_engine: Any, mode: str, now: float, message: str
) -> None:
    refusing = control(mode, now)
    with pytest.raises(Refused, match=rf"gateway {mode}.*{message}"):
        signing_in(refusing)
    assert not any("start" in call for call in fake_engine.calls)


def test_a_start_of_paper_has_an_end_where_there_are_sessions(control: Any) -> None:
    paper = control("paper")
    paper.start(allow_signin=False, minutes=5)
    record = paper.store.load("paper")
    assert (record.grant.by, record.grant.ends_at, record.state) == ("Ann", TUESDAY + 300, verdicts.STARTING)
    paper.stop()
    record = paper.store.load("paper")
    assert (record.grant, record.stopped_by, record.state) == (None, "Ann", verdicts.STOPPED)
    paper.start(allow_signin=False)
    assert paper.store.load("paper").grant is None


@pytest.mark.parametrize("door", ["start by a person", "sign-in"])
def test_no_door_starts_a_user_that_another_container_has(control: Any, fake_engine: Any, door: str) -> None:
    live = control()
    fake_engine.exit(0)
    fake_engine.environment = ["TWS_USERID=bob", "TRADING_MODE=live"]
    other = neighbours.Neighbour("old-gateway-1", users=("bob",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "around", lambda _engine: [other])
        with pytest.raises(Refused, match="docker stop old-gateway-1"):
            DOORS[door](live)
    assert fake_engine.status == "exited"


def test_a_container_that_is_live_is_not_started_as_paper(control: Any, fake_engine: Any) -> None:
    paper = control("paper")
    fake_engine.exit(0)
    fake_engine.environment = ["TRADING_MODE=live"]
    fake_engine.labels = {"ibops.gateway.name": "paper", "ibops.gateway.mode": "live"}
    with pytest.raises(Refused, match="gateway_mode"):
        paper.start(allow_signin=False)
    assert fake_engine.status == "exited"


def test_a_container_of_its_own_mode_is_started(control: Any, fake_engine: Any) -> None:
    paper = control("paper")
    fake_engine.environment = ["TRADING_MODE=paper"]
    fake_engine.labels["ibops.gateway.mode"] = "paper"
    paper.admit()
    assert {call for call in fake_engine.calls if call.startswith("GET /containers/ibgw-")} == {
        "GET /containers/ibgw-paper/json"
    }
    fake_engine.environment = ["TRADING_MODE=live"]
    with pytest.raises(Refused, match="gateway paper"):
        paper.admit()
    fake_engine.exists = False
    with pytest.raises(Refused, match="container ibgw-paper does not exist"):
        paper.admit()


@pytest.mark.parametrize("meant", ["ibc", "ibg-controller"])
def test_a_container_with_the_other_controller_is_not_started(control: Any, fake_engine: Any, meant: str) -> None:
    paper = control("paper")
    paper.descriptor = dataclasses.replace(paper.descriptor, controller=meant)
    runs = ["USE_IBG_CONTROLLER=yes"] if meant == "ibc" else []
    fake_engine.labels = {**fake_engine.labels, "com.ibg-controller.ib-gateway-version": "10.45.1j"}
    fake_engine.environment = [*fake_engine.environment, *runs]
    with pytest.raises(Refused, match=r"gateway paper is not started: .*ibg-controller.*Nothing was touched"):
        paper.start(allow_signin=False)
    assert fake_engine.status == "exited"


@pytest.mark.parametrize("filename", [None, "/somewhere/autorestart"])
def test_a_settings_directory_that_cannot_be_read_is_named(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, filename: str | None
) -> None:
    def fails(_descriptor: object) -> None:
        raise OSError(5, "Input/output error", filename)

    live = control()
    monkeypatch.setattr(settings_dir, "remove_stale", fails)
    with pytest.raises(SessionError, match=f": {filename or live.descriptor.settings_dir}: Input/output error"):
        live.start(True)
    assert fake_engine.status == "exited"


def test_a_start_of_live_is_allowed_by_a_person_and_in_the_week_only(control: Any, fake_engine: Any) -> None:
    live = control()
    with pytest.raises(SessionError, match="sends a push"):
        live.start(allow_signin=False)
    assert live.store.load("live").grant is None
    live.start(allow_signin=True)
    grant = live.store.load("live").grant
    assert (grant.kind, grant.ends_at) == ("sign_in", TUESDAY + 600)
    fake_engine.exit(0)
    live.now = lambda: new_york("2026-11-29 00:30")
    with pytest.raises(Refused, match=r"sign in from Sunday 01:15 on"):
        live.start(allow_signin=True)


def test_a_start_outside_of_the_sessions_has_the_plans_minutes(control: Any) -> None:
    session = {"name": "open", "days": ["mon"], "time": "09:30", "zone": "UTC", "lead_minutes": 10, "max_minutes": 60}
    paper = control("paper")
    paper.plan = plan.from_data({"paper_sessions": [session], "manual_minutes": 20})
    paper.start(allow_signin=False)
    assert paper.store.load("paper").grant.ends_at == TUESDAY + 20 * 60


def test_an_old_session_is_signed_off_before_a_forced_sign_in(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    said: Said = []
    live.sign_in(lambda step, text: said.append((step, text)), force=True)
    assert [step for step, _text in said][:2] == ["stopped", "starting"]
    assert events(live).count("sign_in") == 2


def test_a_sign_in_without_a_push_tells_of_none(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN)
    said: Said = []
    signing_in(live, said)
    assert "push_sent" not in dict(said)


def test_a_push_is_named_once_though_the_engine_goes_away(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    live.gateway.container, record = None, live.store.load("live")
    for _look in range(2):
        live.observe(record)
    assert [each["by"] for each in live.store.history() if each["event"] == "push"] == ["Ann"]


def test_in_check_mode_a_pause_and_a_resumption_are_foreseen(control: Any, fake_engine: Any, tmp_path: Path) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(BEGUN[0], "IBC: version: 3.24.1", *BEGUN[1:], PUSH, *IN)
    signing_in(live)
    assert live.pause(5, check=True).actions == ["IBC PAUSE"]
    assert fake_engine.status == "running"
    live.pause(5)
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "autorestart").touch()
    foreseen = live.resume(5, check=True)
    assert (foreseen.changed, foreseen.actions) == (True, ["docker start"])
    assert (fake_engine.status, live.store.load("live").stopped_by) == ("exited", "PAUSE")


def test_the_look_after_an_action_does_not_count_as_one_at_the_api(
    control: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, looks = control("paper"), []
    monkeypatch.setattr(policy, "observe", lambda _record, look, _plan, _now: looks.append(look.asked))
    paper.start(False)
    assert looks == [False]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_what_ibc_does_is_left_to_it(control: Any, monkeypatch: pytest.MonkeyPatch, verb: str, check: bool) -> None:
    live, calls = control(), []

    def act(gateway: object, engine: object, timeout: float, check: bool) -> lifecycle.Outcome:
        calls.append((gateway, engine, timeout, check))
        return lifecycle.Outcome(True, ["done"])

    monkeypatch.setattr(lifecycle, verb, act)
    assert getattr(live, verb)(17.0, check=check).actions == ["done"]
    assert calls == [(live.gateway, live.engine, 17.0, check)]
    told = {"stop": "stopped by Ann (done)", "restart": "RESTART by Ann"}[verb]
    noted = [(each["event"], each["text"], each["at"]) for each in live.store.history()]
    assert noted == ([] if check else [(verb, told, TUESDAY)])
    assert getattr(Control, verb).__defaults__[-1] is False


def test_in_check_mode_a_start_is_foreseen(control: Any, fake_engine: Any) -> None:
    assert control("paper").start(False, check=True).actions == ["docker start"]
    live = control()
    with pytest.raises(SessionError, match="allow_signin"):
        live.start(False, check=True)
    assert live.start(True, check=True).actions == ["docker start"]
    assert (fake_engine.status, live.store.history()) == ("exited", [])


def test_in_check_mode_a_kept_sign_in_needs_no_leave(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = control()
    monkeypatch.setattr(live, "kept", lambda record: record.mode == "live")
    assert live.start(False, check=True).actions == ["docker start"]


@pytest.mark.parametrize(
    ("mode", "grant", "left"),
    [("live", False, "PAUSE"), ("live", True, ""), ("paper", False, ""), ("paper", True, "")],
)
def test_a_pause_is_over_when_the_gateway_runs_again(control: Any, mode: str, grant: bool, left: str) -> None:
    made = control(mode)
    record = made.store.load(mode)
    record.stopped_by, record.stopping, record.blocked = "PAUSE", "Ann", "push_missed"
    allowed = Grant(SIGN_IN, "Ann", TUESDAY, TUESDAY + 1) if grant else None
    made.allow(record, allowed)
    saved = made.store.load(mode)
    assert (saved.stopped_by, saved.stopping, saved.blocked, saved.grant) == (left, "", None, allowed)


def test_without_its_password_nothing_is_started(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object, **_more: object) -> None:
        raise password.PasswordError("no answer from Secret Manager")

    monkeypatch.setattr(password, "provide", fails)
    with pytest.raises(NoPasswordError, match="no answer from Secret Manager"):
        control().start(True)
    assert fake_engine.status == "exited"


def test_a_start_is_noted_and_a_stop_is_known_while_it_lasts(
    control: Any, fake_engine: Any, command_server: Any
) -> None:
    paper, seen = control("paper"), []

    def stops(_command: str) -> None:
        seen.append(paper.store.load("paper").stopping)
        fake_engine.exit(0)

    command_server.on_command = stops
    paper.start(False)
    assert paper.store.load("paper").grant is None
    paper.stop()
    assert seen == ["Ann"]
    record = paper.store.load("paper")
    assert (record.stopped_by, record.stopping) == ("Ann", "")
    noted = [(each["event"], each["text"]) for each in paper.store.history()]
    assert noted == [("start", "started by Ann"), ("stop", "stopped by Ann (IBC STOP)")]


def test_a_full_disk_keeps_nobody_from_stopping(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_record: object) -> None:
        raise OSError(28, "No space left on device")

    paper = control("paper")
    fake_engine.start()
    monkeypatch.setattr(paper.store, "save", full)
    with pytest.raises(SessionError, match="No space left on device"):
        paper.stop()
    assert fake_engine.status == "exited"


@pytest.mark.parametrize(
    ("release", "day", "accept", "refused"),
    [
        ("10.45.1j", "2026-12-14 23:59", [], False),
        ("10.45.1j", "2026-12-15 00:00", [], True),
        ("10.45.1j", "2026-12-15 00:00", ["release_not_accepted"], False),
        ("10.45.1j", "2026-12-15 00:00", ["unknown_keys"], True),
        ("10.50.1d", "2026-12-15 00:00", [], False),
        # Unknown images are up to deploy/image.py.
        ("latest", "2026-12-15 00:00", [], False),
        ("", "2026-12-15 00:00", [], False),
    ],
)
@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_release_that_ibkr_does_not_accept_is_not_started(
    control: Any, fake_engine: Any, mode: str, release: str, day: str, accept: list[str], refused: bool
) -> None:
    fake_engine.environment = [f"IB_GATEWAY_VERSION={release}"]
    made = control(mode)
    object.__setattr__(made.descriptor, "image_accept", accept)
    made.now = lambda: new_york(day)
    if not refused:
        made.admit()
        return
    with pytest.raises(ReleaseRefused, match=r"release_not_accepted: release 10\.45\.1j .* the minimum is 10\.50\.1"):
        signing_in(made) if mode == "live" else made.start(allow_signin=False)
    assert fake_engine.status != "running"
    assert "start" not in events(made)

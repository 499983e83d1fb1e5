# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every recorded log of IBC and of ibg-controller, line by line at its times, as the watcher takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.driven import World
from tests.unit.plugins.recordings import BEGAN, EXIT, FILES, FULL, OF, RECORDED, ROOT, SILENCE, Replay, among, named
from tests.unit.plugins.session_log import IN, PUSH, TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import ibc, milestones
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy

pytestmark = pytest.mark.thorough

# From the first line that tells of a push to the push, in seconds; the imitated gateway is faster than the real one.
FORESEEN = 1.0

# The watcher's conclusion for each: state, the cause of a stop or an alert, and what tells it: a text of that line,
# nothing for a while, or the container's end. Of a transcript that is not named here only that what holds for all of
# them holds.
ENDS: dict[str, tuple[str, str | None, str]] = {
    "01-paper-ready": ("ready", None, "Configuration tasks completed"),
    "02-live-approved-8s": ("ready", None, "Configuration tasks completed"),
    "03-push-missed-program-exits": ("blocked", "push_missed", "IBC returned exit status 0"),
    "03-push-missed-relogin-no-exit": ("blocked", "push_missed", SILENCE),
    "03-push-missed-relogin-no-restart": ("blocked", "push_missed", SILENCE),
    "03-push-missed-relogin-yes-exit": ("ready", None, "Configuration tasks completed"),
    "03-push-missed-relogin-yes-restart": ("ready", None, "Configuration tasks completed"),
    "04-push-denied-login-failed": ("blocked", "push_denied", "detected dialog entitled: Login failed; event=Opened"),
    "04-push-denied-relogin-no": ("degraded", "sign_in_late", SILENCE),
    "04-push-denied-relogin-yes-exit": ("blocked", "push_denied", "IBC returned exit status 87"),
    "04-push-denied-relogin-yes-restart": ("blocked", "push_denied", "IBC returned exit status 87"),
    "05-device-in-list": ("ready", None, "Configuration tasks completed"),
    "05-device-not-in-list": ("blocked", "device_unknown", "could not find second factor device 'IBKR Mobile' in the"),
    "05-device-not-named": ("blocked", "device_unnamed", "You should specify the required second factor device"),
    "06-login-failed-3-times-then-ok": ("blocked", "refused_login", "detected dialog entitled: Login failed"),
    "06-login-failed-live": ("blocked", "refused_login", "detected dialog entitled: Login failed; event=Opened"),
    "06-password-expiry": ("ready", None, "Configuration tasks completed"),
    "06-unrecognized-dialog": ("blocked", "refused_login", "detected dialog entitled: Unrecognized Username or"),
    "07-login-dialog-invalidated": ("stopped", "sign_in_ended", EXIT),
    "07-login-dialog-invalidated-2": ("ready", None, "Configuration tasks completed"),
    "07-login-error-daily-restart": ("starting", "sign_in_asked", "IBC will cold-restart shortly"),
    "07-login-error-first-start": ("ready", None, "Configuration tasks completed"),
    "09-existing-manual": ("blocked", "session_choice", "User must choose whether to continue with this session"),
    "09-existing-primary-first": ("ready", None, "Configuration tasks completed"),
    "09-existing-primary-signed-in": ("ready", None, "Configuration tasks completed"),
    "09-existing-primary-twice": ("blocked", "session_taken", "Other session must be primary or primary override, so"),
    "09-existing-primaryoverride-signed-in": ("ready", "session_taken", "Other session may be primary, so end this"),
    "09-existing-relogin-required": ("ready", "session_taken", "Other session must be primary or primary override, so"),
    "09-existing-relogin-required-ok": ("ready", None, "Configuration tasks completed"),
    "09-existing-secondary": ("blocked", "session_taken", "End this session and let the other session proceed"),
    "09-existing-secondary-signed-in": ("ready", "session_taken", "End this session and let the other session proceed"),
    "09-handoff-manual": ("blocked", "session_choice", "Trading Login Handoff dialog; {}"),
    "09-handoff-secondary": ("blocked", "session_taken", "Trading Login Handoff dialog; error: {}"),
    "10-locked-login-failed": ("blocked", "refused_login", "detected dialog entitled: Login failed; event=Opened"),
    "10-too-many-relogin-no": ("blocked", "too_many_logins", "Too many failed login attempts. Please wait 4 seconds"),
    "10-too-many-relogin-yes": ("blocked", "too_many_logins", "Too many failed login attempts. Please wait 4 seconds"),
    "11-passkey-2fa-dialog": ("degraded", "sign_in_late", SILENCE),
    "11-passkey-gateway-dialog": ("blocked", "passkey", "PassKey is not supported in this application."),
    "12-code-untitled": ("degraded", "sign_in_late", SILENCE),
    "12-totp": ("degraded", "sign_in_late", SILENCE),
    "13-restart-by-own-time": ("ready", None, "Configuration tasks completed"),
    "13-restart-command-live": ("ready", None, "Configuration tasks completed"),
    "13-restart-command-paper": ("ready", None, "Configuration tasks completed"),
    "13-restart-twice": ("ready", None, "Configuration tasks completed"),
    "14-stop-at-login-window": ("stopped", "sign_in_ended", EXIT),
    "14-stop-close-hangs": ("ready", None, "Configuration tasks completed"),
    "14-stop-during-auto-restart-token-there": ("ready", None, "Configuration tasks completed"),
    "14-stop-during-auto-restart-token-used": ("stopped", "session_lost", EXIT),
    "14-stop-during-push": ("stopped", "sign_in_ended", EXIT),
    "14-stop-paper-restarting-login": ("stopped", None, EXIT),
    "14-stop-signed-in": ("stopped", None, EXIT),
    "15-pause-and-start": ("ready", None, "Configuration tasks completed"),
    "16-stale-token-live": ("degraded", "sign_in_late", SILENCE),
    "16-stale-token-live-then-login-window-timeout": ("degraded", "sign_in_late", SILENCE),
    "16-stale-token-paper": ("blocked", "stale_token", SILENCE),
    "17-two-tokens": ("ready", None, "Configuration tasks completed"),
    "18-login-window-never": ("blocked", "login_window_loop", "IBC returned exit status 88"),
    "19-slow-login-relogin-yes": ("ready", None, "Configuration tasks completed"),
    "19-stall-after-approval-relogin-no": ("degraded", "sign_in_late", SILENCE),
    "19-stall-after-approval-relogin-yes-exit": ("blocked", "push_denied", "IBC returned exit status 87"),
    "20-closedown-daily": ("stopped", None, EXIT),
    "20-cold-restart-sunday-live": ("starting", "sign_in_asked", "IBC will cold-restart shortly"),
    "20-cold-restart-sunday-paper": ("ready", None, "Configuration tasks completed"),
    "21-docker-stop-during-start": ("stopped", "sign_in_ended", EXIT),
    "21-docker-stop-signed-in": ("stopped", "ended", EXIT),
    "22-jvm-killed": ("stopped", "ended", EXIT),
    "22-jvm-terminated": ("stopped", "ended", EXIT),
    "23-incoming-accept": ("ready", None, "Configuration tasks completed"),
    "23-incoming-reject": ("ready", None, "Configuration tasks completed"),
    "23-read-only-off": ("ready", None, "Configuration tasks completed"),
    "23-write-access": ("ready", None, "Configuration tasks completed"),
    "24-newer-version-frame": ("ready", None, "Configuration tasks completed"),
    "24-newer-version-pane": ("ready", None, "Configuration tasks completed"),
    "24-no-longer-supported-gateway-dialog": ("blocked", "release_refused", "The version of the application you are"),
    "25-configured-before-login-completed": ("ready", None, "Login has completed"),
    "25-configured-before-login-completed-paper": ("ready", None, "Login has completed"),
    "26-auto-logoff": ("stopped", None, EXIT),
    "27-2fa-action": ("stopped", "bad_settings", EXIT),
    "27-autorestart-24h": ("ready", None, "Configuration tasks completed"),
    "27-closedown-bad": ("stopped", "bad_settings", EXIT),
    "27-coldrestart-bad": ("stopped", "bad_settings", EXIT),
    "27-existing-action-bad": ("blocked", "session_taken", "End this session and let the other session proceed"),
    "27-ini-template-missing": ("stopped", "bad_settings", EXIT),
    "27-jtsini-bad-bytes": ("stopped", "bad_settings", EXIT),
    "27-jtsini-unreadable": ("stopped", "bad_settings", EXIT),
    "27-no-user": ("degraded", "sign_in_late", SILENCE),
    "27-password-twice": ("blocked", "bad_settings", "error: both TWS_PASSWORD and TWS_PASSWORD_FILE are set"),
    "27-settings-not-writable": ("stopped", "bad_settings", EXIT),
    "27-trading-mode-env": ("blocked", "bad_settings", ".> Invalid TRADING_MODE: demo"),
    "27-trading-mode-ini": ("stopped", "bad_settings", EXIT),
    "28-disclaimer-before-splash": ("ready", None, "Login has completed"),
    "28-disclaimer-not-accepted": ("ready", None, "Configuration tasks completed"),
    "30-commands": ("stopped", None, EXIT),
    "30-commands-info": ("stopped", None, EXIT),
    "30-commands-pause-info": ("ready", None, "Configuration tasks completed"),
    "exp-07-login-error-daily-restart": ("starting", "sign_in_asked", "IBC will cold-restart shortly"),
    "exp-13-restart-command-live": ("ready", None, "Configuration tasks completed"),
    "ibg-01-paper-ready-v070": ("ready", None, "API port 4002 accepting connections after 0s"),
    "ibg-01-paper-ready": ("ready", None, "API port 4002 accepting connections after 0s"),
    "ibg-02-live-approved-45s-v070": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-02-live-approved-8s-v070": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-02-live-approved-8s": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-03-push-missed-dialog-closes-v070": ("blocked", "push_closed", "API port never opened and no lockout"),
    "ibg-03-push-missed-dialog-closes": ("blocked", "push_closed", "API port never opened and no lockout signature"),
    "ibg-03-push-missed-exit-v070": ("blocked", "push_missed", 'ALERT_2FA_FAILED mode=live reason="2FA dialog'),
    "ibg-03-push-missed-exit": ("blocked", "push_missed", 'ALERT_2FA_FAILED mode=live reason="2FA dialog timeout;'),
    "ibg-03-push-missed-none-v070": ("blocked", "push_missed", "API port never opened and no lockout signature"),
    "ibg-03-push-missed-none": ("blocked", "push_missed", "API port never opened and no lockout signature detected —"),
    "ibg-03-push-missed-restart-v070": ("starting", "push_missed", "TWOFA_TIMEOUT_ACTION=restart — invoking"),
    "ibg-04-wrong-password": ("blocked", "refused_login", 'ALERT_LOGIN_FAILED mode=live reason="bad-credentials"'),
    "ibg-05-existing-primary-v070": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-05-existing-primary": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-05-existing-secondary-v070": ("blocked", "session_taken", "Clicking existing-session button 'Cancel' in"),
    "ibg-06-auto-logoff": ("starting", "sign_in_asked", "Recovery: JVM exited cleanly (code 0). Trying fast"),
    "ibg-06-daily-restart-kept-v070": ("starting", "sign_in_asked", "Recovery: JVM exited with code 0. Trying fast"),
    "ibg-06-daily-restart-kept": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-07-daily-restart-refused-push-missed": ("starting", "sign_in_asked", "AUTORESTART: login dialog on the"),
    "ibg-08-docker-stop-before-2fa-state-v070": ("stopped", "sign_in_ended", EXIT),
    "ibg-08-docker-stop-during-push-v070": ("stopped", "sign_in_ended", EXIT),
    "ibg-08-docker-stop-during-push": ("stopped", "sign_in_ended", EXIT),
    "ibg-08-docker-stop-signed-in-v070": ("stopped", "session_lost", EXIT),
    "ibg-08-docker-stop-signed-in": ("stopped", "session_lost", EXIT),
    "ibg-08-kill-controller-during-push": ("stopped", "sign_in_ended", EXIT),
    "ibg-09-reconnectaccount-and-token-v070": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-09-restart-command-v070": ("ready", "sign_in_asked", "RESTART: terminating Gateway PID 19"),
    "ibg-09-restart-command": ("ready", "sign_in_asked", "RESTART: terminating Gateway PID 19"),
    "ibg-09-stop-command-v070": ("stopped", "session_lost", EXIT),
    "ibg-09-stop-command": ("stopped", "session_lost", EXIT),
    "ibg-10-manual-login-in-window": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-10-passkey-prompt": ("blocked", "passkey", "Passkey prompt detected in 'Second Factor"),
    "ibg-10-totp-v070": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-10-totp": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
    "ibg-10-wrong-device-v070": ("blocked", "second_factor", ".> WARNING: controller readiness timeout after 300s in"),
    "ibg-11-no-password": ("blocked", "password_empty", "TWS_USERID and TWS_PASSWORD must be set"),
    "ibg-12-auth-silent-lockout-v070": ("blocked", "server_silent", "ALERT_CCP_PERSISTENT consecutive_lockouts=3"),
    "ibg-13-jvm-crash-v070": ("starting", "sign_in_asked", "Recovery: JVM exited with code -9. Trying fast in-place"),
    "ibg-14-api-port-lost-v070": ("ready", "sign_in_asked", "Gateway appears wedged (sustained port closure, no login"),
    "ibg-15-am-time-and-settings": ("ready", None, "Readiness signal: /tmp/gateway_ready_live"),
}

# Words that the next step of a cause must have.
STEPS = {
    "bad_settings": "ibops.gateway.site",
    "ended": "ibgwctl start",
    "device_unknown": "gateway_second_factor_device",
    "device_unnamed": "gateway_second_factor_device",
    "login_window_loop": "gateway_login_dialog_timeout",
    "passkey": "IB Key",
    "password_empty": "ibops.gateway.live_signin",
    "push_closed": "sign in again",
    "push_denied": "sign in again",
    "push_missed": "ibops.gateway.live_signin",
    "refused_login": "password",
    "release_refused": "image",
    "second_factor": "IB Key",
    "server_silent": "IBKR Mobile",
    "session_choice": "gateway_existing_session_action",
    "session_lost": "ibops.gateway.live_signin",
    "session_taken": "Sign the user out there",
    "sign_in_asked": "ibops.gateway.live_signin",
    "sign_in_ended": "ibops.gateway.live_signin",
    "sign_in_late": "ibops.gateway.live_signin",
    "stale_token": "ibgwctl start",
    "too_many_logins": "wait as long as the log says",
}


def live_and_full(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    return "# mode: live" in text and OF[path].full in text


@pytest.mark.parametrize("granted", [True, False], ids=["asked", "unasked"])
@pytest.mark.parametrize("path", FILES, ids=named)
def test_bounds_hold(path: Path, granted: bool) -> None:
    replay = Replay(path, granted).play()
    assert len(replay.logins) <= milestones.MAX_TRIES, "logins of a start"
    assert sum(replay.logins) < milestones.MAX_REFUSALS, "logins after a refusal"
    if replay.mode == "live":
        assert all(replay.pushes), "a push that nobody has asked for"


@pytest.mark.parametrize("path", [each for each in FILES if live_and_full(each)], ids=named)
def test_a_sign_in_that_nobody_asked_for_is_ended_at_the_line_that_announces_it(path: Path) -> None:
    replay = Replay(path, granted=False)
    full = next(at for at, line in replay.lines if replay.of.full in line)
    replay.play()
    assert replay.step is not None
    assert (replay.step.action, replay.step.cause) == ("kill", "sign_in_asked")
    assert replay.stepped_at <= BEGAN + full


@pytest.mark.parametrize("path", [each for each in FILES if OF[each] is RECORDED[1] and live_and_full(each)], ids=named)
def test_a_push_that_is_not_named_is_foreseen(path: Path) -> None:
    """For so many seconds at least before its window opens, the log has told of it, until the API's port accepts."""
    replay = Replay(path, granted=True)
    foreseen: float | None = None
    for seconds, line in sorted([*replay.windows, *replay.lines], key=lambda each: each[0]):
        if (seconds, line) in replay.windows:
            assert foreseen is not None
            assert seconds - foreseen >= FORESEEN
            continue
        replay.gateway._log.feed(f"{replay.stamp()} {line}\n".encode("utf-8", "surrogateescape"))
        asks = replay.gateway.summary.asks_for_sign_in
        foreseen = (seconds if foreseen is None else foreseen) if asks else None


@pytest.mark.parametrize("path", FILES, ids=named)
def test_how_it_ends(path: Path) -> None:
    """A gateway that runs on is ready in the end, or degraded, or stopped with a cause; never starting, and never
    waiting for a phone."""
    replay = Replay(path, granted=True).play()
    cause, state = replay.step.cause if replay.step else None, replay.record.state
    assert cause or state not in (verdicts.STARTING, verdicts.WAITING_2FA), replay.record.reason
    if named(path) not in ENDS:
        return
    *conclusion, line = ENDS[named(path)]
    assert [state, cause] == conclusion, replay.record.reason
    assert line in replay.told_by
    if cause is not None:
        assert STEPS[cause] in policy.CAUSES[cause].next_step


@pytest.mark.parametrize("path", FILES, ids=named)
def test_usable_is_only_what_has_signed_in(path: Path) -> None:
    replay, done = Replay(path, granted=True), False
    for seconds, line in replay.lines:
        replay.now = BEGAN + seconds
        replay.gateway._log.feed(f"{replay.stamp()} {line}\n".encode("utf-8", "surrogateescape"))
        done = not among(replay.of.anew, line) and (done or among(replay.of.done, line))
        assert done or not replay.gateway.summary.usable, line


@pytest.mark.parametrize(
    ("stem", "says", "seconds"),
    [
        ("04-push-denied-relogin-no", "the push was answered", 80),
        ("05-device-not-in-list", "gateway_second_factor_device", 0),
        ("05-device-not-named", "second-factor devices", 0),
        ("09-handoff-manual", "which session lives", 0),
        ("11-passkey-2fa-dialog", "may ask for a code, a card or a passkey", 260),
        ("12-code-untitled", "Enter security code", 60),
        ("16-stale-token-live", "no longer valid", 200),
        ("16-stale-token-live-then-login-window-timeout", "no longer valid", 200),
        ("21-docker-stop-signed-in", ibc.UNDER_JAVA, 0),
    ],
)
def test_trouble_is_named_in_time(stem: str, says: str, seconds: float) -> None:
    """So long after the last line at most the state, degraded or blocked or stopped, says it."""
    replay = Replay(ROOT / f"{stem}.log", granted=True).play()
    due = replay.lines[-1][0] + seconds
    assert any(at <= due + 1 and says in record.reason for at, record in replay.seen), [
        (at, record.reason) for at, record in replay.seen
    ]


@pytest.mark.parametrize(
    ("stem", "cause", "pushes", "told"),
    [
        ("04-push-denied-login-failed", "push_denied", 1, None),
        ("04-push-denied-relogin-yes-restart", "push_denied", 1, None),
        ("04-push-denied-relogin-no", "sign_in_late", 1, 90),
        ("12-code-untitled", "sign_in_late", 0, 60),
        ("14-stop-at-login-window", "sign_in_ended", 0, None),
        ("27-closedown-bad", "bad_settings", 0, None),
    ],
)
def test_an_operators_sign_in(
    stem: str, cause: str, pushes: int, told: float | None,
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any,
) -> None:  # fmt: skip
    """It ends with its cause and without another push; what stalls is said, and in the state file, in so many
    seconds."""
    replay = Replay(ROOT / f"{stem}.log", granted=True)
    world = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY)
    world.ibc = replay.lines
    begin = fake_engine.on_start

    def start() -> None:
        begin()
        if replay.exit_code is not None:
            world.later(replay.lines[-1][0] + 0.1, lambda: fake_engine.exit(replay.exit_code))

    fake_engine.on_start = start
    troubled: list[float] = []

    def say(step: str, _text: str) -> None:
        # The state file is written just behind it.
        if step in ("stalled", "dialog", "code_wanted"):
            world.later(0.01, lambda: troubled.extend([world.time] * (world.store.load("live").state == "degraded")))
            troubled.append(world.time)

    world.act(lambda control: control.sign_in(say))
    assert (world.store.load("live").blocked, sum(PUSH in line for line in world.written)) == (cause, pushes)
    assert (told is None) == (not troubled)
    if told is not None:
        assert troubled[0] - TUESDAY <= replay.lines[-1][0] + told
        assert len(troubled) == 2, "not in the state file"


def test_a_push_that_ibc_does_not_name_is_told_too(
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any
) -> None:
    """IBKR shows another dialog behind one that was denied, and it is approved."""
    lines = Replay(ROOT / "02-live-approved-8s.log", granted=True).lines
    closed = next(at for at, line in lines if "Second Factor Authentication; event=Closed" in line)
    dialog = "IBC: detected dialog entitled: Second Factor Authentication; event="
    world = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY)
    world.ibc = [
        *(each for each in lines if each[0] <= closed),
        (closed + 0.5, f"{dialog}Opened"),
        (closed + 30, f"{dialog}Closed"),
        *((closed + 32, line) for line in IN),
    ]
    said: list[str] = []
    world.act(lambda control: control.sign_in(lambda step, _text: said.append(step)))
    assert (said.count("push_sent"), world.store.load("live").counts["pushes"]) == (2, 2)
    assert world.store.load("live").state == "ready", world.error


@pytest.mark.parametrize(
    ("stem", "cause", "logins", "seconds"),
    [
        ("02-live-approved-8s", None, 1, 45),
        ("02-live-approved-45s-v070", None, 1, 65),
        ("03-push-missed-dialog-closes", "push_closed", 1, 260),
        ("03-push-missed-exit", "push_missed", 3, 190),
        ("03-push-missed-none", "push_missed", 3, 610),
        ("03-push-missed-restart-v070", "push_missed", 3, 180),
        ("04-wrong-password", "refused_login", 1, 35),
        ("05-existing-secondary-v070", "session_taken", 1, 35),
        ("10-passkey-prompt", "passkey", 1, 35),
        ("10-manual-login-in-window", None, 1, 110),
        ("11-no-password", "password_empty", 0, 5),
        ("12-auth-silent-lockout-v070", "server_silent", 3, 210),
    ],
)
def test_an_operators_sign_in_with_ibg_controller(
    stem: str, cause: str | None, logins: int, seconds: float,
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any,
) -> None:  # fmt: skip
    """It ends with its cause, its logins bounded, and in its time; that a push may stand is said before it has a
    name."""
    replay = Replay(ROOT / "ibg" / f"{stem}.log", granted=True)
    world = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY, controller="ibg-controller")
    world.ibc = replay.lines
    said: list[str] = []
    world.act(lambda control: control.sign_in(lambda _step, text: said.append(text)))
    record = world.store.load("live")
    assert (record.blocked, record.state) == (cause, "blocked" if cause else "ready"), world.error
    assert sum(replay.of.login in line for line in world.written) == logins
    assert any("a push may be on the phone now" in text for text in said) == bool(logins)
    assert world.time - TUESDAY <= seconds
    assert fake_engine.status == ("exited" if cause else "running")


@pytest.mark.parametrize(
    ("stem", "says"),
    [
        ("06-auto-logoff", "Trying fast in-place restart first"),
        ("07-daily-restart-refused-push-missed", "AUTORESTART: login dialog on"),
        ("09-restart-command", "RESTART: terminating"),
        ("13-jvm-crash-v070", "Trying fast in-place restart first"),
    ],
)
def test_the_watcher_ends_what_ibg_controller_begins_by_itself(
    stem: str, says: str, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any
) -> None:
    """After a sign-in that a person made: at the first line that announces another one."""
    replay = Replay(ROOT / "ibg" / f"{stem}.log", granted=True)
    world = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY, controller="ibg-controller")
    world.ibc = replay.lines
    world.act(lambda control: control.sign_in(lambda _step, _text: None))
    world.watch(120)
    assert (fake_engine.status, world.store.load("live").blocked) == ("exited", "sign_in_asked")
    assert says in world.written[-1]
    assert sum(replay.of.login in line for line in world.written) == 1


def test_the_watcher_hears_a_sign_in_that_is_announced(
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any
) -> None:
    """A token that is refused at the daily restart: the container ends before the JVM that would ask for a push."""
    lines = Replay(ROOT / "07-login-error-daily-restart.log", granted=True).lines
    world = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY)
    # As after a sign-in that was approved, from the restart on.
    world.ibc = [(at - 37.9, line) for at, line in lines if at > 37.9]
    world.watch(1)
    fake_engine.start()
    world.watch(60)
    assert (fake_engine.status, world.store.load("live").blocked) == ("exited", "sign_in_asked")
    assert "shortly" in world.written[-1]
    assert not any(FULL in line or PUSH in line for line in world.written)

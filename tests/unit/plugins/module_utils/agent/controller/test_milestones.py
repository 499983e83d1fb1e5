# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.findings import FINDINGS
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.marks import Controller
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.milestones import TYPED, Summary
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable

BANNER = [
    ".> Starting IBC/IB gateway",
    ".> Starting Xvfb server",
    ".> API_PORT set to: 4002",
    "Forking :::4002 onto 0.0.0.0:4004 > trading mode paper",
    ".> Starting IBC in paper mode, with params:",
    ".>\t\tVersion: 10.45.1j",
    ".>\t\tprogram: gateway",
]
FRESH = [
    "autorestart file not found: full authentication will be required",
    "2026-11-20 09:43:50:001 IBC: Starting session: will exit if login dialog is not displayed within 60 seconds",
]
KEPT = [
    "autorestart file found at /x: authentication will not be required",
    "2026-11-20 22:01:02:001 IBC: Re-starting session",
]
LOGIN = [
    "2026-11-20 09:43:52:000 IBC: Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT",
    "2026-11-20 09:43:52:500 IBC: Login attempt: 1",
    "2026-11-20 09:43:52:600 IBC: Click button: Paper Log In",
]
PUSH = ["2026-11-20 09:43:54:000 IBC: Second Factor Authentication initiated"]
DONE = ["2026-11-20 09:43:58:000 IBC: Login has completed"]
SET = [
    "2026-11-20 09:43:58:100 IBC: Auto restart time set to 11:45 PM",
    "2026-11-20 09:43:58:200 IBC: Read-Only API checkbox is now set to: false",
    "2026-11-20 09:43:58:300 IBC: Configuration tasks completed",
]
REFUSED = [
    "2026-11-20 09:43:55:000 IBC: detected dialog entitled: Login failed; event=Opened",
    "2026-11-20 09:43:55:100 IBC: Login failed",
    "2026-11-20 09:43:55:200 IBC: Cold restart in progress",
    "IBC returned exit status 0",
]
COMMAND = ["2026-11-20 22:00:10:000 IBC: CommandServer received command: RESTART"]
ENDED = ["IBC returned exit status 0"]
MISSED = "IBC: Re-login after second factor authentication timeout not required"
MISSED_AGAIN = "IBC: Re-login after second factor authentication timeout in 5 second"
COLD, RESTARTS = "IBC will cold-restart shortly", "IBC will restart shortly"
OPENED = "IBC: detected dialog entitled: {}; event=Opened"
CLOSED = "IBC: detected dialog entitled: {}; event=Closed"
HANDOFF = "IBC: Trading Login Handoff dialog; {}"
WINDOW = ["IBC: Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT"]
FACTOR = "Second Factor Authentication"
UNREACHED = "Connection to server failed"


def summed(*parts: list[str]) -> Summary:
    summary = Summary()
    for part in parts:
        summary.feed(part)
    return summary


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], {"phase": "none", "jvm_runs": 0, "usable": False}),
        ([BANNER], {"phase": "none", "gateway_version": "10.45.1j"}),
        ([BANNER, FRESH], {"phase": "launched", "jvm_runs": 1, "full_authentication": True}),
        ([BANNER, FRESH, LOGIN[:1]], {"phase": "login_window"}),
        ([BANNER, FRESH, LOGIN], {"phase": "signing_in", "login_attempts": 1, "usable": False}),
        ([BANNER, FRESH, LOGIN, PUSH], {"phase": "waiting_2fa", "pushes": 1}),
        ([BANNER, FRESH, LOGIN, PUSH, DONE], {"phase": "signed_in", "usable": False}),
        (
            [BANNER, FRESH, LOGIN, DONE, ["x IBC: Click button: I understand and accept"]],
            {"phase": "signed_in", "usable": True},
        ),
        (
            [BANNER, FRESH, LOGIN, DONE, SET],
            {"phase": "configured", "usable": True, "read_only": False, "finding": None},
        ),
        ([BANNER, FRESH, LOGIN, DONE, SET, COMMAND], {"phase": "configured", "restart_used": True}),
        (
            [BANNER, FRESH, LOGIN, DONE, SET, COMMAND, ENDED, KEPT],
            {
                "phase": "launched",
                "jvm_runs": 2,
                "restart_used": False,
                "full_authentication": False,
                "exit_codes": [0],
            },
        ),
        ([BANNER, FRESH, LOGIN, DONE, SET, COMMAND, ENDED, KEPT, DONE, SET], {"phase": "configured", "usable": True}),
        ([BANNER, FRESH, LOGIN, REFUSED], {"phase": "ended", "refused_logins": 1, "finding": None, "cold_restarts": 1}),
        (
            [BANNER, FRESH, LOGIN, REFUSED, FRESH, LOGIN, REFUSED, FRESH],
            {"refused_logins": 2, "finding": "refused_login", "last_error": "Login failed", "jvm_runs": 3},
        ),
        (
            [BANNER, FRESH, LOGIN, REFUSED, FRESH, LOGIN, DONE],
            {"refused_logins": 0, "finding": None, "last_error": None},
        ),
        (
            [BANNER, FRESH, LOGIN, ["IBC: detected dialog entitled: Unrecognized Username or Password; event=Opened"]],
            {"refused_logins": 1, "finding": "refused_login"},
        ),
        (
            [BANNER, FRESH, LOGIN, ["IBC: User must choose whether to continue with this session"]],
            {"finding": "session_choice"},
        ),
        (
            [BANNER, FRESH, LOGIN, DONE, ["IBC: End this session and let the other session proceed"], ENDED],
            {"finding": "session_taken", "phase": "ended"},
        ),
        ([BANNER, FRESH, LOGIN, DONE, SET, ENDED, FRESH[:1]], {"full_authentication": True, "phase": "ended"}),
        (
            [BANNER, FRESH, LOGIN, PUSH, ["IBC: Re-login after second factor authentication timeout not required"]],
            {"finding": None, "pushes_missed": 0, "phase": "lapsed", "tries_again": False, "asks_for_sign_in": True},
        ),
        ([BANNER, FRESH, LOGIN, PUSH, [MISSED], DONE], {"finding": None, "pushes_missed": 0, "phase": "signed_in"}),
        (
            [BANNER, FRESH, LOGIN, PUSH, [MISSED], ENDED],
            {"finding": "push_missed", "pushes_missed": 1, "phase": "ended"},
        ),
        (
            [BANNER, FRESH, LOGIN, PUSH, [MISSED_AGAIN]],
            {"finding": None, "pushes_missed": 0, "phase": "lapsed", "tries_again": True},
        ),
        (
            [
                BANNER,
                FRESH,
                LOGIN,
                PUSH,
                ["IBC: Re-login after second factor authentication timeout in 5 second"],
                LOGIN,
                PUSH,
            ],
            {"finding": None, "pushes": 2, "pushes_missed": 1, "phase": "waiting_2fa"},
        ),
        (
            [BANNER, *[[*FRESH, "IBC: Exiting after error with exit code=1112", "IBC returned exit status 88"]] * 3],
            {"finding": "login_window_loop", "window_timeouts": 3, "last_error": "error with exit code 1112"},
        ),
        ([BANNER, FRESH, ["IBC returned exit status 1112"]], {"exit_codes": [88]}),
        ([BANNER, FRESH, LOGIN, DONE, SET, ["IBC is paused", "Gateway finished"]], {"phase": "paused"}),
        ([BANNER, FRESH, LOGIN, DONE, SET, ["Gateway finished"]], {"phase": "ended"}),
        (
            [BANNER, FRESH, LOGIN, DONE, SET, [".> 😘 Received SIGINT or SIGTERM. Shutting down IB Gateway."]],
            {"phase": "ended"},
        ),
        ([[".> Invalid TRADING_MODE: demo"]], {"finding": "bad_settings", "last_error": "Invalid TRADING_MODE: demo"}),
        ([["error: both TWS_PASSWORD and TWS_PASSWORD_FILE are set (but are exclusive)"]], {"finding": "bad_settings"}),
        (
            [BANNER, FRESH, ["IBC: detected dialog entitled: Existing session detected; event=Opened"]],
            {"last_dialog": "Existing session detected"},
        ),
        ([BANNER, FRESH, LOGIN, DONE, SET, BANNER], {"phase": "none", "jvm_runs": 0, "read_only": None}),
        ([["API in Read-Only mode: true"]], {"read_only": True}),
        ([["2026-11-20 09:43:50:001 IBC: version: 3.24.1"]], {"controller_version": "3.24.1"}),
        # A push proves that user and password were right, in its own attempt.
        *[
            (
                [FRESH, LOGIN, PUSH, said, ["IBC: Login failed"]],
                {"finding": "push_denied", "refused_logins": 0, "last_error": "Login failed"},
            )
            for said in ([], [CLOSED.format(FACTOR)], [MISSED])
        ],
        (
            [FRESH, LOGIN, PUSH, ENDED, FRESH, LOGIN, ["IBC: Login failed"]],
            {"finding": None, "refused_logins": 1},
        ),
        # Found by one JVM, and not fixed by the next.
        (
            [FRESH, LOGIN, PUSH, [CLOSED.format(FACTOR), "IBC returned exit status 87"], FRESH],
            {"finding": "push_denied"},
        ),
        # IBC's timer can begin at the closing of the list of devices, and the push waits still.
        ([FRESH, LOGIN, PUSH, ["IBC returned exit status 87"], FRESH], {"finding": "push_closed"}),
        *[
            ([FRESH, LOGIN, PUSH, DONE, *configured, [words]], {"finding": None})
            for configured in ([], [SET])
            for words in (
                "Order type LOO is no longer supported",
                "Passkey is not supported for this device",
                "Too many failed login attempts from another place",
            )
        ],
        ([*[[*FRESH, "IBC returned exit status 88"]] * 3, FRESH], {"finding": "login_window_loop"}),
        # The menu may open before the sign-in has completed.
        ([FRESH, LOGIN, SET], {"phase": "signing_in", "settings_applied": True, "usable": False}),
        ([FRESH, LOGIN, SET, DONE], {"phase": "configured", "usable": True}),
        # On the way to a push, or not.
        ([BANNER], {"asks_for_sign_in": False}),
        ([KEPT, DONE, SET, FRESH[:1]], {"token_missing": True, "asks_for_sign_in": False}),
        ([FRESH, DONE, SET, KEPT[:1]], {"token_missing": False, "asks_for_sign_in": False}),
        ([KEPT, DONE, SET, FRESH[:1], [RESTARTS]], {"sign_in_follows": True, "asks_for_sign_in": True}),
        ([FRESH, DONE, SET, KEPT[:1], [RESTARTS]], {"sign_in_follows": False, "asks_for_sign_in": False}),
        ([KEPT, DONE, SET, [COLD]], {"sign_in_follows": True, "asks_for_sign_in": True}),
        ([KEPT, DONE, SET, [COLD, RESTARTS]], {"sign_in_follows": True, "asks_for_sign_in": True}),
        ([KEPT, DONE, SET, [COLD, "Gateway finished"]], {"sign_in_follows": False, "asks_for_sign_in": False}),
        ([KEPT, DONE, SET, [COLD], KEPT], {"sign_in_follows": False, "asks_for_sign_in": False}),
        ([FRESH], {"asks_for_sign_in": True, "on_token": False}),
        ([FRESH[1:], LOGIN], {"asks_for_sign_in": True, "full_authentication": True}),
        # Nobody enters a password on a token: IBKR has refused it.
        ([KEPT, LOGIN], {"asks_for_sign_in": True, "on_token": True}),
        ([KEPT, LOGIN[:1]], {"asks_for_sign_in": False, "on_token": True}),
        ([KEPT, PUSH], {"asks_for_sign_in": True}),
        ([KEPT, FRESH[1:]], {"on_token": False}),
        ([FRESH, LOGIN, DONE], {"asks_for_sign_in": False}),
        ([FRESH, LOGIN, ENDED], {"asks_for_sign_in": False}),
        (
            [FRESH, LOGIN, DONE, ["CommandServer received command: pause"]],
            {"restart_used": True, "commands": ["PAUSE"]},
        ),
        ([FRESH, LOGIN, DONE, ["CommandServer received command: STOP"]], {"restart_used": False}),
        ([FRESH, LOGIN, LOGIN], {"login_attempts": 2, "tries": 2, "logins": 2}),
        (
            [FRESH, LOGIN, PUSH, [MISSED_AGAIN], LOGIN, PUSH, [MISSED_AGAIN]],
            {"pushes_missed": 1, "phase": "lapsed"},
        ),
        ([FRESH, LOGIN, PUSH, [MISSED], LOGIN, PUSH, [MISSED]], {"pushes_missed": 1, "phase": "lapsed"}),
        ([FRESH, LOGIN, PUSH, [MISSED], FRESH], {"pushes_missed": 1, "phase": "launched"}),
        # Words of a full sign-in, each without the others.
        ([["full authentication will be required"], WINDOW], {"asks_for_sign_in": True}),
        ([WINDOW], {"asks_for_sign_in": False}),
        ([WINDOW, ["IBC: Setting user name"]], {"asks_for_sign_in": True}),
        ([WINDOW, ["IBC: Setting password"]], {"asks_for_sign_in": True}),
        (
            [["    ExistingSessionDetectedAction=primary"], FRESH, LOGIN, PUSH, [HANDOFF]],
            {"finding": None, "contested": True, "last_dialog": "Trading Login Handoff"},
        ),
        ([["    ExistingSessionDetectedAction=manual"], FRESH, LOGIN, PUSH, [HANDOFF]], {"finding": "session_choice"}),
        ([["    ExistingSessionDetectedAction="], FRESH, LOGIN, PUSH, [HANDOFF]], {"finding": "session_choice"}),
        ([FRESH, LOGIN, PUSH, [HANDOFF]], {"finding": "session_choice"}),
        # A refusal after a sign-in is the first one, and counts.
        ([FRESH, LOGIN, DONE, ["IBC: Login failed"]], {"refused_logins": 1, "finding": None}),
        ([FRESH, LOGIN, ["Unrecognized Username or password"] * 2], {"refused_logins": 2, "finding": "refused_login"}),
        ([FRESH, LOGIN, ["IBC: Login error message: x"]], {"refused_logins": 1, "last_error": "Login Error"}),
        ([FRESH, LOGIN, DONE, ["IBC: Cold restart in progress"] * 2], {"cold_restarts": 2}),
        (
            [FRESH, LOGIN, DONE, SET, ["API client needs write access action confirmation"]],
            {"write_refused": True, "phase": "configured"},
        ),
        (
            [FRESH, ["x IBC: detected dialog entitled: Re-login is required; event=Opened"]],
            {"contested": True, "last_dialog": "Re-login is required"},
        ),
        (
            [
                FRESH,
                [
                    "detected dialog entitled: Existing session detected",
                    "API client needs write access action confirmation",
                ],
                KEPT,
            ],
            {"contested": False, "write_refused": False, "last_dialog": None, "open_dialog": None},
        ),
        ([FRESH, LOGIN, ["Too many failed login attempts"]], {"finding": "too_many_logins"}),
        ([FRESH, LOGIN, ["PassKey is not supported"]], {"finding": "passkey"}),
        ([FRESH, LOGIN, ["This version is no longer supported"]], {"finding": "release_refused"}),
        ([[f"IBC returned exit status {code}" for code in range(30)]], {"exit_codes": [*range(10, 30)]}),
        (
            [[f"CommandServer received command: C{number}" for number in range(15)]],
            {"commands": [f"C{n}" for n in range(5, 15)]},
        ),
        # Dialogs: one that waits in a sign-in, until it is closed itself.
        ([FRESH, [OPENED.format("A")]], {"open_dialog": "A", "last_dialog": "A", "dialog_since_attempt": True}),
        ([FRESH, [OPENED.format("A"), CLOSED.format("B")]], {"open_dialog": "A", "last_dialog": "A"}),
        ([FRESH, [OPENED.format("A"), CLOSED.format("A")]], {"open_dialog": None, "last_dialog": "A"}),
        (
            [FRESH, [OPENED.format("A"), OPENED.format("B"), CLOSED.format("B")]],
            {"open_dialog": "A", "last_dialog": "B"},
        ),
        (
            [FRESH, [OPENED.format("A"), OPENED.format("B"), CLOSED.format("A")]],
            {"open_dialog": "B", "last_dialog": "B"},
        ),
        ([FRESH, [OPENED.format("A")] * 2, [CLOSED.format("A")]], {"open_dialog": "A"}),
        # The one in which a person types comes first.
        ([FRESH, [OPENED.format("A"), OPENED.format("Enter security code")]], {"open_dialog": "Enter security code"}),
        ([FRESH, [OPENED.format(f"{n}") for n in range(9)]], {"open_dialogs": [f"{n}" for n in range(1, 9)]}),
        ([FRESH, LOGIN, DONE, [OPENED.format("A")]], {"open_dialog": None, "last_dialog": "A"}),
        ([FRESH, LOGIN, [OPENED.format(FACTOR)]], {"open_dialog": None, "last_dialog": FACTOR}),
        ([FRESH, LOGIN, PUSH, [CLOSED.format("A")]], {"phase": "waiting_2fa"}),
        ([FRESH, LOGIN, [CLOSED.format(FACTOR)]], {"phase": "signing_in"}),
        # The list of devices closes behind the push's own dialog.
        (
            [FRESH, LOGIN, [OPENED.format(FACTOR)] * 2, PUSH, [CLOSED.format(FACTOR)]],
            {"phase": "waiting_2fa", "pushes": 1},
        ),
        (
            [FRESH, LOGIN, [OPENED.format(FACTOR)] * 2, PUSH, [CLOSED.format(FACTOR)] * 2],
            {"phase": "answered", "pushes": 1},
        ),
        # A second push, which has no line of its own.
        (
            [FRESH, LOGIN, [OPENED.format(FACTOR)], PUSH, [CLOSED.format(FACTOR), OPENED.format(FACTOR)]],
            {"phase": "waiting_2fa", "pushes": 2, "logins": 1, "all_logins": 2},
        ),
        (
            [
                FRESH,
                LOGIN,
                [OPENED.format(FACTOR)],
                PUSH,
                [CLOSED.format(FACTOR), OPENED.format(FACTOR)] * 2,
                [CLOSED.format(FACTOR)],
            ],
            {"phase": "answered", "pushes": 3},
        ),
        # A dialog that another JVM, or another attempt, has taken along counts no more.
        ([FRESH, LOGIN, [OPENED.format(FACTOR)], FRESH, LOGIN], {"second_factors": 0}),
        ([FRESH, LOGIN, [OPENED.format(FACTOR)], LOGIN], {"second_factors": 0}),
    ],
)
def test_fold(parts: list[list[str]], expected: dict[str, Any]) -> None:
    summary = summed(*parts)
    assert {name: getattr(summary, name) for name in expected} == expected


STAMP = "2026-11-20T09:43:50.000000001Z"


def test_a_line_that_is_no_text_is_read_as_far_as_it_is() -> None:
    assert summed(FRESH, LOGIN, ["\ud800 IBC: Login failed"]).refused_logins == 1


def test_what_is_shown_of_the_log_is_short() -> None:
    summary = summed(
        FRESH,
        [
            f"IBC: version: 1{'x' * 60}",
            # Each of these characters is shown as four.
            "\tVersion: " + "\x1b" * 40,
            "CommandServer received command: " + "\x1b" * 40,
            OPENED.format("x" * 150),
        ],
    )
    assert (len(summary.controller_version or ""), len(summary.gateway_version or "")) == (40, 40)
    assert [len(each) for each in summary.commands] == [40]
    assert (len(summary.last_dialog or ""), len(summary.open_dialog or "")) == (100, 100)


def test_a_log_that_has_not_begun() -> None:
    numbers = (
        "jvm_runs", "login_attempts", "pushes", "pushes_missed", "refused_logins", "window_timeouts", "cold_restarts",
        "tries", "full_runs", "idles", "log_ins", "logins_before", "pushes_before",
        "second_factors",
    )  # fmt: skip
    flags = (
        "disclaimer_accepted", "contested", "on_token", "write_refused", "refused_this_time", "dialog_since_attempt",
        "settings_applied", "sign_in_follows", "awaits_person", "tries_again",
    )  # fmt: skip
    unknown = (
        "full_authentication", "read_only", "gateway_version", "controller_version", "finding", "last_error",
        "last_dialog", "token_missing", "release_notice", "second_factor_fault",
        "existing_session_action",
    )  # fmt: skip
    fresh: dict[str, Any] = {"phase": "none", "commands": [], "exit_codes": [], "open_dialogs": []}
    fresh |= dict.fromkeys(numbers, 0) | dict.fromkeys(flags, False) | dict.fromkeys(unknown)
    assert Summary().as_state() == fresh
    assert all(Summary().as_state()[name] is False for name in flags)
    # Another start of the container begins afresh.
    assert summed(FRESH, LOGIN, PUSH, DONE, SET, COMMAND, ENDED, BANNER[:1]).as_state() == fresh


@pytest.mark.parametrize(
    "change",
    [
        {"commands": ["A"] * 10},
        {"open_dialogs": ["A"] * 8},
        {"exit_codes": [1] * 20},
        {"last_error": "x" * 400},
        {"read_only": True},
        {"pushes": 7},
    ],
)
def test_a_state_at_its_bounds_is_one(change: dict[str, Any]) -> None:
    found = Summary.from_state(Summary().as_state() | change)
    assert found is not None
    assert found.as_state() == Summary().as_state() | change


def test_every_event_of_a_table_is_a_finding_or_has_its_method() -> None:
    methods = {name.removeprefix("_on_") for name in vars(Summary) if name.startswith("_on_")}
    used = set()
    for table in controllers.TABLES.values():
        assert set(table.names) <= methods | table.findings.keys()
        assert table.findings.keys() <= set(table.names)
        assert not methods & table.findings.keys()
        assert FINDINGS.items() >= table.findings.items()
        used |= set(table.names)
    assert methods <= used


def test_a_finding_of_two_tables_is_the_same() -> None:
    tables = controllers.TABLES.values()
    shared = [name for name in FINDINGS if sum(name in each.findings for each in tables) > 1]
    assert shared
    for name in shared:
        assert len({each.findings[name] for each in tables if name in each.findings}) == 1


def test_a_dialog_that_means_a_refusal_is_one_whatever_its_events() -> None:
    summary = summed(
        FRESH,
        LOGIN,
        [f"IBC: detected dialog entitled: Login failed; event={event}" for event in ("Opened", "Activated", "Closed")],
    )
    assert summary.refused_logins == 1


def test_a_second_controller_is_a_second_table() -> None:
    other = Controller(
        "other",
        "Other",
        {"jvm_start": ("^boot",), "signed_in": ("^in",), "configured": ("^api up on (\\d+)",)},
        {},
        {},
        {},
        "",
        "",
    )
    summary = Summary(other)
    summary.feed(["boot", "in", "api up on 4002"])
    assert (summary.as_dict()["controller"], summary.phase) == ("other", "configured")


AGAIN = ["IBC: Cold restart in progress", "IBC returned exit status 0"]


@pytest.mark.parametrize(
    ("words", "finding", "logins"),
    [
        # what is said at each refusal, and how many sign-ins begin until it is known
        (["IBC: Login failed"], "refused_login", 2),
        (["IBC: Connection to server failed: Invalid username or password."], "refused_login", 2),
        ([OPENED.format("Login Error"), "IBC: Login error message:"], "too_many_attempts", 2),
        ([OPENED.format("IBKR Gateway"), f"IBC: {UNREACHED}: Connection refused"], "server_unreachable", 2),
        ([f"IBC: {UNREACHED}:", "IBC: Invalid username or password."], "refused_login", 2),
        ([OPENED.format("A new one")], "too_many_attempts", 3),
        ([], "too_many_attempts", 4),
    ],
)
def test_sign_ins_are_bounded_whatever_the_words(words: list[str], finding: str, logins: int) -> None:
    summary, begun = summed(BANNER), 0
    while summary.finding is None and begun < 10:
        begun += 1
        summary.feed(FRESH if begun == 1 else FRESH[1:])
        if summary.finding is None:
            summary.feed([*LOGIN, *words, *AGAIN])
    assert (summary.finding, begun) == (finding, logins)
    summary.feed(FRESH)
    assert summary.finding == finding


@pytest.mark.parametrize(
    "tried",
    [
        [*FRESH, *AGAIN],
        ["IBC: Setting user name", "IBC: Click button: Log In"],
        ["IBC: Setting user name", "IBC: Click button: Paper Log In"],
    ],
)
def test_sign_ins_without_a_line_of_their_own_are_counted_by_other_lines(tried: list[str]) -> None:
    summary = summed(BANNER, *[tried] * 3)
    assert summary.finding is None
    summary.feed(tried)
    assert (summary.finding, summary.logins, summary.login_attempts) == ("too_many_attempts", 4, 0)


def test_sign_ins_that_succeed_by_the_words_alone_are_counted_too() -> None:
    summary = summed(BANNER, *[[*FRESH, *LOGIN, *PUSH, *DONE, *AGAIN]] * 41)
    assert (summary.finding, summary.logins, summary.all_logins) == (None, 0, 41)
    # Pushes without a login.
    assert summed(BANNER, PUSH * 41).all_logins == 41


def test_missed_pushes_and_restarts_on_a_token_are_no_refusals() -> None:
    again = "IBC: Re-login after second factor authentication timeout in 5 second"
    factor = OPENED.format("Second Factor Authentication")
    summary = summed(BANNER, FRESH, LOGIN, [factor], PUSH, [again], LOGIN[1:], [factor], PUSH, DONE, SET)
    summary.feed([*ENDED, *KEPT, *DONE, *SET] * 10)
    assert (summary.finding, summary.refused_logins, summary.logins) == (None, 0, 0)


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        (
            "IBC: You should specify the required second factor device using the SecondFactorDevice",
            "device_unnamed",
        ),
        ("IBC: could not find second factor device 'IBKR Mobile' in the list", "device_unknown"),
    ],
)
def test_a_second_factor_device(line: str, finding: str) -> None:
    assert summed(FRESH, LOGIN, [line]).finding == finding


def test_a_denied_push_is_waited_for_no_more() -> None:
    closed = "IBC: detected dialog entitled: Second Factor Authentication; event=Closed"
    summary = summed(FRESH, LOGIN, PUSH, [closed])
    assert (summary.phase, summary.asks_for_sign_in) == ("answered", True)


@given(st.lists(st.text() | st.sampled_from(BANNER + FRESH + LOGIN + PUSH + DONE + SET + REFUSED + COMMAND + KEPT)))
def test_a_summary_goes_on_from_its_state(lines: list[str]) -> None:
    summary = summed(lines)
    again = Summary.from_state(json.loads(json.dumps(summary.as_state())))
    assert again is not None
    assert vars(again) == vars(summary)


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "other"}, {"phase": 1}, {"pushes": "1"}, {"pushes": True}, {"commands": [1]}, {"exit_codes": ["1"]},
        {"commands": ["A"] * 11}, {"open_dialogs": ["A"] * 9}, {"open_dialogs": [1]}, {"finding": 3},
        {"read_only": "yes"}, {"last_error": "x" * 401}, {"more": 1},
        {"full_authentication": "yes"}, {"token_missing": "yes"}, {"exit_codes": [1] * 21}, {"exit_codes": 1},
    ],
)  # fmt: skip
def test_a_state_that_is_none_is_passed_over(change: dict[str, Any]) -> None:
    assert Summary.from_state(Summary().as_state() | change) is None
    assert Summary.from_state([change]) is None


@given(st.text(st.characters()), st.sampled_from(["; event=Opened", ""]))
def test_what_the_log_says_is_fit_to_be_shown(text: str, end: str) -> None:
    line = text.replace("\n", " ")
    marks = ("IBC: detected dialog entitled: ", ".> Invalid TRADING_MODE: ", "\tVersion: ", "IBC: version: 1",
             "CommandServer received command: ")  # fmt: skip
    summary = summed(FRESH, LOGIN, [mark + line + end for mark in marks])
    said = [summary.last_dialog, summary.open_dialog, summary.last_error, summary.gateway_version, *summary.commands,
            summary.controller_version]  # fmt: skip
    assert all(each is None or each == printable(each, 400) for each in said)


@given(st.lists(st.text() | st.sampled_from(BANNER + FRESH + LOGIN + PUSH + DONE + SET + REFUSED + COMMAND + KEPT)))
def test_no_line_raises_and_the_summary_stays_small(lines: list[str]) -> None:
    summary = summed(lines)
    assert len(str(summary.as_dict())) < 2000


def test_what_ibkr_says_of_the_release_is_joined_in_400_characters() -> None:
    parts = ["version of the application you are running, 10.30.1a", "be desupported on 2026-12-15"]
    summary = summed(BANNER, FRESH, parts)
    assert summary.release_notice == "10.30.1a 2026-12-15"
    summary.feed([f"at that time will be {'x' * 400}"])
    assert summary.release_notice == f"10.30.1a 2026-12-15 {'x' * 379}…"


def test_a_sign_in_that_failed_after_its_push_is_no_refused_password() -> None:
    summary = summed(BANNER, FRESH, LOGIN, PUSH, ["IBC: Login failed", "Login error message: x"])
    assert (summary.finding, summary.refused_logins) == ("push_denied", 0)


def test_the_names_of_what_a_person_types() -> None:
    assert {title: name for title, (name, _wanted) in TYPED.items()} == {
        "Enter security code": "code_wanted",
        "Security Code Card Authentication": "card_wanted",
    }

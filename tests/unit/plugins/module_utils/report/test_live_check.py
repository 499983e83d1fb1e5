from __future__ import annotations

import json
import re
import typing as t

import pytest
from tests.unit.plugins import live_facts as made
from tests.unit.plugins.live_facts import NO_DRIFT, at, certificate, changed, client, disk, down, live, paper, unit

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy
from ansible_collections.ibops.gateway.plugins.module_utils.report import live_check as live_check
from ansible_collections.ibops.gateway.plugins.module_utils.report.drift import drift
from ansible_collections.ibops.gateway.plugins.module_utils.report.live_check import report

Facts = dict[str, t.Any]
HOSTILE = "<script>alert(1)</script>&\"'\x00\x1b[31m\n"


def judge(facts: Facts, client: Facts | None = None, drift: Facts | None = NO_DRIFT, **thresholds: object) -> Facts:
    return report(facts, "vm", made.thresholds(**thresholds), made.client() if client is None else client, drift)


def verdicts(judged: Facts, check: str) -> list[str]:
    return [each["verdict"] for each in judged["rows"] if each["check"] == check]


def text(judged: Facts, check: str) -> str:
    return next(f"{each['text']} -> {each['next_step']}" for each in judged["rows"] if each["check"] == check)


def test_a_good_week() -> None:
    judged = judge(live())
    assert {each["verdict"] for each in judged["rows"]} == {"ok"}
    assert judged["verdict"] == "ok"
    assert judged["sentence"] == (
        "live is fine until Sunday 2026-11-29 01:00 New York; next: sign in between 01:15 and 17:00"
    )


def test_a_bad_week() -> None:
    judged = judge(made.bad(), client={"skipped": True})
    assert judged["verdict"] == "act"
    assert judged["sentence"] == (
        "live needs a person: blocked: the live gateway is down, and a start would send a push to somebody's phone "
        f"(4 more findings to act on); next: {policy.SIGN_IN_STEP}"
    )


CASES: list[tuple[str, Facts, str]] = [
    # The state
    ("state", {}, "ok"),
    ("state", {"look": {"state": "starting"}}, "act"),
    ("state", {"look": {"state": "waiting_2fa"}}, "act"),
    ("state", {"look": {"state": "degraded"}}, "act"),
    ("state", {"look": {"state": "degraded"}, "session": {"reset_until": made.NOW + 600}}, "warn"),
    ("state", {"look": down()}, "act"),
    ("state", {"look": down(), "session": {"week": "closing", "stopped_by": "the plan"}}, "warn"),
    ("state", {"look": down(), "session": {"week": "closing", "plan": {"weekly_close": False}}}, "act"),
    ("state", {"look": down(), "session": {"stopped_by": "PAUSE", "week": "closing"}}, "act"),
    ("state", {"look": down("blocked"), "session": {"week": "closing"}}, "act"),
    # The sign-in: 24 h
    ("session", {"session": {"valid_until": made.NOW + 86401}}, "ok"),
    ("session", {"session": {"valid_until": made.NOW + 86400}}, "warn"),
    ("session", {"session": {"valid_until": None, "week": "sign_in_due"}}, "act"),
    ("session", {"session": {"valid_until": None, "week": "overdue"}}, "act"),
    ("session", {"look": down(), "session": {"valid_until": None, "week": "closing"}}, "warn"),
    ("session", {"session": {"state": None, "reason": "role session has not run"}}, "act"),
    # Accounts
    ("accounts", {"accounts": {"fit": False, "reason": "DU***67 is not a live account (U… or F…)"}}, "act"),
    ("accounts", {"accounts": {"fit": None, "reason": "the API named no account"}}, "warn"),
    ("accounts", {"accounts": {"allowed": 0}}, "warn"),
    ("watcher", {"session": {"stale_seconds": 140, "late_seconds": 0.0}}, "ok"),
    ("watcher", {"session": {"stale_seconds": 141, "late_seconds": 1.0}}, "act"),
    ("watcher", {"units": {"units": [unit("ibgw-watch@live.service") | {"restarts": 2, "up_seconds": 3.0}]}}, "act"),
    ("watcher", {"units": {"units": [unit("ibgw-watch@live.service") | {"restarts": 2, "up_seconds": 900.0}]}}, "ok"),
    ("watcher", {"session": {"stale_seconds": None}}, "warn"),
    ("watcher", {"units": {"units": None, "reason": "systemctl is not installed"}}, "warn"),
    ("watcher", {"units": {"units": []}}, "act"),
    ("watcher", {"units": {"units": [unit("ibgw-watch@live.service", "failed")]}}, "act"),
    ("watcher", {"units": {"units": [unit("ibgw-watch@live.service", "activating")]}}, "act"),
    ("watcher", {"units": {"units": [unit("ibgw-watch@live.service", "inactive", load="not-found")]}}, "act"),
    ("watcher", {"units": {"units": [unit("ibgw-watch@live.service", enabled="disabled")]}}, "warn"),
    # Events
    ("week", {"history": {"events": made.BAD_EVENTS}}, "warn"),
    ("week", {"history": {"events": [made.event(26, "10:00:00", "failed", "stop: no answer")]}}, "warn"),
    ("week", {"history": {"events": [made.event(19, "10:00:00", "blocked", cause="push_missed")]}}, "ok"),
    ("week", {"history": {"events": []}}, "ok"),
    ("week", {"history": {"events": None, "reason": "it is damaged"}}, "warn"),
    # Image and settings
    ("image", {"image": {"pinned": False}}, "warn"),
    ("image", {"image": {"same": False}}, "warn"),
    ("image", {"image": {"present": False}}, "warn"),
    ("image", {"image": {"same": None, "running": None}}, "ok"),
    ("image", {"image": {"wanted": None, "reason": "no engine"}}, "warn"),
    # The release, 18 days before the cut-off
    ("release", {"look": {"release": made.ends("10.45.1j")}}, "warn"),
    ("release", {"look": {"release": made.ends("10.50.1d", "desupported on 20261201")}}, "act"),
    ("release", {"look": {"release": made.ends("10.50.1d", "Please upgrade.")}}, "warn"),
    ("release", {"look": {"release": made.ends("10.19.1")}}, "act"),
    ("release", {"look": {"release": made.ends(None)}}, "warn"),
    ("release", {"look": down() | {"release": made.ends("10.45.1j")}}, "warn"),
    ("settings", {"look": {"pending": True}}, "warn"),
    # Restarts: three more than a day's one
    ("restarts", {"restarts": {"jvm_runs": 8, "up_days": 4.5}}, "ok"),
    ("restarts", {"restarts": {"jvm_runs": 9, "up_days": 4.5}}, "ok"),
    ("restarts", {"restarts": {"jvm_runs": 10, "up_days": 4.5}}, "warn"),
    ("restarts", {"restarts": {"by_docker": 1}}, "warn"),
    ("restarts", {"restarts": {"jvm_runs": None, "reason": "no engine"}}, "warn"),
    # The log: 50 MiB a day
    ("log", {"log": {"bytes_per_day": 50 << 20}}, "ok"),
    ("log", {"log": {"bytes_per_day": (50 << 20) + 1}}, "warn"),
    ("log", {"log": {"bytes_per_day": None}}, "ok"),
    ("log", {"log": {"bytes": None, "reason": "the container's log driver keeps no file"}}, "warn"),
    # The clock: 5 s
    ("clock", {"look": {"clock_skew": -5.0}}, "ok"),
    ("clock", {"look": {"clock_skew": -5.1}}, "warn"),
    ("clock", {"look": {"clock_skew": None}}, "ok"),
    ("clock", {"clock": {"synchronised": False}}, "act"),
    ("clock", {"clock": {"synchronised": False, "container": True}}, "warn"),
    ("clock", {"clock": {"synchronised": None, "reason": "timedatectl is not installed"}}, "warn"),
    # Disks: 15 and 5 %
    ("disk /", {"disks": [disk(15.0)]}, "ok"),
    ("disk /", {"disks": [disk(14.9)]}, "warn"),
    ("disk /", {"disks": [disk(5.0)]}, "warn"),
    ("disk /", {"disks": [disk(4.9)]}, "act"),
    ("disk /", {"disks": [disk(60.0, inodes_percent=4.0)]}, "act"),
    ("disk /", {"disks": [disk(60.0, inodes_percent=None)]}, "ok"),
    ("disk /", {"disks": [disk(0.0) | {"free_percent": None, "reason": "/: gone"}]}, "warn"),
    # The secret: 90 days
    ("secret", {"secret": {"age_days": 90.0}}, "ok"),
    ("secret", {"secret": {"age_days": 90.1}}, "warn"),
    ("secret", {"secret": {"mode": "0444"}}, "act"),
    ("secret", {"secret": {"mode": "0460"}}, "act"),
    ("secret", {"secret": {"mode": "0400"}}, "ok"),
    ("secret", {"secret": {"owner": "operator"}}, "act"),
    ("secret", {"secret": {"age_days": 90.1, "source": "projects/p/secrets/s/versions/1"}}, "ok"),
    ("secret", {"secret": {"age_days": None, "source": "projects/p/secrets/s/versions/1"}}, "ok"),
    ("secret", {"secret": {"age_days": None, "source": "who signs in", "exposed": True}}, "act"),
    ("secret", {"secret": {"age_days": None, "reason": "/etc/ibgw: No such file or directory"}}, "act"),
    # Certificates: 21 and 7 days
    ("certificate server.crt", {"certificates": [certificate(21.0)]}, "ok"),
    ("certificate server.crt", {"certificates": [certificate(20.9)]}, "warn"),
    ("certificate server.crt", {"certificates": [certificate(7.0)]}, "warn"),
    ("certificate server.crt", {"certificates": [certificate(6.9)]}, "act"),
    ("certificate server.crt", {"certificates": [certificate(-1.0)]}, "act"),
    ("certificate server.crt", {"certificates": [certificate(None, "openssl is not installed")]}, "warn"),
    # Timers
    ("timers", {"units": {"units": [unit("apt-daily-upgrade.timer")]}}, "ok"),
    ("timers", {"units": {"units": [unit("apt-daily-upgrade.timer", "inactive")]}}, "warn"),
    ("timers", {"units": {"units": [unit("apt-daily-upgrade.timer"), unit("ibgw-aide.service", "failed")]}}, "warn"),
    ("timers", {"units": {"units": []}}, "warn"),
    ("timers", {"units": {"units": None, "reason": "systemctl is not installed"}}, "warn"),
]


@pytest.mark.parametrize(
    ("check", "changes", "verdict"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_finding_of_a_live_gateway(check: str, changes: Facts, verdict: str) -> None:
    judged = judge(live(**changes))
    assert verdicts(judged, check) == [verdict]
    others = [each for each in judged["rows"] if each["verdict"] == "act" and not each["next_step"]]
    assert others == []


@pytest.mark.parametrize(
    ("check", "changes", "limit", "verdict"),
    [
        ("session", {}, {"valid_hours": "200"}, "warn"),
        ("watcher", {"units": {"units": []}}, {"watcher": False}, "ok"),
        ("disk /", {"disks": [disk(10.0)]}, {"disk_warn": "9", "disk_act": 3}, "ok"),
        ("disk /", {"disks": [disk(10.0)]}, {"disk_act": "11"}, "act"),
        ("secret", {}, {"secret_days": 20}, "warn"),
        ("certificate server.crt", {"certificates": [certificate(30.0)]}, {"certificate_act_days": 31}, "act"),
        ("clock", {}, {"skew_seconds": "0.1"}, "warn"),
        ("log", {}, {"log_mib_per_day": 0.1}, "warn"),
        ("restarts", {}, {"restarts": -3}, "warn"),
    ],
)
def test_a_threshold_of_ones_own(check: str, changes: Facts, limit: Facts, verdict: str) -> None:
    assert verdicts(judge(live(**changes), **limit), check) == [verdict]


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({}, "ok", "paper is fine and stopped; next session open Monday 2026-11-30 09:20 New York time"),
        ({"session": {"stopped_by": ""}}, "ok", "paper is fine and stopped"),
        ({"session": {"next_window": None}}, "ok", "paper is fine and stopped; no session is planned"),
        ({"session": {"next_window": None, "stopped_by": ""}}, "act", "paper needs a person: stopped"),
        (
            {"session": {"window": {"name": "open", "start": at(27, "09:20:00"), "end": at(27, "10:50:00")}}},
            "ok",
            "session open until Fri 10:50",
        ),
        (
            {
                "session": {
                    "stopped_by": "",
                    "window": {"name": "open", "start": at(27, "09:20:00"), "end": at(27, "10:50:00")},
                }
            },
            "act",
            "session open should be on; next: sudo ibgwctl start paper",
        ),
        ({"look": down("blocked", "IBKR refused the user or the password")}, "act", "paper needs a person: blocked"),
        ({"look": {**live()["look"], "state": "ready"}}, "ok", "paper is fine and ready"),
        ({"look": {**live()["look"], "state": "starting"}}, "warn", "paper is fine and starting (2 warnings)"),
        ({"look": {**live()["look"], "state": "degraded"}}, "act", "paper needs a person: degraded"),
        ({"session": {"state": None, "reason": "role session has not run"}}, "ok", "(1 warning)"),
    ],
)
def test_a_paper_gateway(changes: Facts, state: str, said: str) -> None:
    judged = judge(paper(**changes))
    assert verdicts(judged, "state") == [state]
    assert said in judged["sentence"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"checked_at": at(28, "23:45:00"), "look": down(), "session": {"week": "closing", "valid_until": None}},
            "live is closed for the weekend (2 warnings); next: sign in on Sunday 2026-11-29 between 01:15 and 17:00",
        ),
        (
            {"checked_at": at(29, "01:05:00"), "look": down(), "session": {"week": "closing", "valid_until": None}},
            "next: sign in on Sunday 2026-11-29 between 01:15 and 17:00 New York time",
        ),
        ({"session": {"plan": {}}}, "next: sign in between 01:15 and 17:00"),
        ({"disks": [disk(1.0)]}, "live needs a person: disk /: 1.0 % free (0.2 of 20.0 GiB); next: Make room"),
    ],
)
def test_the_closing_sentence(changes: Facts, said: str) -> None:
    assert said in judge(live(**changes))["sentence"]


@pytest.mark.parametrize(
    ("session", "due"),
    [
        ({"week": "sign_in_due", "valid_until": None}, "one is due on Sunday 2026-11-22 between"),
        ({"week": "overdue", "valid_until": None}, "one was due on Sunday 2026-11-22 between"),
    ],
)
def test_a_sign_in_that_nobody_made(session: Facts, due: str) -> None:
    assert due in text(judge(live(session=session)), "session")


@pytest.mark.parametrize(
    ("installed", "told", "verdict", "said"),
    [
        (True, client(), "ok", "ib_async 2.1.0"),
        (True, client("positions"), "act", "positions: of positions"),
        (True, {"skipped": True}, "warn", "not made"),
        (True, {"msg": "cannot run python"}, "act", "cannot run python"),
        (False, {"skipped": True}, "ok", "not wanted (gateway_client_check is false)"),
    ],
)
def test_the_deep_check(installed: bool, told: Facts, verdict: str, said: str) -> None:
    judged = judge(live(client={"installed": installed}), client=told)
    assert verdicts(judged, "deep check") == [verdict]
    assert said in text(judged, "deep check")


def test_a_deep_check_that_is_wanted_is_missed() -> None:
    judged = judge(live(client={"installed": False}), client={"skipped": True}, client_check=True)
    assert verdicts(judged, "deep check") == ["warn"]
    assert "ib_async is not installed on the host -> ansible-playbook ibops.gateway.site -i INVENTORY -l vm" in text(
        judged, "deep check"
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"unreachable": True, "msg": "timed out"}, "vm needs a person: it cannot be reached"),
        ({"failed": True, "msg": "gateway_name 'a b' is not a name of a gateway"}, "is not a name of a gateway"),
        ({"deployed": False, "gateway_name": "live", "reason": "gateway live is not deployed"}, "-l vm"),
        ({}, "it could not be looked at: no result"),
    ],
)
def test_a_host_without_facts(facts: Facts, said: str) -> None:
    judged = judge(facts)
    assert judged["verdict"] == "act"
    assert said in judged["sentence"]
    assert judged["picture"] == ""


def without(facts: Facts) -> t.Iterator[Facts]:
    """The facts with each of them in turn, and each of their parts, missing or unknown."""
    for name in facts:
        yield {key: value for key, value in facts.items() if key != name}
        if isinstance(facts[name], dict):
            yield {**facts, name: {**dict.fromkeys(facts[name]), "reason": "it is gone"}}


@pytest.mark.parametrize("facts", [live(), made.bad(), paper()], ids=["good", "bad", "paper"])
def test_any_fact_may_be_missing(facts: Facts) -> None:
    for poorer in without(facts):
        judged = judge(poorer)
        assert judged["rows"]
        assert judged["sentence"]


@pytest.mark.parametrize("facts", [live(), made.bad(), paper(), {"unreachable": True}])
def test_the_table_is_aligned_and_fits_the_terminal(facts: Facts) -> None:
    judged = judge(facts)
    # A command is in one line, to be copied.
    assert all(len(line) <= 110 for line in judged["lines"] if "ansible-playbook " not in line)
    column = max(len(each["check"]) for each in judged["rows"]) + len("warn") + 4
    assert all(line[:column].endswith("  ") for line in judged["lines"])
    said = " ".join(" ".join(line.split()) for line in judged["lines"])
    for each in judged["rows"]:
        assert each["next_step"] in said


def test_a_word_without_blanks_and_a_long_name_fit_too() -> None:
    rows = [live_check.row("disk /" + "a" * 200, "warn", "b" * 500, "c" * 300)]
    lines = live_check.table(rows)
    assert all(len(line) <= 110 for line in lines)
    assert live_check.table([]) == []


def hostile(value: t.Any, key: str = "") -> t.Any:
    """The same with every text that is not one of our own words replaced by a hostile one."""
    if isinstance(value, dict):
        return {name: hostile(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    keep = ("state", "mode", "event", "cause", "week", "name", "sign_in_deadline", "active", "load", "enabled")
    return value if not isinstance(value, str) or key in keep else f"{HOSTILE}{key}"


@pytest.mark.parametrize("facts", [live(), made.bad(), paper()], ids=["good", "bad", "paper"])
def test_the_page_escapes_whatever_it_shows(facts: Facts) -> None:
    secret_mode = facts["secret"]["mode"]
    facts = changed(hostile(facts), {"secret": {"mode": secret_mode}})
    judged = judge(facts, client=hostile(client("connect")))
    judged["host"] = "<script>"
    page = made.page(judged)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert not any("\x1b" in line for line in judged["lines"])


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = made.page(judge(live()))
    assert set(re.findall(r"https?://[^\"' <]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:script|link|img|iframe)\b", page)
    assert "default-src 'none'" in page


# Drift


def run(*outcomes: tuple[str, Facts], rc: int = 0, **more: t.Any) -> Facts:
    tasks = [{"task": {"name": name}, "hosts": {"vm": outcome}} for name, outcome in outcomes]
    return {"rc": rc, "stdout": json.dumps({"plays": [{"tasks": tasks}]}, indent=4), "stderr": "", **more}


OF_NOTHING: Facts = {"ran": True, "changes": [], "failed": [], "reason": None}


def not_run(reason: str) -> Facts:
    return {**OF_NOTHING, "ran": False, "reason": reason}


@pytest.mark.parametrize(
    ("told", "expected", "verdict"),
    [
        (run(("ibops.gateway.gateway : Write", {"changed": False})), OF_NOTHING, "ok"),
        (
            run(*[("ibops.gateway.gateway : Write", {"changed": True}), ("Make", {"changed": True})] * 2),
            {**OF_NOTHING, "changes": ["gateway : Write", "Make"]},
            "warn",
        ),
        (
            run(("Pull", {"failed": True}), ("Go on", {"changed": True})),
            {**OF_NOTHING, "changes": ["Go on"]},
            "warn",
        ),
        (run(("Check", {"failed": True}), rc=2), {**OF_NOTHING, "failed": ["Check"]}, "act"),
        (run(("Check", {"unreachable": True}), rc=4), {**OF_NOTHING, "failed": ["Check"]}, "act"),
        (run(), not_run("no host of site.yml was concerned"), "warn"),
        (
            {"rc": 1, "stderr": "[WARNING]: x\n[ERROR]: no vault secrets found\n3 gateway_password: hunter2"},
            not_run("[ERROR]: no vault secrets found"),
            "warn",
        ),
        ({"rc": 5, "stdout": "no JSON"}, not_run("site.yml --check ended with status 5"), "warn"),
        ({}, not_run("site.yml --check did not end in its time"), "warn"),
        ({"stdout": "{\n}"}, not_run("site.yml --check did not end in its time"), "warn"),
        (run(rc=3), not_run("site.yml --check ended with status 3"), "warn"),
    ],
)
def test_drift(told: Facts, expected: Facts, verdict: str) -> None:
    assert drift(told) == expected
    assert verdicts(judge(live(), drift=drift(told)), "drift") == [verdict]


def test_a_warning_in_front_of_the_report_is_passed_over() -> None:
    told = run(("Write", {"changed": True}))
    told["stdout"] = "[WARNING]: {x}\n" + told["stdout"] + "\n"
    assert drift(told)["changes"] == ["Write"]


def test_nobody_asked_for_drift() -> None:
    assert text(judge(live(), drift=None), "drift").startswith("not looked for")


def test_many_tasks_are_named_in_part() -> None:
    told = run(*((f"Task {number}", {"changed": True}) for number in range(9)))
    assert "9 tasks: Task 0; Task 1; Task 2; Task 3; and 5 more" in text(judge(live(), drift=drift(told)), "drift")


def test_a_gateway_that_is_down_and_names_no_release_has_no_row_of_it() -> None:
    assert verdicts(judge(live(look=down() | {"release": made.ends(None)})), "release") == []


def test_the_end_of_a_release_says_what_to_do() -> None:
    assert text(judge(live(look={"release": made.ends("10.45.1j")})), "release") == (
        "release 10.45.1j is accepted by IBKR until 2026-12-15; the minimum then is 10.50.1 -> "
        f"Set gateway_image to a digest of release 10.50.1 or later, then run {playbooks.UPGRADE}."
    )

"""IBKR's week of a live gateway, from one sign-in to the next, over the night on which New York's clocks go forward.

The tests are one story: each goes on where the one before it left. The stand-in's tokens live on, so what ends a week
here is the watcher alone.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
import typing as t

import pytest
from testinfra.host import Host

NTFY = "http://127.0.0.1:8090"
StandIn = t.Callable[..., dict[str, t.Any]]
DIES = datetime.datetime(2027, 3, 14, 6, 0, tzinfo=datetime.UTC).timestamp()
NEXT_DIES = datetime.datetime(2027, 3, 21, 5, 0, tzinfo=datetime.UTC).timestamp()


def logged(host: Host, text: str) -> int:
    """How often IBC has logged it."""
    return int(host.run(f"docker logs ibgw-live 2>&1 | grep -c '{text}'").stdout)


def pushes(host: Host) -> int:
    return logged(host, "Second Factor Authentication initiated")


class Phone:
    """A person's phone with the app of ntfy: it reads the messages, and a tap sends what the button says."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def messages(self) -> list[dict[str, t.Any]]:
        token = f"tk_{'person':x<29}"
        text = self.host.check_output(f"curl -sf -H 'Authorization: Bearer {token}' '{NTFY}/gw/json?poll=1&since=all'")
        return [each for each in map(json.loads, text.splitlines()) if each["event"] == "message"]

    def button(self, label: str, seconds: float = 30) -> dict[str, t.Any]:
        """The newest button of that name, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while True:
            offered = [each for message in reversed(self.messages()) for each in message.get("actions", ())]
            for each in offered:
                if each["label"] == label:
                    return each
            assert time.monotonic() < deadline, offered
            time.sleep(0.5)

    def tap(self, button: dict[str, t.Any], body: str = "") -> str:
        """Do what the app does; the status that ntfy answers."""
        token = button["headers"]["Authorization"]
        words = f"-X {button['method']} -H 'Authorization: {token}' -d '{body or button['body']}' {button['url']}"
        return self.host.check_output(f"curl -s -o /dev/null -w '%{{http_code}}' {words}")


@pytest.fixture
def phone(host: Host) -> Phone:
    return Phone(host)


def events(driven: t.Any, kind: str) -> list[dict[str, t.Any]]:
    return [event for event in driven.history() if event["event"] == kind]


def running(host: Host) -> bool:
    return host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "true"


@pytest.fixture
def person(host: Host, standin: StandIn) -> t.Iterator[t.Callable[[], None]]:
    """Somebody who approves the next push."""
    threads = []

    def approve(before: int) -> None:
        deadline = time.monotonic() + 60
        while pushes(host) == before and time.monotonic() < deadline:
            time.sleep(0.1)
        standin("approve")

    def start() -> None:
        threads.append(threading.Thread(target=approve, args=(pushes(host),)))
        threads[0].start()

    yield start
    for thread in threads:
        thread.join()


def test_saturday_evening_reminds_and_takes_no_sign_in(driven: t.Any, host: Host) -> None:
    driven.at("2027-03-06 18:05")
    driven.told("reminder/2027-03-07/heads_up")
    driven.at("2027-03-06 23:45")
    refused = driven.ibgwctl("sign-in", "live", "--password-stdin")
    assert (refused.rc, pushes(host)) == (5, 0), refused.stderr
    assert "sign in from Sunday 01:15 on" in refused.stderr


def test_a_sign_in_on_sunday_is_worth_the_week(driven: t.Any, host: Host, person: t.Callable[[], None]) -> None:
    driven.at("2027-03-07 01:20")
    person()
    run = driven.ibgwctl("sign-in", "live", "--password-stdin")
    assert run.rc == 0, run.stdout + run.stderr
    assert "valid until Sunday 2027-03-14 01:00 New York time" in run.stdout
    assert pushes(host) == 1
    found = driven.until(lambda record: record["state"] == "ready")
    assert found["valid_until"] == DIES


@pytest.mark.parametrize("day", ["08", "09", "10", "11", "12"])
def test_a_daily_restart_costs_no_push(driven: t.Any, host: Host, standin: StandIn, day: str) -> None:
    driven.at(f"2027-03-{day} 22:00")
    before = logged(host, "Configuration tasks completed")
    standin("restart")
    deadline = time.monotonic() + 20
    while logged(host, "Configuration tasks completed") == before:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    driven.at(f"2027-03-{day} 22:10")
    found = driven.until(lambda record: record["state"] == "ready")
    assert (found["valid_until"], found["blocked"], pushes(host)) == (DIES, None, 1)


def test_saturday_night_signs_off_before_the_token_dies(driven: t.Any, host: Host) -> None:
    driven.at("2027-03-13 18:05")
    driven.told("reminder/2027-03-14/heads_up")
    assert running(host)
    driven.at("2027-03-13 23:30")
    found = driven.until(lambda record: record["state"] == "stopped")
    assert (found["stopped_by"], found["valid_until"], found["blocked"]) == ("the plan", None, None)
    assert host.check_output("docker inspect --format '{{.State.ExitCode}}' ibgw-live") == "0"


def test_a_start_after_the_token_s_death_is_ended_before_its_push(driven: t.Any, host: Host) -> None:
    driven.at("2027-03-14 03:10")
    host.check_output("docker start ibgw-live")
    deadline = time.monotonic() + 10
    while running(host):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found = driven.until(lambda record: record["stopped_by"] == "the plan")
    assert (found["state"], found["valid_until"], pushes(host)) == ("stopped", None, 1)


def test_sunday_reminds_at_noon_and_before_the_deadline(driven: t.Any) -> None:
    driven.at("2027-03-14 12:01")
    driven.told("reminder/2027-03-14/noon")
    driven.at("2027-03-14 16:01")
    driven.told("reminder/2027-03-14/last_hour")


def test_three_missed_pushes_end_a_sign_in(driven: t.Any, host: Host) -> None:
    missed = driven.ibgwctl("sign-in", "live", "--password-stdin")
    assert missed.rc == 3, missed.stdout + missed.stderr
    assert (running(host), pushes(host)) == (False, 4)
    assert driven.record()["blocked"] == "push_missed"


def test_a_button_s_token_can_do_nothing_but_answer(driven: t.Any, host: Host, phone: Phone) -> None:
    # Its message's buttons take the place of the reminder's.
    driven.told("state/blocked")
    time.sleep(2)
    button = phone.button("Sign in now")
    read = f"curl -s -o /dev/null -w '%{{http_code}}' -H 'Authorization: {button['headers']['Authorization']}'"
    assert host.check_output(f"{read} '{NTFY}/gw/json?poll=1'") == "403"
    assert host.check_output(f"{read} '{NTFY}/gw-answers/json?poll=1'") == "403"


def test_a_forged_answer_begins_nothing(driven: t.Any, host: Host, phone: Phone) -> None:
    button = phone.button("Sign in now")
    assert phone.tap(button, f"v1.{'A' * 22}.{'B' * 22}") == "200"
    deadline = time.monotonic() + 20
    while not (refused := events(driven, "answer_refused")):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "forged" in refused[0]["text"]
    assert (running(host), pushes(host)) == (False, 4)


def test_a_tap_signs_in_for_the_next_week(
    driven: t.Any, host: Host, person: t.Callable[[], None], phone: Phone
) -> None:
    button = phone.button("Sign in now")
    person()
    assert phone.tap(button) == "200"
    found = driven.until(lambda record: record["state"] == "ready", 60)
    assert (found["valid_until"], found["blocked"]) == (NEXT_DIES, None)
    assert pushes(host) == 5
    assert events(driven, "push")[-1]["by"] == "a tap of somebody with the token of gw-answers (ntfy)"
    assert phone.tap(button) == "200"
    driven.told(next(key for key in driven.alerts() if key.startswith("answer_refused/")))
    deadline = time.monotonic() + 20
    while "taken before" not in events(driven, "answer_refused")[-1]["text"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert pushes(host) == 5


def test_each_reminder_came_once(driven: t.Any) -> None:
    reminders = [key for key in driven.alerts() if key.startswith("reminder/2027")]
    assert reminders == [
        "reminder/2027-03-07/heads_up",
        "reminder/2027-03-14/heads_up",
        "reminder/2027-03-14/noon",
        "reminder/2027-03-14/last_hour",
    ]


def test_an_appointment_signs_in_by_itself_once_it_was_announced(
    driven: t.Any, host: Host, person: t.Callable[[], None], phone: Phone
) -> None:
    driven.at("2027-03-21 09:46")
    assert phone.button("Skip")
    assert (running(host), pushes(host)) == (False, 5)
    person()
    driven.at("2027-03-21 10:02")
    found = driven.until(lambda record: record["state"] == "ready", 60)
    assert (found["blocked"], pushes(host)) == (None, 6)
    assert events(driven, "push")[-1]["by"].startswith("the appointment on Sunday 2027-03-21 10:01")


def test_every_push_has_a_name(driven: t.Any, host: Host) -> None:
    sent = events(driven, "push")
    assert sum(event["pushes"] for event in sent) == pushes(host)
    assert all(event["by"] for event in sent)


def test_the_listener_is_small_and_little_exposed(host: Host, exposures: t.Callable[[], dict[str, float]]) -> None:
    assert exposures()["ibgw-answers@i.service"] <= 3.0
    memory = int(host.check_output("systemctl show --value --property MemoryCurrent ibgw-answers@live"))
    assert memory <= 40 * 1024 * 1024


# Its publication to programs


def test_metrics_are_written_where_node_exporter_reads(driven: t.Any, host: Host) -> None:
    # As Debian's package has them: the parent is its user's.
    host.check_output("install --directory --owner nobody /var/lib/prometheus")
    host.check_output("install --directory /var/lib/prometheus/node-exporter && systemctl restart ibgw-watch@live")
    file = host.file("/var/lib/prometheus/node-exporter/ibgw_live.prom")
    deadline = time.monotonic() + 30
    while not file.exists and time.monotonic() < deadline:
        time.sleep(0.5)
    assert (file.mode, file.user) == (0o644, "root"), driven.history()[-5:]
    time.sleep(25)
    text = file.content_string
    assert 'ibgw_state{gateway="live",state="ready"} 1.0\n' in text
    assert 'ibgw_healthy{gateway="live"} 1.0\n' in text
    (memory,) = (line.split()[1] for line in text.splitlines() if line.startswith("ibgw_watcher_memory_bytes"))
    assert float(memory) <= 30 * 1024 * 1024
    assert not [event["text"] for event in driven.history() if event["event"] == "publish_failed"]


@pytest.mark.parametrize("path", ["metrics", "health", "ready"])
def test_it_is_served_on_the_loopback(host: Host, path: str) -> None:
    code = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/{path}', timeout=5).status)"
    assert host.check_output(f'python3 -c "{code}"') == "200"
    assert "0.0.0.0:9464" not in host.check_output("ss -Hltn")


def test_each_transition_is_a_line_of_the_journal(host: Host) -> None:
    entries = [json.loads(line) for line in host.check_output("journalctl -u ibgw-watch@live -o json").splitlines()]
    told = [(entry["PRIORITY"], entry["MESSAGE"]) for entry in entries if '"transition"' in entry["MESSAGE"]]
    lines = [(priority, json.loads(message)) for priority, message in told]
    assert {"ready", "stopped", "blocked"} <= {line["to"] for _priority, line in lines}
    assert {(priority, line["severity"]) for priority, line in lines if line["to"] == "blocked"} == {("2", "CRITICAL")}


def test_the_heartbeat_came_with_the_state(host: Host) -> None:
    calls = host.file("/var/lib/ibgw-heartbeats.jsonl").content_string.splitlines()
    last = json.loads(calls[-1])
    assert (last["schema"], last["gateway"], last["state"]) == (1, "live", "ready")
    assert not [each for each in map(json.loads, calls) if each["state"] == "blocked"]
    assert host.file("/etc/ibgw/live/heartbeat.json").mode == 0o600


def test_every_channel_can_be_tested(driven: t.Any, playbook: t.Callable[..., t.Any]) -> None:
    run = playbook("playbooks/alert_test.yml", "live", "-e", "@molecule/live_week/vars/main.yml")
    assert run.status == 0, run.printed
    assert "webhook/0 ok HTTP status 204" in run.printed
    assert driven.alerts()[-1].startswith("test/")

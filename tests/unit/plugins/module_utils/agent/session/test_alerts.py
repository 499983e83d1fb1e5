# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import http.server
import json
import socketserver
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.channels import JiraService, SlackService

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, channel_kinds
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Alert, Outbox, problems
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.channel_kinds import KINDS

SECRET = "s3cr3t-token"
NOW = 1_796_000_000.0


def alert(key: str = "state/blocked", severity: str = "critical", at: float = NOW) -> Alert:
    return Alert(key, "live", "gw1", severity, "live on gw1 is blocked", "a <push> & more", "Sign in.", at)


class Receiver:
    """An HTTP server that answers with the given statuses, repeating the last, and records the requests."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[dict[str, Any]] = []
        left = list(statuses)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append({"path": self.path, "body": json.loads(content), "headers": dict(self.headers)})
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def channel(self, kind: str = "webhook", **more: Any) -> dict[str, Any]:
        return {"kind": kind, "url": f"http://127.0.0.1:{self.server.server_port}/{SECRET}", **more}


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(*statuses: int) -> Receiver:
        made.append(Receiver(*(statuses or (200,))))
        return made[-1]

    yield make
    for each in made:
        each.server.shutdown()
        each.server.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


OWN: dict[str, dict[str, Any]] = {
    "telegram": {"token": f"1:{SECRET}", "chat_id": "-1001"},
    "slack_app": {"token": f"xoxb-{SECRET}", "channel": "C1"},
    "ntfy": {"topic": "gateways", "token": f"tk_{SECRET}"},
    "pushover": {"token": SECRET, "user_key": f"u{SECRET}"},
    "pagerduty": {"routing_key": SECRET},
    "jira_service_management": {"api_key": SECRET},
}
TITLE, DETAILS = "live on gw1 is blocked", "a <push> & more\nSign in."


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("slack", {"text": "live on gw1 is blocked\na &lt;push&gt; &amp; more\nSign in."}),
        ("google_chat", {"text": "live on gw1 is blocked\na <push> & more\nSign in."}),
        ("discord", {"content": f"{TITLE}\n{DETAILS}", "allowed_mentions": {"parse": []}}),
        ("telegram", {"chat_id": "-1001", "text": f"{TITLE}\n{DETAILS}"}),
        ("ntfy", {"topic": "gateways", "title": TITLE, "message": DETAILS, "priority": 5}),
        ("pushover", {"token": SECRET, "user": f"u{SECRET}", "title": TITLE, "message": DETAILS, "priority": 1}),
        (
            "pagerduty",
            {
                "routing_key": SECRET,
                "event_action": "trigger",
                "dedup_key": "live@gw1/state",
                "payload": {
                    "summary": TITLE,
                    "source": "live@gw1",
                    "severity": "critical",
                    "timestamp": "2026-11-30T00:00:00+00:00",
                    "custom_details": {"text": "a <push> & more", "next_step": "Sign in.", "key": "state/blocked"},
                },
            },
        ),
        (
            "jira_service_management",
            {
                "message": TITLE,
                "alias": "live@gw1:state",
                "description": DETAILS,
                "priority": "P1",
                "entity": "live",
                "source": "live@gw1",
            },
        ),
        (
            "teams",
            {
                "type": "message",
                "attachments": [
                    {
                        "contentType": "application/vnd.microsoft.card.adaptive",
                        "contentUrl": None,
                        "content": {
                            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                            "type": "AdaptiveCard",
                            "version": "1.4",
                            "body": [
                                {"type": "TextBlock", "text": TITLE, "wrap": True, "weight": "bolder"},
                                {"type": "TextBlock", "text": "a <push> & more", "wrap": True},
                                {"type": "TextBlock", "text": "Sign in.", "wrap": True},
                            ],
                        },
                    }
                ],
            },
        ),
    ],
)
def test_what_a_channel_is_sent(
    tmp_path: Path, receiver: Any, kind: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = receiver()
    channel = {**there.channel(kind), **OWN.get(kind, {})}
    if "url" not in (*KINDS[kind].needs, *KINDS[kind].may):
        # Its service has one address, which is the receiver's here.
        path = KINDS[kind].url.partition("://")[2].partition("/")[2]
        here = channel.pop("url").removesuffix(SECRET) + path
        monkeypatch.setitem(KINDS, kind, KINDS[kind]._replace(url=here))
    assert problems([channel]) == []
    outbox = Outbox(str(tmp_path))
    assert outbox.put(alert(at=1_796_000_400.0 - 1_796_000_400.0 % 86400))
    assert outbox.flush([channel], 5) == []
    assert [each["body"] for each in there.received] == [expected]


def test_a_command_names_the_host(tmp_path: Path, receiver: Any) -> None:
    there = receiver()
    outbox = Outbox(str(tmp_path))
    step = f"Run {playbooks.SITE}."
    assert outbox.put(dataclasses.replace(alert(), text=step, next_step=step))
    assert outbox.flush([there.channel("webhook")], 5) == []
    (told,) = (each["body"] for each in there.received)
    assert told["text"] == told["next_step"] == "Run ansible-playbook ibops.gateway.site -i INVENTORY -l gw1."


@pytest.mark.parametrize(
    ("token", "delivered", "said"),
    [("xoxb-1", True, "HTTP status 200"), ("xoxb-2", False, "HTTP status 200, invalid_auth")],
)
def test_slack_refuses_with_status_200(token: str, delivered: bool, said: str) -> None:
    with SlackService() as slack:
        answer = alerts.attempt(slack.channel(token=token), alert(), 5.0)
        assert (answer.delivered, answer.said) == (delivered, said)
        assert [each["text"] for each in slack.sent] == [
            "live on gw1 is blocked\na &lt;push&gt; &amp; more\nSign in."
        ] * delivered


def test_where_a_channel_is_sent() -> None:
    asked = {
        kind: channel_kinds.request({"kind": kind, **OWN.get(kind, {}), "url": ""}, alert())[:2]
        for kind in ("telegram", "pushover", "pagerduty", "jira_service_management")
    }
    assert asked["jira_service_management"][0] == "https://api.atlassian.com/jsm/ops/integration/v2/alerts"
    assert asked["jira_service_management"][1]["Authorization"] == f"GenieKey {SECRET}"
    assert asked["telegram"][0] == f"https://api.telegram.org/bot1:{SECRET}/sendMessage"
    assert asked["pushover"][0] == "https://api.pushover.net/1/messages.json"
    assert asked["pagerduty"][0] == "https://events.pagerduty.com/v2/enqueue"
    odd = channel_kinds.request({"kind": "telegram", "token": "a/../b?c d", "chat_id": "1"}, alert())
    assert odd[0] == "https://api.telegram.org/bota%2F..%2Fb%3Fc%20d/sendMessage"
    ntfy = channel_kinds.request({"kind": "ntfy", "url": "https://n", **OWN["ntfy"]}, alert())
    assert ntfy[1]["Authorization"] == f"Bearer tk_{SECRET}"
    assert "Authorization" not in channel_kinds.request({"kind": "ntfy", "url": "https://n", "topic": "t"}, alert())[1]
    for url, sent in (("https://d/x", "https://d/x?wait=true"), ("https://d/x?a=1", "https://d/x?a=1&wait=true")):
        assert channel_kinds.request({"kind": "discord", "url": url}, alert())[0] == sent


def test_a_ready_gateway_resolves_the_incident_of_its_states() -> None:
    channel = {"kind": "pagerduty", **OWN["pagerduty"]}
    sent = [
        channel_kinds.request(channel, alert(key))[2] for key in ("state/blocked", "state/ready", "release/warning")
    ]
    assert [(each["event_action"], each["dedup_key"]) for each in sent] == [
        ("trigger", "live@gw1/state"), ("resolve", "live@gw1/state"), ("trigger", "live@gw1/release/warning"),
    ]  # fmt: skip


def test_jira_has_one_alert_for_a_gateways_states_which_ready_closes() -> None:
    with JiraService() as jira:
        keys = ("state/degraded", "state/blocked", "release/warning", "state/ready", "state/ready")
        assert [alerts.attempt(jira.channel(), alert(key), 5.0) for key in keys] == [(True, "HTTP status 202")] * 5
        assert len(jira.sent) == 3
        assert [*jira.open] == ["live@gw1:release:warning"]


def test_jira_takes_the_longest_alert() -> None:
    with JiraService() as jira:
        for key in ("state/blocked", "state/ready", "k" * 600):
            long = Alert(key, "live", "h" * 200, "info", "t" * 5000, "x" * 20_000, "s" * 5000, NOW)
            assert alerts.attempt(jira.channel(), long, 5.0).delivered, key


def test_jira_refuses_a_key_without_its_being_shown() -> None:
    with JiraService() as jira:
        answer = alerts.attempt(jira.channel(api_key="k3y-0f-another"), alert(), 5.0)
        assert answer == (False, "HTTP status 403")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "email"])
def test_no_text_is_longer_than_its_service_takes(kind: str) -> None:
    long = Alert("state/blocked", "live", "gw1", "critical", "t" * 5000, "x" * 5000, "s" * 5000, NOW)
    body = channel_kinds.request({"kind": kind, "url": "https://a", **OWN.get(kind, {})}, long)[2]
    limits = {"discord": 2000, "telegram": 4096, "ntfy": 4096, "pushover": 1024, "jira_service_management": 15_000}
    if kind in limits:
        assert max(len(text) for text in body.values() if isinstance(text, str)) <= limits[kind]


def test_a_template_is_filled_and_nothing_breaks_out_of_it(tmp_path: Path, receiver: Any) -> None:
    there = receiver()
    template = '{"a": "<${title}>", "b": ["${severity}", 1], "c": "$$${text}"}'
    outbox = Outbox(str(tmp_path))
    outbox.put(Alert("k", "live", "gw1", "info", 'x", "b": "\\y\n', "${title}", "", time.time()))
    assert outbox.flush([there.channel(template=template)], 5) == []
    assert there.received[0]["body"] == {"a": '<x", "b": "\\y\n>', "b": ["info", 1], "c": "$${title}"}


@pytest.mark.parametrize("template", ["{", "[]", '"${title}"', '{"a": ${title}}', '{"a": "${url}"}', '{"a": "$"}'])
def test_a_template_that_makes_no_json_is_refused(template: str) -> None:
    (problem,) = problems([{"kind": "webhook", "url": "https://a", "template": template}])
    assert (problem.id, problem.variable) == ("channel-template", "session_alerts[0].template")


@pytest.mark.parametrize("url", ["https://a.webhook.office.com/webhookb2/x", "https://outlook.office.com/webhook/x"])
def test_a_retired_connector_of_teams_is_refused(url: str) -> None:
    (problem,) = problems([{"kind": "teams", "url": url}])
    assert problem.id == "channel-connector"
    assert url not in str(problem)


def test_a_webhook_is_sent_every_field_and_its_headers(tmp_path: Path, receiver: Any) -> None:
    there = receiver()
    outbox = Outbox(str(tmp_path))
    outbox.put(alert())
    outbox.flush([there.channel(headers={"X-Key": "k"})], 5)
    (one,) = there.received
    assert one["body"]["schema"] == 1
    assert (one["body"]["key"], one["body"]["at"], one["headers"]["X-Key"]) == ("state/blocked", NOW, "k")


def test_an_alert_is_told_once_and_again_when_it_is_time(tmp_path: Path) -> None:
    clock = Clock()
    outbox = Outbox(str(tmp_path), clock)
    assert outbox.put(alert(), 60)
    assert not outbox.put(alert(), 60)
    assert not Outbox(str(tmp_path), clock).put(alert(), 60)
    clock.now += 61
    assert outbox.put(alert(), 60)
    assert not outbox.put(alert())
    outbox.forget("state/blocked")
    assert outbox.put(alert())


def test_a_clock_that_was_set_back_holds_up_no_alert(tmp_path: Path, receiver: Any) -> None:
    clock, ill = Clock(), receiver(500, 200)
    clock.now += 86_400
    outbox = Outbox(str(tmp_path), clock)
    outbox.put(alert())
    assert len(outbox.flush([ill.channel()], 5)) == 1
    clock.now -= 86_400
    assert Outbox(str(tmp_path), clock).put(alert(), 60)
    outbox = Outbox(str(tmp_path), clock)
    assert (outbox.flush([ill.channel()], 5), len(ill.received), outbox.waiting) == ([], 2, 0)


def test_a_channel_that_fails_rests_longer_each_time_and_delays_nobody(tmp_path: Path, receiver: Any) -> None:
    clock, ill, well = Clock(), receiver(500, 500, 200), receiver()
    channels = [ill.channel(), well.channel("slack")]
    outbox = Outbox(str(tmp_path), clock)
    outbox.put(alert())
    assert outbox.flush(channels, 5) == ["webhook/0: HTTP status 500"]
    assert (len(ill.received), len(well.received)) == (1, 1)
    outbox = Outbox(str(tmp_path), clock)
    assert outbox.flush(channels, 5) == []
    clock.now += 11
    assert len(outbox.flush(channels, 5)) == 1
    clock.now += 11
    assert (outbox.flush(channels, 5), len(ill.received)) == ([], 2)
    clock.now += 10
    assert (outbox.flush(channels, 5), len(ill.received), len(well.received)) == ([], 3, 1)
    assert outbox.flush(channels, 5) == []
    assert len(ill.received) == 3


def test_nobody_waits_for_a_channel_that_never_answers(tmp_path: Path, silent: int, receiver: Any) -> None:
    well = receiver()
    outbox = Outbox(str(tmp_path))
    outbox.put(alert())
    begun = time.monotonic()
    failed = outbox.flush([well.channel(), {"kind": "webhook", "url": f"http://127.0.0.1:{silent}/"}], 0.3)
    assert time.monotonic() - begun < 1
    assert failed == ["webhook/1: it did not answer in time"]
    assert len(well.received) == 1


@pytest.mark.parametrize("statuses", [(302,), (307,), (404,)])
def test_no_redirect_is_followed_and_no_failure_names_a_secret(
    tmp_path: Path, receiver: Any, statuses: tuple[int, ...]
) -> None:
    outbox = Outbox(str(tmp_path))
    outbox.put(alert())
    failed = outbox.flush([receiver(*statuses).channel(headers={"X-Key": SECRET})], 5)
    assert failed == [f"webhook/0: HTTP status {statuses[0]}"]
    assert SECRET not in str(failed) + Path(outbox.path).read_text()


@pytest.mark.parametrize(
    "channel",
    [
        {"kind": "webhook", "url": f"https://127.0.0.1:1/{SECRET}"},
        {"kind": "slack", "url": f"https://no such host/{SECRET}"},
        {
            "kind": "email",
            "host": "127.0.0.1",
            "port": 1,
            "from": "a@b",
            "to": ["c@d"],
            "password": SECRET,
            "user": "u",
        },
    ],
)
def test_what_cannot_be_reached_is_said_without_the_secret(tmp_path: Path, channel: dict[str, Any]) -> None:
    outbox = Outbox(str(tmp_path))
    outbox.put(alert())
    (failed,) = outbox.flush([channel], 5)
    assert SECRET not in failed
    assert failed.startswith(f"{channel['kind']}/0: ")


class Mailbox(socketserver.StreamRequestHandler):
    """A minimal SMTP server for one message."""

    messages: t.ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        lines: list[str] | None = None
        for line in self.rfile:
            text = line.decode().rstrip("\r\n")
            if lines is not None and text == ".":
                self.messages.append("\n".join(lines))
                lines = None
            elif lines is not None:
                lines.append(text)
                continue
            elif text.upper() == "DATA":
                lines = []
                self.wfile.write(b"354 go on\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if text.upper() == "QUIT" else b"250 well\r\n")


def test_a_mail(tmp_path: Path) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        outbox = Outbox(str(tmp_path))
        outbox.put(alert())
        channel = {
            "kind": "email", "host": "127.0.0.1", "port": server.server_address[1], "security": "none",
            "from": "gateway@example.org", "to": ["ann@example.org", "bob@example.org"],
        }  # fmt: skip
        assert outbox.flush([channel], 5) == []
        server.shutdown()
    (message,) = Mailbox.messages
    assert "Subject: [critical] live on gw1 is blocked" in message
    assert "To: ann@example.org, bob@example.org" in message
    assert "Sign in." in message


def test_a_channel_takes_what_is_serious_enough(tmp_path: Path, receiver: Any) -> None:
    there = receiver()
    outbox = Outbox(str(tmp_path))
    outbox.put(alert("a", "info"))
    outbox.put(alert("b", "critical"))
    outbox.flush([there.channel(min_severity="warning")], 5)
    assert [each["body"]["key"] for each in there.received] == ["b"]
    assert json.loads(Path(outbox.path).read_text())["pending"] == []


def test_what_waits_is_bounded_and_grows_old(tmp_path: Path, receiver: Any) -> None:
    clock = Clock()
    outbox = Outbox(str(tmp_path), clock)
    outbox.put(alert("grave", "critical"))
    for number in range(alerts.MAX_PENDING + 20):
        outbox.put(alert(f"news/{number}", "info"))
    pending = json.loads(Path(outbox.path).read_text())["pending"]
    assert len(pending) == alerts.MAX_PENDING
    assert pending[0]["alert"]["key"] == "grave"
    clock.now += alerts.KEEP_SECONDS + 1
    outbox.flush([receiver(500).channel()], 5)
    assert json.loads(Path(outbox.path).read_text())["pending"] == []
    assert outbox.dropped == 21 + alerts.MAX_PENDING


@pytest.mark.parametrize("content", ["", "{", "[]", '{"told": {}, "pending": [{"alert": {}}], "rests": {}}'])
def test_a_damaged_outbox_is_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "alerts.json").write_text(content)
    assert Outbox(str(tmp_path)).put(alert())
    assert (tmp_path / "alerts.json.damaged").read_text() == content


@pytest.mark.parametrize(
    ("channels", "id_"),
    [
        ("x", "channels-not-a-list"),
        (["x"], "channel-not-a-mapping"),
        ([{"kind": "pigeon"}], "channel-kind"),
        ([{"kind": "slack"}], "channel-missing-option"),
        ([{"kind": "slack", "url": f"http://hooks.example/{SECRET}"}], "channel-not-https"),
        (
            [{"kind": "slack", "url": f"http://localhost@evil.example/{SECRET}"}],
            "channel-not-https",
        ),
        (
            [{"kind": "slack", "url": "https://x", "colour": SECRET}],
            "channel-unknown-option",
        ),
        ([{"kind": "slack", "url": "https://x", "min_severity": "bad"}], "channel-severity"),
        ([{"kind": "slack", "url": 5}], "channel-option-type"),
        ([{"kind": "email", "host": "h", "from": "a", "to": []}], "channel-missing-option"),
        ([{"kind": "email", "host": "h", "from": "a", "to": ["b"], "security": "ssl"}], "channel-security"),
        ([{"kind": "ntfy", "url": "https://n", "topic": "t", "answers_topic": "a"}], "channel-answers-pair"),
        ([{"kind": "slack_app", "token": "x", "channel": "C", "app_token": "y"}], "channel-answers-pair"),
        (
            [{"kind": "slack_app", "token": "x", "channel": "C", "app_token": "y", "answers_from": ["U"]}],
            "channel-answers-pair",
        ),
    ],
)
def test_problems(channels: Any, id_: str) -> None:
    (problem,) = problems(channels)
    assert problem.id == id_
    assert problem.variable.startswith("session_alerts")
    assert SECRET not in str(problem)


def test_the_channels_file_of_the_role_is_read(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text(json.dumps([{"kind": "slack", "url": "https://hooks.example/x"}]))
    assert alerts.load(str(path))[0]["kind"] == "slack"
    for content in ("{", '[{"kind": "x"}]'):
        path.write_text(content)
        with pytest.raises(alerts.ChannelsError, match=r"ibops\.gateway\.site"):
            alerts.load(str(path))


# A test of every channel


def test_every_channel_is_tried_at_once_and_what_each_answered_is_told(receiver: Any, silent: int) -> None:
    well, ill = receiver(200), receiver(403)
    channels = [
        well.channel(min_severity="critical"),
        ill.channel("slack"),
        {"kind": "google_chat", "url": f"http://127.0.0.1:{silent}/{SECRET}"},
        {"kind": "webhook", "url": f"http://127.0.0.1:1/{SECRET}"},
        {"kind": "email", "host": "127.0.0.1", "port": 1, "from": "a@b", "to": ["c@d"], "security": "none"},
    ]
    begun = time.monotonic()
    answers = alerts.attempt_all(channels, alert(severity="info"), 1.0)
    assert time.monotonic() - begun < 2
    assert [each.delivered for each in answers] == [True, False, False, False, False]
    assert [each.said for each in answers] == [
        "HTTP status 200",
        "HTTP status 403",
        "it did not answer in time",
        "ConnectionRefusedError",
        "ConnectionRefusedError",
    ]
    assert SECRET not in str(answers)
    assert len(well.received) == 1


def test_a_test_of_thirty_channels_that_hang_ends_in_time(silent: int) -> None:
    channels = [{"kind": "webhook", "url": f"http://127.0.0.1:{silent}/"}] * 30
    begun = time.monotonic()
    assert not any(each.delivered for each in alerts.attempt_all(channels, alert(), 0.5))
    assert time.monotonic() - begun < 3

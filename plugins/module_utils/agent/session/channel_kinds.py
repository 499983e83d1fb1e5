# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of alert channels: a row of KINDS each, with the payload, the URL and the document that specifies them.

Role session's specification and the table in docs/how-to/alerts.md are generated from here. To support a service that
takes JSON by POST, add a row.
"""

from __future__ import annotations

import dataclasses
import json
import string
import typing as t
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

SEVERITIES = ("info", "warning", "critical")
# Of the JSON of a webhook: its schema, and the first part of a key, which `make generate` writes from where alerts are
# made.
SCHEMA = 1
ALERT_KINDS = frozenset(
    {
        "answer_refused",
        "answers_failed",
        "appointment",
        "ended",
        "ends",
        "later",
        "log_gap",
        "not_saved",
        "password_held",
        "release",
        "reminder",
        "reopens",
        "sign-in",
        "skip",
        "state",
        "stop",
        "test",
        "watcher",
    }
)
Channel = dict[str, t.Any]
Body = dict[str, t.Any]
Part = Callable[[Channel, "Alert"], Body]
PORTS = {"starttls": 587, "tls": 465, "none": 25}
# {option: its type and description}
OPTIONS: dict[str, tuple[t.Any, str]] = {
    "url": (
        str,
        "Where the alert is posted to, by https; of V(telegram) and V(slack_app) the root of the API, if another one.",
    ),
    "headers": (dict[str, str], "More headers of the request."),
    "template": (
        str,
        "The JSON to send instead, with C(${title}), C(${text}), C(${next_step}), C(${severity}), C(${gateway}), "
        "C(${host}), C(${key}) within its texts.",
    ),
    "topic": (str, "The topic to publish to."),
    "token": (str, "The token of the bot, of the application, or of the user."),
    "chat_id": (str, "The chat that the bot writes to; whoever it is has to write to the bot first."),
    "answers_from": (
        list[str],
        "Ids of the users whose taps count. With it the gateway's messages have buttons; docs/how-to/answers.md.",
    ),
    "answers_topic": (
        str,
        "The topic that the phone publishes its answers to. With it the gateway's messages have buttons.",
    ),
    "answers_token": (
        str,
        "The token that the buttons carry, which may write to C(answers_topic) and nothing else: every reader of the "
        "messages sees it.",
    ),
    "channel": (str, "The id of the channel, as V(C0123456789)."),
    "app_token": (str, "The app-level token with the scope C(connections:write), which reads the taps."),
    "team": (str, "The id of the workspace, as V(T0123456789)."),
    "user_key": (str, "The key of the user or group."),
    "routing_key": (str, "The integration key of the service, Events API v2."),
    "api_key": (str, "The key of an API integration, not a user's token."),
    "host": (str, "The mail server."),
    "from": (str, "The sender."),
    "to": (list[str], "The receivers."),
    "port": (int, f"Port of the mail server; by default {', '.join(f'{n} for V({s})' for s, n in PORTS.items())}."),
    "security": (str, "How the connection to the mail server is encrypted, V(starttls), V(tls) or V(none)."),
    "user": (str, "User at the mail server; without one nobody signs in there."),
    "password": (str, "The user's password."),
}
SECRETS = frozenset(
    {"url", "headers", "token", "app_token", "answers_token", "user_key", "routing_key", "api_key", "password"}
)


@dataclass(frozen=True)
class Alert:
    """Something to tell. *key* is its identity (``state/blocked``), *at* epoch seconds; no secrets in any of it.

    *actions* (answers.offers.ACTIONS) become buttons where the channel has them.
    """

    key: str
    gateway: str
    host: str
    severity: str
    title: str
    text: str
    next_step: str
    at: float
    actions: tuple[str, ...] = ()


class Button(t.NamedTuple):
    """A button's label, and the one-shot answer that a tap on it sends."""

    label: str
    answer: str


def takes_answers(channel: Channel) -> bool:
    return bool(channel.get("answers_from") or channel.get("answers_topic"))


def fields(alert: Alert) -> Body:
    """Return what programs are told of an alert."""
    return {name: value for name, value in dataclasses.asdict(alert).items() if name != "actions"}


def words(alert: Alert) -> str:
    """Return an alert for a person to read."""
    return "\n".join(part for part in (alert.title, alert.text, alert.next_step) if part)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _details(alert: Alert) -> str:
    return "\n".join(part for part in (alert.text, alert.next_step) if part) or alert.title


def filled(template: str, alert: Alert) -> Body:
    """Return the JSON object from a *template* with its placeholders filled in; ValueError if the result is not JSON.

    Each value is escaped for the JSON string that it appears in, so none can end that string.
    """
    values = {name: json.dumps(str(value))[1:-1] for name, value in fields(alert).items()}
    made = json.loads(string.Template(template).substitute(values))
    if not isinstance(made, dict):
        raise ValueError("it is not an object")
    return made


def _webhook(channel: Channel, alert: Alert) -> Body:
    template = channel.get("template")
    return filled(template, alert) if template else {"schema": SCHEMA, **fields(alert)}


def _telegram(channel: Channel, alert: Alert) -> Body:
    return {"chat_id": channel["chat_id"], "text": _cut(words(alert), 4096)}


def _telegram_buttons(_channel: Channel, _alert: Alert, buttons: Sequence[Button]) -> Body:
    row = [{"text": each.label, "callback_data": each.answer} for each in buttons]
    return {"reply_markup": {"inline_keyboard": [row]}}


def _ntfy_buttons(channel: Channel, _alert: Alert, buttons: Sequence[Button]) -> Body:
    token = channel.get("answers_token")
    request = {
        "action": "http",
        "url": f"{channel['url'].rstrip('/')}/{channel['answers_topic']}",
        "method": "POST",
        "headers": {"Authorization": f"Bearer {token}"} if token else {},
        "clear": True,
    }
    return {"actions": [{**request, "label": each.label, "body": each.answer} for each in buttons[:3]]}


def _slack_app_buttons(_channel: Channel, alert: Alert, buttons: Sequence[Button]) -> Body:
    def plain(text: str, limit: int) -> Body:
        return {"type": "plain_text", "text": _cut(text, limit)}

    elements = [
        {"type": "button", "action_id": f"answer_{index}", "text": plain(each.label, 75), "value": each.answer}
        for index, each in enumerate(buttons)
    ]
    section = {"type": "section", "text": plain(words(alert), 3000)}
    return {"blocks": [section, {"type": "actions", "elements": elements}]}


def _slack(_channel: Channel, alert: Alert) -> Body:
    text = words(alert)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)
    return {"text": text}


def _ntfy(channel: Channel, alert: Alert) -> Body:
    priority = {"info": 3, "warning": 4, "critical": 5}[alert.severity]
    # A message over 4,096 bytes becomes an attachment.
    return {"topic": channel["topic"], "title": _cut(alert.title, 250), "message": _cut(_details(alert), 900),
            "priority": priority}  # fmt: skip


def _pushover(channel: Channel, alert: Alert) -> Body:
    priority = {"info": -1, "warning": 0, "critical": 1}[alert.severity]
    return {"token": channel["token"], "user": channel["user_key"], "title": _cut(alert.title, 250),
            "message": _cut(_details(alert), 1024), "priority": priority}  # fmt: skip


def _place(alert: Alert) -> str:
    return f"{alert.gateway}@{alert.host}"


def _incident(alert: Alert) -> str:
    """Return the identity of an incident: a gateway's states are one, resolved when it is ready."""
    return f"{_place(alert)}/{'state' if alert.key.startswith('state/') else alert.key}"


def _resolves(alert: Alert) -> bool:
    return alert.key == "state/ready"


def _pagerduty(channel: Channel, alert: Alert) -> Body:
    return {
        "routing_key": channel["routing_key"],
        "event_action": "resolve" if _resolves(alert) else "trigger",
        "dedup_key": _cut(_incident(alert), 255),
        "payload": {
            "summary": _cut(alert.title, 1024),
            "source": _place(alert),
            "severity": alert.severity,
            "timestamp": datetime.fromtimestamp(alert.at, UTC).isoformat(),
            "custom_details": {"text": alert.text, "next_step": alert.next_step, "key": alert.key},
        },
    }


def _jira_alias(alert: Alert) -> str:
    # It is a part of a path, where not every server takes an encoded slash.
    return _cut(_incident(alert).replace("/", ":"), 512)


def _jira(_channel: Channel, alert: Alert) -> Body:
    source = _cut(_place(alert), 100)
    if _resolves(alert):
        return {"source": source, "note": _cut(words(alert), 15_000)}
    return {
        "message": _cut(alert.title, 130),
        "alias": _jira_alias(alert),
        "description": _cut(_details(alert), 15_000),
        "priority": {"info": "P5", "warning": "P3", "critical": "P1"}[alert.severity],
        "entity": alert.gateway,
        "source": source,
    }


def _jira_url(url: str, alert: Alert) -> str:
    if not _resolves(alert):
        return url
    return f"{url.rstrip('/')}/{urllib.parse.quote(_jira_alias(alert), safe='')}/close?identifierType=alias"


def _discord_url(url: str, _alert: Alert) -> str:
    # Without it Discord answers before it has stored the message, also one that it then drops.
    return f"{url}{'&' if '?' in url else '?'}wait=true"


def _teams(_channel: Channel, alert: Alert) -> Body:
    blocks = [
        {"type": "TextBlock", "text": text, "wrap": True, **more}
        for text, more in ((alert.title, {"weight": "bolder"}), (alert.text, {}), (alert.next_step, {}))
        if text
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


class Kind(t.NamedTuple):
    """A row: options that it *needs* and options that it *may* have, the JSON that it is sent (*body*; None: mail), the
    *url* where the options have none, and the *source* of its format. *signs* is the scheme and the option of the
    header Authorization; *at* returns an alert's own URL. *buttons* is the JSON that a message has for them; *says_ok*:
    a refusal has status 200 too, and ``ok`` false."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    body: Part | None
    sent: str
    source: str
    url: str = ""
    signs: tuple[str, str] = ("", "")
    at: Callable[[str, Alert], str] | None = None
    buttons: Callable[[Channel, Alert, Sequence[Button]], Body] | None = None
    says_ok: bool = False


_BEARER = ("Bearer", "token")
KINDS = {
    "webhook": Kind(
        ("url",), ("headers", "template"), _webhook, "all fields, or the JSON of a template", "below"
    ),
    "slack": Kind(
        ("url",), (), _slack, "`text`", "[Slack](https://api.slack.com/messaging/webhooks)"
    ),
    "slack_app": Kind(
        ("token", "channel"), ("app_token", "team", "answers_from", "url"),
        lambda channel, alert: {"channel": channel["channel"], **_slack(channel, alert)},
        "`chat.postMessage` of the app's bot", "[Slack](https://docs.slack.dev/reference/methods/chat.postMessage)",
        "https://slack.com/api", signs=_BEARER, buttons=_slack_app_buttons, says_ok=True,
    ),
    "google_chat": Kind(
        ("url",), (), lambda _channel, alert: {"text": words(alert)}, "`text`",
        "[Google](https://developers.google.com/workspace/chat/quickstart/webhooks)",
    ),
    "teams": Kind(
        ("url",), (), _teams, "an Adaptive Card, for a workflow *When a Teams webhook request is received*",
        "[Microsoft](https://learn.microsoft.com/connectors/teams/)",
    ),
    "discord": Kind(
        ("url",), (),
        lambda _channel, alert: {"content": _cut(words(alert), 2000), "allowed_mentions": {"parse": []}},
        "`content`, which mentions nobody", "[Discord](https://discord.com/developers/docs/resources/webhook)",
        at=_discord_url,
    ),
    "telegram": Kind(
        ("token", "chat_id"), ("answers_from", "url"), _telegram,
        "`sendMessage` of the bot", "[Telegram](https://core.telegram.org/bots/api#sendmessage)",
        "https://api.telegram.org", buttons=_telegram_buttons,
    ),
    "ntfy": Kind(
        ("url", "topic"), ("token", "answers_topic", "answers_token"), _ntfy,
        "title, message and priority 3 to 5, to the server's root",
        "[ntfy](https://docs.ntfy.sh/publish/#publish-as-json)", signs=_BEARER, buttons=_ntfy_buttons,
    ),
    "pushover": Kind(
        ("token", "user_key"), (), _pushover, "title, message and priority -1 to 1",
        "[Pushover](https://pushover.net/api)", "https://api.pushover.net/1/messages.json",
    ),
    "pagerduty": Kind(
        ("routing_key",), ("url",), _pagerduty, "`trigger`, and `resolve` once the gateway is ready again",
        "[PagerDuty](https://developer.pagerduty.com/docs/events-api-v2-overview)",
        "https://events.pagerduty.com/v2/enqueue",
    ),
    "jira_service_management": Kind(
        ("api_key",), ("url",), _jira, "an alert of priority P1, P3 or P5, closed once the gateway is ready again",
        "[Atlassian](https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/)",
        "https://api.atlassian.com/jsm/ops/integration/v2/alerts", signs=("GenieKey", "api_key"), at=_jira_url,
    ),
    "email": Kind(
        ("host", "from", "to"), ("port", "user", "password", "security"), None, "a mail by SMTP",
        "[RFC 5321](https://www.rfc-editor.org/rfc/rfc5321)",
    ),
}  # fmt: skip


def method_url(channel: Channel, method: str) -> str:
    """Return the URL of a method of Telegram's API, or of Slack's."""
    base = str(channel.get("url") or KINDS[channel["kind"]].url).rstrip("/")
    bot = f"/bot{urllib.parse.quote(channel['token'], safe=':')}" if channel["kind"] == "telegram" else ""
    return f"{base}{bot}/{method}"


# The method that sends a message.
_SENDS = {"telegram": "sendMessage", "slack_app": "chat.postMessage"}


def request(channel: Channel, alert: Alert, buttons: Sequence[Button] = ()) -> tuple[str, Mapping[str, str], Body]:
    """Return URL, headers and JSON of what a channel is sent, all but mail."""
    kind = KINDS[channel["kind"]]
    if kind.body is None:
        raise ValueError("mail is not posted")
    method = _SENDS.get(channel["kind"])
    url = method_url(channel, method) if method else str(channel.get("url") or kind.url)
    if kind.at:
        url = kind.at(url, alert)
    headers = {"Content-Type": "application/json; charset=UTF-8", **channel.get("headers", {})}
    scheme, option = kind.signs
    if channel.get(option):
        headers["Authorization"] = f"{scheme} {channel[option]}"
    body = kind.body(channel, alert)
    if buttons and kind.buttons:
        body |= kind.buttons(channel, alert, buttons)
    return url, headers, body

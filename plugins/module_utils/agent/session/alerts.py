# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send alerts to people: they wait in an outbox on disk until each channel has taken them; a dead channel delays no
other.

The libraries that send (http.client, smtplib, ssl) are imported on first use: a watcher with nothing to send stays
small. URLs and passwords of channels are secrets: no message of this module contains one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import files, playbooks, record_file
from ..problem import Problem, table
from ..text import printable
from . import channel_kinds, descriptor
from .channel_kinds import KINDS, OPTIONS, PORTS, SEVERITIES, Alert, Button, Channel, takes_answers, words

MAX_PENDING = 100
MAX_TOLD = 500
ATTEMPT_SECONDS = 10.0
# A test of all channels, side by side.
TEST_SECONDS = 8.0
MAX_HEARD = 1 << 16
KEEP_SECONDS = 24 * 3600.0
BACK_OFF = (10.0, 900.0)
_TYPES: dict[str, t.Any] = {name: kind for name, (kind, _text) in OPTIONS.items()}


@dataclass(frozen=True)
class Waiting:
    """A queued alert, and the channels that *got* it."""

    alert: Alert
    got: list[str]


@dataclass(frozen=True)
class Kept:
    """``outbox.json``: when each key was *told*; for each channel, until when it rests and for how long."""

    told: dict[str, float]
    pending: list[Waiting]
    rests: dict[str, list[float]]


class ChannelsError(ValueError):
    """The file with the channels cannot be used."""


def path(name: str) -> str:
    """Where role `session` wrote the channels of gateway *name*."""
    return os.path.join(descriptor.ROOT, name, "alerts.json")


def load(path: str) -> list[Channel]:
    """Return the channels of a file that role `session` wrote; raises ChannelsError."""
    try:
        channels = record_file.read(path)
    except (OSError, ValueError) as error:
        raise ChannelsError(
            f"{path} cannot be read ({type(error).__name__}): run {playbooks.SITE} to rewrite it"
        ) from error
    if problems(channels):
        raise ChannelsError(f"{path} is damaged: run {playbooks.SITE} to rewrite it")
    return list(t.cast("list[Channel]", channels))


def names_of(channels: list[Channel]) -> list[str]:
    """Return each channel's name: its kind and its position in the list, as in ``slack/0``."""
    return [f"{channel['kind']}/{index}" for index, channel in enumerate(channels)]


_problem = table(
    {
        "channels-not-a-list": ("not a list", "write one entry a channel, or [] for none"),
        "channel-not-a-mapping": ("not a mapping", "write kind and its options"),
        "channel-kind": ("not a kind of channel", "choose {kinds}"),
        "channel-unknown-option": ("{kind} has no such option", "use {options}"),
        "channel-missing-option": ("missing", "set it, as {kind} needs {options}"),
        "channel-option-type": ("{fault}", "write it so"),
        "channel-severity": ("not a severity", "choose {severities}"),
        "channel-not-https": (
            "not https, so what it carries, its secret included, could be read on the way",
            "use a URL that begins with https://",
        ),
        "channel-template": ("not a JSON object once it is filled in: {fault}", "write it as in docs/how-to/alerts.md"),
        "channel-connector": (
            "a connector of Office 365, which Microsoft has retired",
            "make a workflow 'When a Teams webhook request is received' and set its URL",
        ),
        "channel-answers-pair": ("missing, and {option} needs it", "set both, or neither"),
        "channel-security": ("not a way to encrypt the connection", "choose {ways}"),
    }
)


def problems(channels: object, variable: str = "session_alerts") -> list[Problem]:
    """Return every problem of the channels, without values that may be secret."""
    if not isinstance(channels, list):
        return [_problem("channels-not-a-list", variable)]
    return [problem for index, each in enumerate(channels) for problem in _faults(f"{variable}[{index}]", each)]


def _faults(place: str, channel: object) -> list[Problem]:
    if not isinstance(channel, Mapping):
        return [_problem("channel-not-a-mapping", place)]
    kind = channel.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return [_problem("channel-kind", f"{place}.kind", kind, kinds=", ".join(KINDS))]
    needed, allowed = KINDS[kind].needs, KINDS[kind].may
    known = ("kind", "min_severity", *needed, *allowed)
    found = [
        _problem("channel-unknown-option", f"{place}.{key}", kind=kind, options=", ".join(known))
        for key in channel
        if key not in known
    ]
    found += [
        _problem("channel-missing-option", f"{place}.{key}", kind=kind, options=", ".join(needed))
        for key in needed
        if not channel.get(key)
    ]
    for key in (key for key in known if key in channel):
        try:
            record_file.value(_TYPES.get(key, str), channel[key], key)
        except record_file.DamagedError as fault:
            found.append(_problem("channel-option-type", f"{place}.{key}", fault=fault))
    if found:
        return found
    if channel.get("min_severity", "info") not in SEVERITIES:
        found.append(_problem("channel-severity", f"{place}.min_severity", severities=", ".join(SEVERITIES)))
    if channel.get("url") and not safe(str(channel["url"])):
        found.append(_problem("channel-not-https", f"{place}.url"))
    if kind == "teams" and any(each in str(channel["url"]) for each in _RETIRED):
        found.append(_problem("channel-connector", f"{place}.url"))
    for one, other in (pair for pair in _PAIRED.get(kind, ()) if channel.get(pair[0]) and not channel.get(pair[1])):
        found.append(_problem("channel-answers-pair", f"{place}.{other}", option=one))
    if template := channel.get("template"):
        try:
            channel_kinds.filled(
                str(template), Alert("key", "gateway", "host", "info", 'a "title"', "text", "step", 0.0)
            )
        except (ValueError, KeyError) as fault:
            found.append(_problem("channel-template", f"{place}.template", fault=_fault_of(fault)))
    if channel.get("security", "starttls") not in PORTS:
        found.append(_problem("channel-security", f"{place}.security", ways=", ".join(PORTS)))
    return found


# A sample to validate templates.
_SAMPLE = Alert("key", "gateway", "host", "info", 'a "title"', "text", "step", 0.0)
# Options for answers, and what each needs.
_PAIRED = {
    "ntfy": (("answers_token", "answers_topic"), ("answers_topic", "answers_token")),
    "slack_app": (("app_token", "answers_from"), ("answers_from", "app_token"), ("answers_from", "team")),
}
_RETIRED = (".webhook.office.com/", "://outlook.office.com/webhook")


def _fault_of(fault: Exception) -> str:
    return f"{fault} is not a field of an alert" if isinstance(fault, KeyError) else str(fault)


def safe(url: str) -> bool:
    """Whether nobody on the network can read what is sent to a URL: https, or this host."""
    scheme, _colon, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    name = host.rpartition(":")[0] or host
    return scheme == "https" or (scheme == "http" and name in ("127.0.0.1", "localhost", "[::1]"))


class RefusedError(Exception):
    """The server answered and refused it; the message is the status."""


def post(channel: Channel, alert: Alert, seconds: float, buttons: Sequence[Button] = ()) -> str:
    """Send to a URL, all of it in *seconds*, and return what it answered; RefusedError where it was not taken."""
    from .. import bounded_http  # only where something is sent

    url, headers, content = channel_kinds.request(channel, alert, buttons)
    # Redirects are not followed: they would carry the alert, and the headers' secret, elsewhere.
    status, answer = bounded_http.request("POST", url, seconds, headers, json.dumps(content).encode())
    if not 200 <= status < 300:
        raise RefusedError(status)
    if KINDS[channel["kind"]].says_ok and (error := _refusal(answer)):
        raise RefusedError(f"{status}, {error}")
    return f"HTTP status {status}"


def _refusal(answer: bytes) -> str:
    """Return the word of an answer whose ``ok`` is false."""
    try:
        found = record_file.parse(answer)
    except record_file.DamagedError:
        return "not JSON"
    if isinstance(found, dict) and found.get("ok") is True:
        return ""
    return printable(str(found.get("error") if isinstance(found, dict) else ""), 40) or "refused"


def mail(channel: Channel, alert: Alert, seconds: float) -> str:
    """Send by SMTP within *seconds* in all, and return for how many recipients the server took it.

    The connection to a late or endlessly talking server is closed.
    """
    import smtplib  # only where something is sent
    from email.message import EmailMessage
    from email.utils import formatdate, make_msgid

    from .. import bounded_http

    message = EmailMessage()
    message["Subject"] = f"[{alert.severity}] {alert.title}"
    message["From"], message["To"] = channel["from"], ", ".join(channel["to"])
    message["Date"], message["Message-ID"] = formatdate(alert.at), make_msgid(domain="ibgw.invalid")
    message.set_content(words(alert) + "\n")
    security = channel.get("security", "starttls")
    port = int(channel.get("port") or PORTS[security])
    kind: Any = smtplib.SMTP_SSL if security == "tls" else smtplib.SMTP
    more = {"context": bounded_http.trusting()} if security == "tls" else {}
    servers: list[Any] = []

    class Server(kind):
        file: Any
        sock: Any

        def __init__(self) -> None:
            # The constructor connects and reads the greeting.
            servers.append(self)
            super().__init__(channel["host"], port, timeout=seconds, **more)

        def getreply(self) -> tuple[int, bytes]:
            if self.file is None:
                self.file = _Heard(self.sock.makefile("rb"))
            code, text = super().getreply()
            return int(code), bytes(text)

    def converse() -> str:
        with Server() as server:
            if security == "starttls":
                server.starttls(context=bounded_http.trusting())
            if channel.get("user"):
                server.login(channel["user"], channel.get("password", ""))
            refused = server.send_message(message)
        if refused:
            raise RefusedError(f"{len(refused)} of {len(channel['to'])} receivers")
        return "the mail server took it"

    def hang_up() -> None:
        for stream in [each.sock for each in servers if each.sock]:
            bounded_http.shut(stream)

    return bounded_http.within(seconds, converse, hang_up)


class _Heard:
    """An SMTP server's replies, at most MAX_HEARD bytes."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file, self._left = file, MAX_HEARD

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the server says too much")
        return line

    def close(self) -> None:
        self._file.close()


class Answer(t.NamedTuple):
    """The result of one attempt: whether the channel took it, and its reply, without secrets."""

    delivered: bool
    said: str


LATE = Answer(False, "it did not answer in time")


def attempt(channel: Channel, alert: Alert, seconds: float, buttons: Sequence[Button] = ()) -> Answer:
    """Send once, within *seconds*."""
    try:
        if channel["kind"] == "email":
            return Answer(True, mail(channel, alert, seconds))
        return Answer(True, post(channel, alert, seconds, buttons))
    except TimeoutError:
        return LATE
    except RefusedError as error:
        return Answer(False, f"HTTP status {error}")
    except Exception as error:
        # The text may contain the address; the exception's type and an SMTP status do not.
        return Answer(False, f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip())


def attempt_all(channels: list[Channel], alert: Alert, seconds: float) -> list[Answer]:
    """Send once to every channel, regardless of its severities, in parallel and within *seconds* in all."""
    answers = [LATE] * len(channels)

    def one(index: int) -> None:
        answers[index] = attempt(channels[index], alert, seconds)

    threads = [threading.Thread(target=one, args=(index,), daemon=True) for index in range(len(channels))]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline + 0.5 - time.monotonic(), 0.0))
    return [*answers]


class Outbox:
    """Queued alerts, in ``alerts.json`` below *directory*: those sent, those waiting, and the channels that rest.

    A damaged file is started over. A full disk keeps alerts in memory only. Others may use it while one flushes it.
    """

    def __init__(
        self,
        directory: str,
        clock: Callable[[], float] = time.time,
        offer: Callable[[Channel, Alert], list[Button]] = lambda _channel, _alert: [],
    ) -> None:
        self.path = os.path.join(directory, "alerts.json")
        self._clock, self.offer = clock, offer
        self._told: dict[str, float] = {}
        self._pending: list[dict[str, Any]] = []
        self._rests: dict[str, list[float]] = {}
        # Held while the data changes, never while sending.
        self._changes = threading.RLock()
        # Since the process began: alerts given up, deliveries per channel, and failed deliveries.
        self.dropped = self.sent = self.failed = 0
        # Why the file was set aside, if it was.
        self.damage = ""
        self._read()

    def put(self, alert: Alert, repeat_after: float | None = None) -> bool:
        """Queue an alert, unless its key is on its way or was told less than *repeat_after* seconds ago (None: ever).

        When more than 100 wait, the oldest of the least serious is dropped.
        """
        text, step = (playbooks.on_host(each, alert.host) for each in (alert.text, alert.next_step))
        alert = dataclasses.replace(alert, text=text, next_step=step)
        with self._changes:
            told = self._told.get(alert.key)
            # A time ahead is that of a clock which has been set back since.
            if told is not None and (repeat_after is None or 0 <= self._clock() - told < repeat_after):
                return False
            self._told[alert.key] = self._clock()
            self._pending = [entry for entry in self._pending if entry["alert"]["key"] != alert.key]
            self._pending.append({"alert": dataclasses.asdict(alert), "got": []})
            while len(self._pending) > MAX_PENDING:
                self._pending.remove(min(self._pending, key=lambda entry: SEVERITIES.index(entry["alert"]["severity"])))
                self.dropped += 1
            self._write()
        return True

    def forget(self, key: str) -> bool:
        """Let the next alert with this key be sent however soon it comes; return whether one had been sent."""
        with self._changes:
            told = self._told.pop(key, None) is not None
            if told:
                self._write()
        return told

    @property
    def waiting(self) -> int:
        """How many alerts wait for a channel."""
        return len(self._pending)

    @property
    def waiting_since(self) -> float | None:
        """When the oldest waiting alert was queued, in epoch seconds; None where none waits."""
        return min((entry["alert"]["at"] for entry in self._pending), default=None)

    def flush(self, channels: list[Channel], budget: float) -> list[str]:
        """Send waiting alerts to every channel that lacks them, within *budget* seconds; return the failures in words.

        A channel that fails rests for 10 seconds, then twice as long each time, up to 15 minutes.
        """
        failed: list[str] = []
        deadline = time.monotonic() + budget
        names = dict(zip(names_of(channels), channels, strict=True))
        for name, channel in names.items():
            if not 0 < self._rests.get(name, [0.0])[0] - self._clock() <= BACK_OFF[1]:
                self._serve(name, channel, deadline, failed)
        with self._changes:
            self._settle(names)
            self._write()
        return failed

    def _serve(self, name: str, channel: Channel, deadline: float, failed: list[str]) -> None:
        least = SEVERITIES.index(channel.get("min_severity", "info"))
        for entry in [*self._pending]:
            if name in entry["got"]:
                continue
            if SEVERITIES.index(entry["alert"]["severity"]) >= least:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                alert = Alert(**entry["alert"])
                buttons = self.offer(channel, alert) if alert.actions and takes_answers(channel) else []
                answer = attempt(channel, alert, min(left, ATTEMPT_SECONDS), buttons)
                self.failed += not answer.delivered
                self.sent += answer.delivered
                if not answer.delivered:
                    with self._changes:
                        self._rest(name)
                    failed.append(f"{name}: {answer.said}")
                    return
            with self._changes:
                entry["got"].append(name)
                self._rests.pop(name, None)

    def _rest(self, name: str) -> None:
        _until, rest = self._rests.get(name, [0.0, BACK_OFF[0] / 2])
        rest = min(rest * 2, BACK_OFF[1])
        self._rests[name] = [self._clock() + rest, rest]

    def _settle(self, names: Mapping[str, Channel]) -> None:
        """Drop alerts that every channel has, and those that no channel took within a day."""
        old = self._clock() - KEEP_SECONDS
        waiting = [entry for entry in self._pending if not names.keys() <= set(entry["got"])]
        self._pending = [entry for entry in waiting if entry["alert"]["at"] >= old]
        self.dropped += len(waiting) - len(self._pending)

    def _read(self) -> None:
        try:
            kept = record_file.load(Kept, self.path)
            if any(each.alert.severity not in SEVERITIES for each in kept.pending) or any(
                len(rest) != 2 for rest in kept.rests.values()
            ):
                raise record_file.DamagedError("it has alerts or rests of no known kind")
        except FileNotFoundError:
            return
        except (OSError, record_file.DamagedError) as error:
            self.damage = f"{self.path} is damaged: {error}; it is kept as {record_file.set_aside(self.path)}"
            return
        self._told, self._rests = kept.told, kept.rests
        self._pending = [dataclasses.asdict(each) for each in kept.pending]

    def _write(self) -> None:
        newest = sorted(self._told, key=self._told.__getitem__)[-MAX_TOLD:]
        self._told = {key: self._told[key] for key in newest}
        data = {"schema": record_file.SCHEMA, "told": self._told, "pending": self._pending, "rests": self._rests}
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            content = json.dumps(data) + "\n"
            files.write(self.path, {"content": content, "mode": 0o600, "owner": os.geteuid(), "group": os.getegid()})

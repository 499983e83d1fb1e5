# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an answer from a channel, and have systemd run the command that it stands for.

Nothing of an answer goes into a command but which of a fixed list it is, and who sent it. Answers that are refused are
written to the history and told; who sends many of them to a channel is not heard on it for an hour, and nobody else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import files, record_file
from ..session import alerts, background, spool
from ..session.channel_kinds import Alert, Channel
from ..session.store import Store
from ..text import printable
from .offers import Offers, RefusedError, place_of

HOUR = 3600.0
MOST_TAKEN, MOST_REFUSED = 5, 10
# Strangers who are remembered on a channel; more of them are refused without a word.
MOST_STRANGERS = 10
SEND_SECONDS = 10.0
# The command of ibgwctl for each action, and what its sender is told.
COMMANDS = {
    "sign_in": ("sign-in", "The sign-in begins: approve the push."),
    "later": ("later", "Later, then."),
    "skip": ("skip", "It is left out."),
    "stop_now": ("stop", "The gateway is being stopped."),
}
CONFIRM = "One more tap stops it."
INVALID = "No longer valid."


@dataclass
class Heard:
    """``answers.json``: the moments of the last hour at which answers were taken, refused and refusals told.

    Refused ones are by channel and sender, strangers apart, so that none of them takes an allowed sender's place; told
    ones are by kind. An earlier release's ``refused``, a list for the whole gateway, is passed over.
    """

    taken: list[float] = field(default_factory=list)
    allowed: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    strangers: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)


class Judge:
    """Judges answers to gateway *name*'s messages, from any thread."""

    def __init__(
        self,
        name: str,
        host: str,
        store: Store,
        offers: Offers,
        begin: Callable[..., str] = background.begin,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._host, self._store, self._offers = name, host, store, offers
        self._begin, self._now, self._lock = begin, now, threading.Lock()
        self._path = os.path.join(store.directory, "answers.json")

    def answer(self, channel: Channel, text: str, sender: str, foreign: str = "") -> str:
        """Judge the answer *text* of *sender*, who may not answer for the reason *foreign*, if any; return what they
        are told."""
        with self._lock:
            heard = self._heard()
            senders = (heard.strangers if foreign else heard.allowed).setdefault(_digest(place_of(channel)), {})
            if foreign and _digest(sender) not in senders and len(senders) >= MOST_STRANGERS:
                return INVALID
            refused = senders.setdefault(_digest(sender), [])
            if len(refused) >= MOST_REFUSED:
                return INVALID
            who = f"{printable(sender, 60)} ({channel['kind']})"
            try:
                if foreign:
                    raise RefusedError(foreign)
                if len(heard.taken) >= MOST_TAKEN:
                    raise RefusedError(f"{MOST_TAKEN} answers were taken within an hour")
                action = self._offers.take(channel, text).action
                heard.taken.append(self._now())
                # Kept before anything begins, so that a full disk takes no answer.
                self._keep(heard)
            except RefusedError as error:
                reason = str(error)
            except OSError as error:
                reason = f"not taken: it cannot be kept ({type(error).__name__})"
            else:
                return self._act(channel, action, who)
            refused.append(self._now())
            kind = "stranger" if foreign else "allowed"
            self._refuse(heard, who, reason, f"{kind}/silenced" if len(refused) >= MOST_REFUSED else kind)
            return INVALID

    def _act(self, channel: Channel, action: str, who: str) -> str:
        self._store.note("answer", f"{action} by {who}", self._now(), by=who, action=action)
        if action == "stop":
            return self._confirm(channel)
        command, said = COMMANDS[action]
        if fault := self._begin(command, self._name, "--by", f"a tap of {who}"):
            self._store.note("failed", f"{command}: {fault}", self._now())
            return f"It could not be begun: {fault}"
        return said

    def _confirm(self, channel: Channel) -> str:
        """Ask once more before a gateway is stopped, by a message of its own."""
        buttons = self._offers.buttons(channel, ("stop_now",))
        title = f"Stop {self._named}?"
        text = "That ends its session: live needs a sign-in to come back."
        alert = Alert("stop", self._name, self._host, "warning", title, text, "", self._now())
        sent = alerts.attempt(channel, alert, SEND_SECONDS, buttons)
        return CONFIRM if sent.delivered and buttons else f"The question could not be sent: {sent.said}"

    def _refuse(self, heard: Heard, who: str, reason: str, kind: str) -> None:
        now = self._now()
        told = kind in heard.told
        heard.told.setdefault(kind, now)
        with contextlib.suppress(OSError):
            self._keep(heard)
        self._store.note("answer_refused", f"an answer of {who} was refused: {reason}", now, by=who)
        # Each kind once an hour, whoever they are and however many.
        if told:
            return
        more = " No answer of theirs is taken for an hour now." if kind.endswith("silenced") else ""
        text = f"The answer of {who} was refused: {reason}.{more}"
        step = "If nobody of yours sent it: ibgwctl history, and renew the channel's token."
        key = f"answer_refused/{kind}/{now:.0f}"
        title = f"an answer to {self._named} was refused"
        spool.drop(self._store.directory, Alert(key, self._name, self._host, "warning", title, text, step, now))

    @property
    def _named(self) -> str:
        return f"{self._name} on {self._host}" if self._host else self._name

    def _heard(self) -> Heard:
        heard = Heard()
        with contextlib.suppress(OSError, record_file.DamagedError):
            heard = record_file.load(Heard, self._path)
        now = self._now()

        def fresh(moments: list[float]) -> list[float]:
            return [at for at in moments if now - HOUR < at <= now]

        allowed, strangers = (
            {
                place: {who: left for who, at in senders.items() if (left := fresh(at))}
                for place, senders in part.items()
            }
            for part in (heard.allowed, heard.strangers)
        )
        return Heard(
            fresh(heard.taken), allowed, strangers, {kind: at for kind, at in heard.told.items() if fresh([at])}
        )

    def _keep(self, heard: Heard) -> None:
        files.write_private(self._path, json.dumps(dataclasses.asdict(heard)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

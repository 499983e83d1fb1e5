# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offers: what a message lets its reader answer, each once, for a while, from the channel that it was sent to.

A button carries a random id and a MAC (HMAC-SHA-256, RFC 2104) over everything that the answer stands for; the rest is
kept here, under the id's hash. Taking an offer is one rename on the disk, before anything is begun for it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from .. import files, record_file
from ..session.channel_kinds import Button, Channel
from ..session.lease import since_boot, this_boot

MINUTE = 60.0
# The actions on offer: label, and validity in seconds.
ACTIONS = {
    "sign_in": ("Sign in now", 60 * MINUTE),
    "later": ("Later", 60 * MINUTE),
    "skip": ("Skip", 60 * MINUTE),
    "stop": ("Stop", 15 * MINUTE),
    "stop_now": ("Yes, stop", 5 * MINUTE),
}
MOST = 64
# An offer that was taken is remembered for so long, so that a second tap is told from a forgery.
KEEP_SECONDS = 24 * 3600.0
# A clock that goes back by more has been set.
CLOCK_SECONDS = 60.0
ID_BYTES = MAC_BYTES = 16
KEY_BYTES = 32
_TAKEN = ".taken"
_PURPOSE = b"ibgw-answer-v1"
_FORM = re.compile(r"v1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})")


class RefusedError(Exception):
    """The answer is not taken; the message says why, for the history and not for who sent it."""


@dataclass(frozen=True)
class Offer:
    """The kept part of an offer; *made_at* and *ends_at* are epoch seconds, *boot_ends* counts from the boot *boot*."""

    action: str
    place: str
    made_at: float
    ends_at: float
    boot: str
    boot_ends: float


def place_of(channel: Channel) -> str:
    """Return where a channel's messages go and who may answer them: an offer is bound to both."""
    return json.dumps(
        [channel["kind"], *(channel.get(name) for name in ("chat_id", "team", "channel", "url", "topic")),
         channel.get("answers_topic"), sorted(channel.get("answers_from") or [])]
    )  # fmt: skip


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Offers:
    """The offers of gateway *name*, below *directory*."""

    def __init__(
        self,
        directory: str,
        name: str,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = since_boot,
        boot: Callable[[], str] = this_boot,
    ) -> None:
        self._place = os.path.join(directory, "offers")
        self._key_path = os.path.join(directory, "answers.key")
        self._name, self._now, self._clock, self._boot = name, now, clock, boot

    def buttons(self, channel: Channel, actions: tuple[str, ...]) -> list[Button]:
        """Make an offer for each of *actions*, in the place of earlier ones of the kind; none on a full disk."""
        made = []
        with contextlib.suppress(OSError):
            os.makedirs(self._place, mode=0o700, exist_ok=True)
            self._clear(channel, actions)
            for action in filter(ACTIONS.__contains__, actions):
                made.append(Button(ACTIONS[action][0], self._make(channel, action)))
        return made

    def take(self, channel: Channel, answer: str) -> Offer:
        """Take the offer that *answer* stands for, once. Raises RefusedError, and OSError where that cannot be kept."""
        match = _FORM.fullmatch(answer)
        if not match:
            raise RefusedError("malformed")
        path = self._path(match[1])
        offer = self._read(path)
        expected = self._mac(offer, match[1], place_of(channel))
        if not hmac.compare_digest(expected.encode(), match[2].encode()):
            raise RefusedError("forged, or of another gateway or channel")
        if self._over(offer):
            raise RefusedError("late")
        try:
            os.rename(path, path + _TAKEN)
        except FileNotFoundError:
            raise RefusedError("taken before") from None
        # A crash from here on must not let it be taken again.
        handle = os.open(self._place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        return offer

    def _make(self, channel: Channel, action: str) -> str:
        identity = _encoded(secrets.token_bytes(ID_BYTES))
        now, lasts = self._now(), ACTIONS[action][1]
        offer = Offer(action, place_of(channel), now, now + lasts, self._boot(), self._clock() + lasts)
        files.write_private(self._path(identity), json.dumps(dataclasses.asdict(offer)))
        return f"v1.{identity}.{self._mac(offer, identity, offer.place)}"

    def _path(self, identity: str) -> str:
        # The id is not on the disk, so that reading the disk gives no answer.
        return os.path.join(self._place, hashlib.sha256(identity.encode()).hexdigest())

    def _read(self, path: str) -> Offer:
        try:
            return record_file.load(Offer, path)
        except FileNotFoundError:
            taken = os.path.exists(path + _TAKEN)
            raise RefusedError("taken before" if taken else "forged, or withdrawn by a newer message") from None
        except record_file.DamagedError:
            raise RefusedError("its offer is damaged") from None

    def _over(self, offer: Offer) -> bool:
        """Whether its time is over by the wall's clock or by that since boot, whichever says so first."""
        now = self._now()
        set_back = now < offer.made_at - CLOCK_SECONDS
        rebooted = offer.boot != self._boot()
        return set_back or rebooted or now >= offer.ends_at or self._clock() >= offer.boot_ends

    def _mac(self, offer: Offer, identity: str, place: str) -> str:
        parts = [
            self._name,
            offer.action,
            identity,
            f"{offer.ends_at:.6f}",
            offer.boot,
            f"{offer.boot_ends:.6f}",
            place,
        ]
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in (_PURPOSE, *(p.encode() for p in parts)))
        return _encoded(hmac.digest(self._key(), framed, "sha256")[:MAC_BYTES])

    def _key(self) -> bytes:
        """Return the gateway's key, which is made here and never leaves this host."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            with open(self._key_path, encoding="ascii") as file:
                key = bytes.fromhex(file.read(4 * KEY_BYTES))
            if len(key) == KEY_BYTES:
                return key
        key = secrets.token_bytes(KEY_BYTES)
        files.write_private(self._key_path, key.hex())
        return key

    def _clear(self, channel: Channel, actions: tuple[str, ...]) -> None:
        """Remove what is old, what a new message replaces, and of too many the oldest."""
        kept: list[tuple[float, str]] = []
        # A name with a dot in front is one that is being written.
        for path in (os.path.join(self._place, name) for name in os.listdir(self._place) if name[0] != "."):
            with contextlib.suppress(FileNotFoundError):
                age = self._now() - os.stat(path).st_mtime
                if age < KEEP_SECONDS if path.endswith(_TAKEN) else self._stands(path, channel, actions):
                    kept.append((age, path))
                else:
                    os.unlink(path)
        for _age, path in sorted(kept)[MOST - len(actions) :]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _stands(self, path: str, channel: Channel, actions: tuple[str, ...]) -> bool:
        """Whether an offer can be taken still, once *channel* is sent one for each of *actions*."""
        try:
            offer = self._read(path)
        except RefusedError:
            return False
        replaced = offer.place == place_of(channel) and offer.action in actions
        return not replaced and not self._over(offer)

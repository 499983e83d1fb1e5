"""The probe against any peer, on fake sockets and a fake clock."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import accounts, verdicts, wire
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import probe as probe_module

RESULT_BYTES = 200_000
MODES = st.sampled_from(["live", "paper", None])
ALLOWED = st.lists(st.sampled_from(["DU1234567", "U1234567", "DU7654321"]), max_size=2)

KINDS = st.sampled_from([4, 9, 15, 49, 5, 178, 200])
CODES = st.sampled_from([321, 326, 502, 1100, 1102, 1300, 2103, 2104, 2106, 2110, 2119, 2158, 10141, 10197])
FIELD = st.text(max_size=20) | st.integers().map(str) | st.sampled_from(["", "DU1234567", "U1,DU2", " DU1 ,", "9" * 41])
MESSAGES = st.one_of(
    st.tuples(st.sampled_from([157, 176, 178, 76, 225]), st.text(max_size=20)),
    st.tuples(st.just(4), st.just(2), st.just(-1), CODES, FIELD),
    st.tuples(st.sampled_from([9, 15, 49]), st.just(1), FIELD),
    st.tuples(KINDS, FIELD, FIELD, FIELD, FIELD),
    st.lists(FIELD, min_size=1, max_size=9).map(tuple),
).map(lambda fields: wire.message(*(str(field).encode("utf-8", "replace").decode() for field in fields)))
SESSION = [
    wire.message(178, "20261120 09:43:55 UTC"),
    wire.message(15, 1, "DU1234567"),
    wire.message(9, 1, 1),
    wire.message(4, 2, -1, 2104, "Market data farm connection is OK:usfarm"),
    wire.message(49, 1, 1_800_000_000),
]
# Further messages of a session: an empty list, another list, another id, a loss, a refusal, its end.
ASIDES = [
    wire.message(15, 1, ""),
    wire.message(15, 1, "DU1234567,DU7654321"),
    wire.message(15, 1, "U1234567"),
    wire.message(9, 1, 2),
    wire.message(76, "20261120 09:43:55 UTC"),
    wire.message(4, 2, -1, 2103, "Market data farm connection is broken:usfarm"),
    wire.message(4, 2, -1, 2106, "OK:ushmds"),
    wire.message(4, 2, -1, 2158, "OK:secdefil"),
    wire.message(4, 2, -1, 1100, "lost"),
    wire.message(4, 2, -1, 1300, "moved to 4009"),
    wire.message(4, 2, -1, 321, "Read-Only"),
    wire.message(4, 2, -1, 326, "in use"),
    bytes(4),
]
PARTS = st.lists(MESSAGES | st.sampled_from(SESSION) | st.binary(max_size=20), max_size=12).map(b"".join)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A session in any order with something else between, one that is cut and joined anywhere, or anything at all."""
    kind = draw(st.sampled_from(["session", "session", "cut", "anything"]))
    if kind == "anything":
        return draw(PARTS)
    if kind == "session":
        messages = list(SESSION) if draw(st.booleans()) else draw(st.permutations(SESSION))
        for aside in draw(st.lists(st.sampled_from(ASIDES) | MESSAGES, max_size=4)):
            messages.insert(draw(st.integers(0, len(messages))), aside)
        return b"".join(messages)
    stream = b"".join(SESSION)
    start = draw(st.integers(0, len(stream)))
    return stream[:start] + draw(PARTS) + stream[start + draw(st.integers(0, 20)) :]


class Peer:
    """Replace getaddrinfo and the sockets of a probe: *chunks* to read, then the end of the stream or silence."""

    def __init__(self, chunks: list[bytes], ends: bool, mute_ends: bool) -> None:
        self.scripts = iter([(chunks, ends), ([], mute_ends), ([], True)])

    def socket(self, *_arguments: Any) -> Peer:
        self.chunks, self.ends = next(self.scripts)
        self.chunks = list(self.chunks)
        return self

    def recv_into(self, buffer: memoryview) -> int:
        if not self.chunks:
            if self.ends:
                return 0
            raise TimeoutError
        piece = self.chunks.pop(0)[: len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def recv(self, size: int) -> bytes:
        piece = bytearray(size)
        return bytes(piece[: self.recv_into(memoryview(piece))])

    def do_nothing(self, *_arguments: Any) -> None:
        return

    settimeout = connect = setsockopt = sendall = shutdown = close = do_nothing


def ask(peer: Peer, mode: str | None, allowed: list[str]) -> dict[str, Any]:
    with mock.patch.object(probe_module.socket, "socket", peer.socket):
        clock = iter(range(10**9)).__next__
        return probe_module.probe(
            "127.0.0.1", 4002, mode=mode, accounts=allowed, timeout=1e9, clock=lambda: clock() * 1e-6, now=lambda: 1.8e9
        )


def cut(stream: bytes, sizes: Iterator[int]) -> list[bytes]:
    chunks = []
    while stream:
        size = next(sizes)
        chunks.append(stream[:size])
        stream = stream[size:]
    return chunks


IDS_IN_STREAMS = ("DU1234567", "DU7654321", "U1234567")
ACCOUNT_AS_NEXT_ID = b"".join([*SESSION[:2], wire.message(9, 1, "DU1234567")])


@given(streams(), st.booleans(), st.booleans(), st.lists(st.integers(1, 40), min_size=1), MODES, ALLOWED)
@example(ACCOUNT_AS_NEXT_ID, True, True, [9], "paper", [])
def test_a_probe_answers_whatever_comes_and_however_it_is_cut(
    stream: bytes, ends: bool, mute_ends: bool, sizes: list[int], mode: str | None, allowed: list[str]
) -> None:
    whole = ask(Peer([stream] if stream else [], ends, mute_ends), mode, allowed)
    rounds = (size for _round in range(10**6) for size in sizes)
    pieces = ask(Peer(cut(stream, rounds), ends, mute_ends), mode, allowed)
    assert {**whole, "timings": None} == {**pieces, "timings": None}
    assert verdicts.describe(whole["api_state"]).final == whole["final"]
    assert len(json.dumps(whole)) < RESULT_BYTES
    texts = [whole["reason"], whole["next_step"], *(notice["text"] for notice in whole["notices"])]
    assert all(text.isprintable() for text in texts)
    told = "".join([whole["reason"], *whole["accounts"], whole["account_fault"] or ""])
    assert not [each for each in IDS_IN_STREAMS if accounts.mask(each) in whole["accounts"] and each in told]


@pytest.mark.parametrize("ends", [False, True])
def test_every_aside_at_every_place_of_a_session_is_heard_alike(ends: bool) -> None:
    for first, second in itertools.product(ASIDES, repeat=2):
        for place in range(len(SESSION) + 1):
            messages = [*SESSION[:place], first, second, *SESSION[place:]]
            whole = ask(Peer([b"".join(messages)], ends, True), "paper", ["DU1234567"])
            pieces = ask(Peer(messages, ends, True), "paper", ["DU1234567"])
            assert {**whole, "timings": None} == {**pieces, "timings": None}


@given(streams(), st.lists(st.integers(1, 40), min_size=1))
def test_the_decoder_gives_the_same_messages_and_grows_no_further(stream: bytes, sizes: list[int]) -> None:
    limits = {"max_frame": 60, "max_bytes": 300, "max_frames": 5}
    whole, pieces = wire.Decoder(**limits), wire.Decoder(**limits)
    found = [(message.fields, b"".join(message.pieces())) for message in whole.feed(stream)]
    again = []
    for piece in cut(stream, (size for _round in range(10**6) for size in sizes)):
        again += [(message.fields, b"".join(message.pieces())) for message in pieces.feed(piece)]
        assert len(pieces._buffer) <= 64 + max(sizes)
    assert (found, whole.fault, whole.spent) == (again, pieces.fault, pieces.spent)
    assert len(found) <= 5


IDS = st.lists(st.text(max_size=12) | st.from_regex(r"(DU|DF|U|F|I)[0-9]{3,8}", fullmatch=True), max_size=30)


@given(IDS, MODES, ALLOWED, st.integers(1, 7))
def test_accounts_are_weighed_alike_in_parts_and_whole(
    ids: list[str], mode: str | None, allowed: list[str], size: int
) -> None:
    whole, parts = accounts.Check(mode, allowed), accounts.Check(mode, allowed)
    whole.take(ids)
    for start in range(0, len(ids), size):
        parts.take(ids[start : start + size])
    assert (whole.count, whole.first, whole.wrong, whole.deviation) == (
        parts.count,
        parts.first,
        parts.wrong,
        parts.deviation,
    )
    assert len(accounts.hide("".join(ids), whole.first)) <= 4 * accounts.SHOWN * (len("".join(ids)) + 1)
    for each in ids:
        fault = accounts.entry_fault(each, mode)
        assert fault is None or fault.isprintable()

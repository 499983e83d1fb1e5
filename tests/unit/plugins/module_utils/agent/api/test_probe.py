# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against scripted servers: every state, every hostile server, bounded in time."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import accounts, wire
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import probe as probe_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.probe import probe

HEALTHY = (
    (2104, "Market data farm connection is OK:usfarm.nj"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


def session(*notices: tuple[int, str], **start: Any) -> Any:
    """A server that starts the session, sends these notices and answers the time."""

    def behaviour(script: Any) -> None:
        script.start(**start)
        for notice in notices:
            script.notice(*notice)
        script.answer_time()
        script.stay()

    return behaviour


def silent(script: Any) -> None:
    script.stay()


def trickling(script: Any) -> None:
    script.hello()
    for _byte in range(1000):
        script.connection.sendall(b"\0")
        time.sleep(0.05)


def flooding(data: bytes) -> Any:
    def behaviour(script: Any) -> None:
        script.hello()
        for _block in range(1000):
            script.connection.sendall(data)

    return behaviour


def after_hello(data: bytes) -> Any:
    def behaviour(script: Any) -> None:
        script.hello()
        script.connection.sendall(data)
        script.stay()

    return behaviour


def test_a_ready_gateway(healthy_port: int) -> None:
    result = probe("127.0.0.1", healthy_port, mode="paper", accounts=["DU1234567"])
    assert result["api_state"] == "ready"
    assert not result["final"]
    assert result["server_version"] == 178
    assert result["connection_time"] == "20261120 09:43:55 Eastern European Time"
    assert result["accounts"] == ["DU***67"]
    assert result["account_count"] == 1
    assert result["next_valid_id"] == 1
    assert result["clock_skew"] < 5
    assert [notice["code"] for notice in result["notices"]] == [2104, 2106, 2158]
    assert list(result["timings"]) == ["connect", "handshake", "session", "current_time", "settle", "total"]


def test_what_is_sent_and_nothing_else(serve: Any) -> None:
    heard: list[Any] = []

    def behaviour(script: Any) -> None:
        heard.append(script.hello())
        script.send(178, "now")
        heard.append(script.expect())
        script.send(15, 1, "DU1234567")
        script.send(9, 1, 1)
        heard.append(script.expect())
        script.send(49, 1, 0)
        heard.append(script.read(1) if script.connection.recv(1) else "end of stream")

    probe("127.0.0.1", serve(behaviour), client_id=5, settle=0)
    assert heard == ["v157..178", ["71", "2", "5"], ["49", "1"], "end of stream"]


def test_the_client_id_is_free_when_the_probe_returns(serve: Any) -> None:
    closed: list[str] = []

    def behaviour(script: Any) -> None:
        script.start()
        script.answer_time()
        script.stay()
        time.sleep(0.1)
        closed.append("freed")

    probe("127.0.0.1", serve(behaviour), settle=0)
    assert closed == ["freed"]


def test_a_healthy_burst_and_silence_end_the_settling(healthy_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "SETTLE_SECONDS", 20.0)
    assert 30 <= probe("127.0.0.1", healthy_port, timeout=30)["timings"]["settle"] < 10_000


def test_a_settling_that_was_asked_for_is_kept(healthy_port: int) -> None:
    # It is counted from the session, while the time is asked for.
    timings = probe("127.0.0.1", healthy_port, settle=0.4)["timings"]
    assert timings["current_time"] + timings["settle"] >= 399


@pytest.mark.parametrize("settle", [None, 0.5])
def test_a_link_that_goes_just_after_the_healthy_burst_is_noticed(serve: Any, settle: float | None) -> None:
    def behaviour(script: Any) -> None:
        script.start()
        script.answer_time()
        for notice in HEALTHY:
            script.notice(*notice)
        time.sleep(0.01 if settle is None else 0.2)
        script.notice(1100, "Connectivity between IBKR and Trader Workstation has been lost.")
        script.stay()

    assert probe("127.0.0.1", serve(behaviour), settle=settle)["api_state"] == "link_down"


RESTORED = "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "


@pytest.mark.parametrize(
    ("text", "more", "detail"),
    [
        ("All data farms are connected: usfarm.nj; ushmds.", (), ""),
        ("The following farms are connected: ushmds. The following farms are not connected: usfarm.nj; cashfarm.", (),
         "data farm usfarm.nj is broken, data farm cashfarm is broken"),
        ("Farms not connected: usfarm.nj, cashfarm", ((2104, "OK:usfarm.nj"),), "data farm cashfarm is broken"),
        ("NOT CONNECTED: usfarm.nj", ((2104, "OK:usfarm.nj"),), ""),
        ("not connected", (), ""),
    ],
)  # fmt: skip
def test_farms_that_a_restored_link_leaves_out_are_broken(serve: Any, text: str, more: Any, detail: str) -> None:
    notices = (*HEALTHY, (1100, "lost"), (1102, RESTORED + text), *more)
    result = probe("127.0.0.1", serve(session(*notices)), settle=0.2)
    assert result["api_state"] == ("degraded" if detail else "ready")
    assert detail in result["reason"]


@pytest.mark.parametrize(
    ("ignored", "api_state"),
    [
        (["cashfarm"], "ready"),
        (["cashfarm.nj"], "ready"),
        (["usfarm"], "degraded"),
        (["cash"], "degraded"),
        ([], "degraded"),
    ],
)
def test_a_farm_that_nobody_needs_may_be_broken(serve: Any, ignored: list[str], api_state: str) -> None:
    port = serve(session(*HEALTHY, (2103, "broken:cashfarm.nj"), (1102, "Not connected: cashfarm.nj")))
    result = probe("127.0.0.1", port, ignored_farms=ignored, settle=0.2)
    assert result["api_state"] == api_state
    assert 2103 in [notice["code"] for notice in result["notices"]]


@pytest.mark.parametrize("next_id", [0, -1])
def test_an_order_id_below_one_is_none(serve: Any, next_id: int) -> None:
    result = probe("127.0.0.1", serve(session(*HEALTHY, next_id=next_id)))
    assert (result["api_state"], result["next_valid_id"]) == ("no_valid_id", next_id)
    assert f"it said {next_id}" in result["reason"]


@pytest.mark.parametrize(
    ("behaviour", "api_state", "detail"),
    [
        (lambda script: script.connection.shutdown(socket.SHUT_RDWR), "proxy_up_gateway_down", ""),
        (lambda script: script.hello(), "closed_before_handshake", ""),
        (lambda script: (script.hello(), script.reset()), "closed_before_handshake", ""),
        (lambda script: (script.hello(), script.notice(507, "Bad Message Length")), "rejected:507", ""),
        (silent, "no_handshake", ""),
        (trickling, "not_tws", "a frame of 0 bytes"),
        (after_hello(b"\0\0\0\1"), "no_handshake", ""),
        (after_hello(b"\0\0\0\x07version"), "not_tws", "'version'"),
        (after_hello(b"\0\0\0\x06abc\0x\0"), "not_tws", "'abc'"),
        (after_hello(b"\x7f\xff\xff\xff"), "not_tws", "2147483647"),
        (after_hello(b"\0\0\0\0"), "not_tws", "0 bytes"),
        (after_hello(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not_tws", "HTTP"),
        (flooding(bytes(65536)), "not_tws", "0 bytes"),
        (flooding(b"\0\x0f\xff\xff" + bytes(65532)), "not_tws", ""),
        (lambda script: (script.greet(76), script.stay()), "unsupported_version", "76"),
        (lambda script: (script.greet(225), script.stay()), "unsupported_version", "225"),
        (lambda script: (script.greet(), script.expect()), "closed_after_handshake", ""),
        (lambda script: (script.greet(), script.expect(), script.stay()), "no_accounts", ""),
        (
            lambda script: (
                script.greet(),
                script.expect(),
                script.send(15, 1, ""),
                script.send(9, 1, 1),
                script.stay(),
            ),
            "no_accounts",
            "",
        ),
        (
            lambda script: (script.greet(), script.expect(), script.send(15, 1, "DU1234567"), script.stay()),
            "no_valid_id",
            "",
        ),
        (lambda script: (script.greet(), script.expect(), script.notice(326), script.stay()), "rejected:326", ""),
        (lambda script: (script.greet(), script.expect(), script.notice(10141)), "rejected:10141", ""),
        (lambda script: (script.greet(), script.expect(), script.notice(502, "x")), "rejected:502", ""),
        (
            lambda script: (script.greet(), script.expect(), script.notice("abc"), script.stay()),
            "not_tws",
            "without a code",
        ),
        (lambda script: (script.greet(), script.expect(), script.send(4), script.stay()), "not_tws", "without a code"),
        (lambda script: (script.greet(), script.expect(), script.send("ab", 1), script.stay()), "not_tws", "'ab'"),
        (session(accounts=b"\xff\xfeDU"), "not_tws", "account id"),
        (session(next_id="none"), "not_tws", "order id 'none'"),
        (lambda script: (script.start(), script.answer_time("noon"), script.stay()), "not_tws", "time 'noon'"),
        (lambda script: (script.start(), script.stay()), "unresponsive", ""),
        (lambda script: (script.start(), script.expect()), "closed_after_handshake", ""),
        (lambda script: (script.start(), script.notice(1300, "moved to 4009"), script.expect()), "port_moved", "4009"),
        (session((1300, "moved to 4009"), (1102, "restored")), "port_moved", "4009"),
        (lambda script: (script.start(), script.answer_time(), time.sleep(0.05)), "closed_after_handshake", ""),
        (session((2110, "broken")), "link_down", "2110"),
        (session((1100, "lost"), *HEALTHY), "link_down", "1100"),
        (session((1100, "lost"), (1102, "restored")), "ready", ""),
        (session((2110, "broken"), (1101, "restored"), *HEALTHY), "ready", ""),
        (
            session((2103, "Market data farm connection is broken:usfarm")),
            "degraded",
            "market data farm usfarm is broken",
        ),
        (session((2105, "HMDS data farm connection is broken:ushmds")), "degraded", "historical data farm ushmds"),
        (session((2157, "Sec-def data farm connection is broken:secdefil")), "degraded", "definition farm secdefil"),
        (session((2103, "x:usfarm"), (2104, "x:usfarm")), "ready", ""),
        (session((2103, "x:usfarm"), (2104, "x:eufarm")), "degraded", "usfarm"),
        (session((2103, "x:usfarm"), (2119, "x:usfarm")), "degraded", "usfarm"),
        (session((2103, "x:usfarm"), (2108, "inactive but available upon demand.usfarm")), "ready", ""),
        (session((2119, "x:usfarm"), (2107, "inactive.ushmds")), "ready", ""),
        (session((10197, "competing")), "degraded", "10197"),
        (session((321, "whatever")), "ready", ""),
        (session(accounts="U1234567"), "wrong_account", "U***67"),
        (session(accounts="DU1234567,"), "ready", ""),
        (session(accounts=" DU1234567 , DU.12-34_5 "), "ready", ""),
        (session(accounts="DU1234567;DU2"), "not_tws", "account id"),
        (session(accounts="D" * 41), "not_tws", "account id"),
        (session(next_id="9" * 40), "ready", ""),
        (session(next_id="9" * 41), "not_tws", "order id"),
        (session(*[(2104, f"OK:{n}") for n in range(3000)]), "ready", ""),
        (session((2103, "broken:usfarm"), *[(2104, f"OK:{n}") for n in range(3000)]), "degraded", "farm usfarm"),
        (session(*[(2104, f"OK:{n}") for n in range(3000)], (2103, "broken:usfarm")), "degraded", "farm others"),
        (
            lambda script: (
                script.hello(),
                script.notice(2104, "early"),
                script.send(178, "t"),
                script.expect(),
                script.send(5, "an order of somebody"),
                script.send(9, 1, 1),
                script.send(15, 1, "DU1234567"),
                script.answer_time(),
                script.stay(),
            ),
            "ready",
            "",
        ),
        # an empty list takes nothing back
        (
            lambda script: (
                script.start(),
                script.send(15, 1, ""),
                script.answer_time(),
                script.stay(),
            ),
            "ready",
            "",
        ),
        (session(version=157), "ready", ""),
    ],
)
def test_states(serve: Any, behaviour: Any, api_state: str, detail: str) -> None:
    started = time.monotonic()
    result = probe("127.0.0.1", serve(behaviour), mode="paper", timeout=0.4, settle=0.1)
    assert (result["api_state"], detail in result["reason"]) == (api_state, True), result["reason"]
    assert time.monotonic() - started < 0.4 + 0.25 + 0.5 + 1.0
    assert "total" in result["timings"]
    assert "1234567" not in str(result)


def test_port_closed(closed_port: int) -> None:
    assert probe("127.0.0.1", closed_port)["api_state"] == "port_closed"


def test_a_backlog_that_is_full_is_a_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _n in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        assert probe("127.0.0.1", listener.getsockname()[1], timeout=0.4)["api_state"] == "tcp_timeout"
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    "host",
    [
        "256.256.256.256",
        "no.such.host.invalid",
        "a" * 300,
        "nul\0",
        "",
        "ß" * 70,
        "300::1::",
    ],
)
def test_a_host_that_is_none_is_unreachable(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = probe_module.socket.getaddrinfo

    def numeric_only(name: Any, port: Any, **options: Any) -> Any:  # the machine's resolver is not under test
        return real(name, port, flags=socket.AI_NUMERICHOST, **options)

    monkeypatch.setattr(probe_module.socket, "getaddrinfo", numeric_only)
    assert probe(host, 4002, timeout=0.5)["api_state"] == "unreachable"


def test_a_port_that_is_none_is_unreachable() -> None:
    assert probe("127.0.0.1", 70000)["api_state"] in ("unreachable", "port_closed")


def addresses(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int]) -> None:
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in found]
    monkeypatch.setattr(probe_module.socket, "getaddrinfo", lambda *_a, **_k: rows)


def test_the_second_address_of_a_host_is_tried(healthy_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, ("127.0.0.1", 1), ("127.0.0.1", healthy_port))
    assert probe("two.example", 1)["api_state"] == "ready"


class Sockets:
    """Sockets on a clock of their own: port 1 never answers, port 2 refuses, port 3 has no route."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 100.0
        self.tried: list[tuple[int, float]] = []
        world = self

        class Timed(probe_module.socket.socket):
            def settimeout(self, seconds: float | None) -> None:
                self.patience = seconds or 0.0
                super().settimeout(seconds)

            def connect(self, address: Any) -> None:
                world.tried.append((address[1], round(self.patience, 3)))
                if address[1] == 1:
                    world.time += self.patience
                    raise TimeoutError("timed out")
                raise {2: ConnectionRefusedError(111, "refused"), 3: OSError(113, "no route")}[address[1]]

        monkeypatch.setattr(probe_module.socket, "socket", Timed)

    def clock(self) -> float:
        return self.time


@pytest.mark.parametrize(
    ("ports", "tried", "api_state"),
    [
        ([1], [(1, 2.0)], "tcp_timeout"),
        ([1, 2], [(1, 1.0), (2, 1.0)], "port_closed"),
        ([2, 1], [(2, 1.0), (1, 2.0)], "tcp_timeout"),
        ([3, 3, 1], [(3, 0.667), (3, 1.0), (1, 2.0)], "tcp_timeout"),
        ([1, 3], [(1, 1.0), (3, 1.0)], "unreachable"),
        # of very many each gets a quarter of a second, as long as there is time
        ([1] * 100, [(1, 0.25)] * 8, "tcp_timeout"),
    ],
)
def test_the_addresses_of_a_name_share_the_time(
    monkeypatch: pytest.MonkeyPatch, ports: list[int], tried: list[tuple[int, float]], api_state: str
) -> None:
    addresses(monkeypatch, *(("127.0.0.1", port) for port in ports))
    sockets = Sockets(monkeypatch)
    assert probe("many.example", 1, timeout=2, clock=sockets.clock)["api_state"] == api_state
    assert sockets.tried == tried


def test_a_resolver_that_is_dead_does_not_hold_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(probe_module.socket, "getaddrinfo", lambda *_a, **_k: released.wait(30) and [])
    started = time.monotonic()
    result = probe("dead.example", 4002, timeout=0.3)
    released.set()
    assert (result["api_state"], result["final"]) == ("unreachable", False)
    assert "dead.example did not resolve" in result["reason"]
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(("host", "threads"), [("127.0.0.1", 0), ("::1", 0), ("localhost", 1)])
def test_only_a_name_costs_a_thread(monkeypatch: pytest.MonkeyPatch, closed_port: int, host: str, threads: int) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(probe_module._thread, "start_new_thread", lambda work, _a: (begun.append(work), work()))
    assert probe(host, closed_port, timeout=1)["api_state"] in ("port_closed", "unreachable")
    assert len(begun) == threads


@pytest.mark.parametrize(
    ("error", "api_state"),
    [
        (ConnectionResetError(104, "reset"), "closed_before_handshake"),
        (OSError(113, "no route"), "unreachable"),
        (OSError(110, "timed out"), "tcp_timeout"),
        (PermissionError(1, "filtered"), "unreachable"),
    ],
)
def test_errors_of_connect(error: OSError, api_state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unlucky(probe_module.socket.socket):
        def connect(self, _address: Any) -> None:
            raise error

    monkeypatch.setattr(probe_module.socket, "socket", Unlucky)
    assert probe("127.0.0.1", 4002)["api_state"] == api_state


def test_the_mute_connect_meets_a_port_that_closed_meanwhile(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class OnlyOnce(probe_module.socket.socket):
        connects = 0

        def connect(self, address: Any) -> None:
            type(self).connects += 1
            if self.connects > 1:
                raise ConnectionRefusedError
            super().connect(address)

    port = serve(lambda script: script.hello())
    monkeypatch.setattr(probe_module.socket, "socket", OnlyOnce)
    assert probe("127.0.0.1", port)["api_state"] == "port_closed"


def test_a_trickling_server_cannot_move_the_deadline(serve: Any) -> None:
    def behaviour(script: Any) -> None:
        script.hello()
        for byte in b"\0\0\0\x0f178\0" + b"t" * 50:
            script.connection.sendall(bytes((byte,)))
            time.sleep(0.05)

    started = time.monotonic()
    assert probe("127.0.0.1", serve(behaviour), timeout=0.4)["api_state"] == "no_handshake"
    assert time.monotonic() - started < 2


def test_endless_notices_are_cut_off(serve: Any) -> None:
    """They are counted and folded; a session that they bury is judged as one that did not start in time."""

    def behaviour(script: Any) -> None:
        script.greet()
        for _block in range(1000):
            script.connection.sendall(wire.message(4, 2, -1, 2104, "Market data farm connection is OK:usfarm") * 100)

    result = probe("127.0.0.1", serve(behaviour), timeout=5)
    assert (result["api_state"], result["final"]) == ("no_accounts", False)
    assert result["timings"]["total"] < 4000
    assert len(result["notices"]) == 1
    assert result["notice_count"] == wire.MAX_FRAMES - 1


@pytest.mark.parametrize(
    ("code", "text", "read_only"),
    [
        (321, "Error validating request.-'cr' : cause - The API interface is currently in Read-Only mode.", True),
        (321, "missing exchange", None),
        (2104, "Read-Only:usfarm", None),
    ],
)
def test_a_read_only_api(serve: Any, code: int, text: str, read_only: bool | None) -> None:
    result = probe("127.0.0.1", serve(session((code, text), *HEALTHY)))
    assert (result["api_state"], result["read_only"]) == ("ready", read_only)


@pytest.mark.parametrize(
    ("served", "api_state"),
    [
        ("DU1234567,DU7654321", "ready"),
        ("DU1234567,DU7654321,DU1111199", "degraded"),
        ("DU1234567", "degraded"),
        ("DU1111199", "wrong_account"),
        ("DU1234567,DU7654321,U1234567", "wrong_account"),
    ],
)
def test_allowed_accounts(serve: Any, served: str, api_state: str) -> None:
    port = serve(session(*HEALTHY, accounts=served))
    result = probe("127.0.0.1", port, mode="paper", accounts=["DU1234567", "DU7654321"])
    assert (result["api_state"], result["account_fault"] is None) == (api_state, api_state == "ready")
    assert ("gateway_accounts" in result["next_step"]) == (api_state == "degraded")
    assert "7654321" not in str(result)


def test_every_trouble_of_a_session_is_named(serve: Any) -> None:
    said = session((10197, "competing"), (2103, "broken:usfarm"), accounts="DU1234567,DU1111199")
    result = probe("127.0.0.1", serve(said), mode="paper", accounts=["DU1234567"])
    assert result["api_state"] == "degraded"
    assert all(part in result["reason"] for part in ("DU***99", "10197", "usfarm"))


def test_a_thousand_accounts_are_shown_in_part(serve: Any) -> None:
    ids = ",".join(f"DU{n:07}" for n in range(1000))
    result = probe("127.0.0.1", serve(session(*HEALTHY, accounts=ids)), mode="paper")
    assert result["api_state"] == "ready"
    assert result["account_count"] == 1000
    assert len(result["accounts"]) == 20


def test_texts_are_made_printable_and_masked(serve: Any) -> None:
    result = probe("127.0.0.1", serve(session((2104, "\x1b[2J DU1234567:farm\n"))), settle=0)
    assert result["notices"] == [{"code": 2104, "text": "\\x1b[2J DU***67:farm\\n"}]


fields = st.text() | st.sampled_from(["4", "9", "15", "49", "178", "1300", "2103", "321"])


@given(st.lists(st.lists(fields, min_size=1, max_size=7), max_size=9))
def test_no_message_raises_anything_but_a_verdict(messages: list[list[str]]) -> None:
    check = accounts.Check("paper")
    attempt = probe_module._Attempt("h", 1, 1, check, frozenset(), 1, 0, time.monotonic, time.time)
    stream = b"".join(wire.message(*(field.encode("utf-8", "replace").decode() for field in each)) for each in messages)
    try:
        for message in wire.Decoder().feed(stream):
            attempt._take(message)
        attempt._judge()
    except probe_module._Verdict as verdict:
        attempt.result(verdict.api_state, verdict.detail)


def test_ibkrs_announcement_that_a_release_ends_leaves_it_ready(serve: Any) -> None:
    text = "The version of DU1234567 you are running, 1045.1, \x1b[2Jwill be desupported on 20261215." + "x" * 900
    result = probe("127.0.0.1", serve(session(*HEALTHY, (2172, text))), settle=0.3)
    assert (result["api_state"], result["notices"][-1]["code"]) == ("ready", 2172)
    assert result["release_notice"].startswith("The version of DU***67 you are running, 1045.1, \\x1b[2Jwill be desupp")
    assert len(result["release_notice"]) <= 400

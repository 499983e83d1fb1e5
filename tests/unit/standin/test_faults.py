# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault as a client sees it, and faults that begin and end while it watches."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from ibgw_standin import faults
from ibgw_standin.control import ControlError
from ibgw_standin.testing import Running, relay, running

Dial = Callable[..., "object"]
SILENT = 0.15
"""Long enough to call a server on this machine silent, which otherwise answers within a few milliseconds."""

WINDOWS = [name for name, fault in faults.FAULTS.items() if fault.layer == "window"]
LOGIN = [name for name, fault in faults.FAULTS.items() if fault.layer == "login"]

# The bare client's report, see look(): how it ended, the codes of errors, and other observations.
EXPECTED = {
    **dict.fromkeys(LOGIN, "refused"),
    **dict.fromkeys(WINDOWS, "178 accounts=DU1234567 id=1 2104 2104 2106 2158 time"),
    "closed_on_accept": "end",
    "reset_on_accept": "reset",
    "too_many_clients": "end",
    "hung_api": "silence",
    "silent": "silence",
    "closed_after_hello": "end",
    "reset_after_hello": "reset",
    "version_then_silent": "178 silence",
    "garbage": "frame of 2948709402",
    "http": "frame of 1213486160",
    "huge_length": "frame of 2147483647",
    "huge_stream": "frame of 2147483647",
    "zero_frames": "frame of 0",
    "trickle": "silence",
    "non_numeric_version": "abc",
    "old_version": "76",
    "ignores_client_max": "225",
    "disclaimer": "178 10141 end",
    "client_id_in_use": "178 326 end",
    "no_accounts": "178 id=1 2104 2104 2106 2158 time",
    "empty_accounts": "178 accounts= id=1 2104 2104 2106 2158 time",
    "no_valid_id": "178 accounts=DU1234567 2104 2104 2106 2158 time",
    "bad_utf8_accounts": "178 accounts=\ufffd\ufffdDU\ufffd id=none 2104 2104 2106 2158 time",
    "endless_notices": "178 2104 2104 2104 2104 2104 2104 2104 2104",
    "unresponsive": "178 accounts=DU1234567 id=1 silence",
    "closes_during_sync": "178 accounts=DU1234567 id=1 end",
    "port_reset": "178 accounts=DU1234567 id=1 1300 end",
    "slow": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 time",
    "notice_before_version": "2104 178 accounts=DU1234567 id=1 2104 2104 2106 2158 time",
    "link_down": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 2110 time",
    "link_lost": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 1100 time",
    "farm_broken": "178 accounts=DU1234567 id=1 2103 2104 2106 2158 time",
    "hmds_broken": "178 accounts=DU1234567 id=1 2104 2104 2105 2158 time",
    "secdef_broken": "178 accounts=DU1234567 id=1 2104 2104 2106 2157 time",
    "read_only": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 time",
    "competing_session": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 10197 time",
    "desupport_notice": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 2172 time",
    "wrong_account_prefix": "178 accounts=U1234567 id=1 2104 2104 2106 2158 time",
    "link_restored": "178 accounts=DU1234567 id=1 2104 2104 2106 2158 time",
}
ARGS: dict[str, dict[str, object]] = {
    "slow": {"seconds": 0.02},
    "link_lost": {"delay": 0.0},
    "competing_session": {"announce": True},
}


ENDS: dict[type[Exception], str] = {
    ConnectionRefusedError: "refused",
    ConnectionResetError: "reset",
    TimeoutError: "silence",
    EOFError: "end",
}


def look(dial: Callable[..., object], gateway: Running, expected: str = "") -> str:
    """Go as far as the server lets a client and report what there was to see, in order.

    Where silence is expected next it is waited for shortly, everything else as long as it takes.
    """
    seen: list[str] = []
    peer = None

    def expect() -> None:
        peer.socket.settimeout(SILENT if " ".join([*seen, "silence"]) == expected else 5.0)

    try:
        peer = dial(gateway)
        expect()
        peer.socket.sendall(b"API\0\0\0\0\x09v157..178")
        size = int.from_bytes(peer.read(4))
        if not 0 < size < 10_000:
            return f"frame of {size}"
        first = peer.read(size).decode().split("\0")
        if first[0] == "4":
            seen.append(first[3])
            first = peer.texts()
        seen.append(first[0])
        if first[0] != "178":
            return " ".join(seen)
        peer.start()
        while len(seen) < 9:
            expect()
            fields = peer.texts()
            match fields[0]:
                case "15":
                    seen.append(f"accounts={fields[2]}")
                case "9":
                    seen.append(f"id={fields[2]}")
                case "4":
                    seen.append(fields[3])
            if seen[-1] == expected.split()[-2] if expected.endswith("time") else seen[-1] == "2158":
                peer.ask(49, 1)
                seen.append("time" if peer.until(49) else "")
                break
    except tuple(ENDS) as error:
        seen.append(ENDS[type(error)])
    finally:
        if peer is not None:
            peer.close()
    return " ".join(seen)


def test_every_fault_has_an_expectation() -> None:
    assert set(EXPECTED) == set(faults.FAULTS)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_client_sees(dial: Dial, gateway: Running, name: str) -> None:
    gateway.set_fault(name, **ARGS.get(name, {}))
    assert look(dial, gateway, EXPECTED[name]) == EXPECTED[name]
    gateway.set_fault(None)
    assert look(dial, gateway).endswith("2158 time")


@pytest.mark.parametrize("name", [fault.name for fault in faults.FAULTS.values() if fault.blocks])
def test_a_fault_that_blocks_takes_the_usable_stamp(gateway: Running, name: str) -> None:
    assert gateway.status()["api_usable_at"] <= time.time()
    gateway.set_fault(name)
    assert gateway.status()["api_usable_at"] is None
    before = time.time()
    gateway.set_fault(None)
    assert before <= gateway.status()["api_usable_at"] <= time.time()


@pytest.mark.parametrize(
    ("name", "args", "size"), [("huge_stream", {"bytes": 5000}, 5004), ("zero_frames", {"bytes": 4000}, 4000)]
)
def test_a_flood_has_a_budget(dial: Dial, gateway: Running, name: str, args: dict[str, int], size: int) -> None:
    gateway.set_fault(name, **args)
    peer = dial(gateway)
    peer.socket.sendall(b"API\0\0\0\0\x09v157..178")
    assert len(peer.read(size)) == size
    with pytest.raises(EOFError):
        peer.read(1)


def session(dial: Dial, gateway: Running, client_id: int = 7) -> object:
    peer = dial(gateway)
    peer.hello()
    peer.start(client_id)
    peer.until(4, 2158)
    return peer


def test_a_session_hears_the_link_go_and_come(dial: Dial, gateway: Running) -> None:
    peer = session(dial, gateway)
    gateway.set_fault("link_down", repeat=0.01)
    assert [fields[3] for fields in (peer.texts(), peer.texts())] == ["1100", "1100"]
    gateway.control({"cmd": "fault", "name": "link_restored", "args": {"data_lost": True}})
    peer.until(4, 1101)
    gateway.set_fault("link_lost")
    peer.until(4, 1100)
    gateway.set_fault(None)
    peer.until(4, 1102)


def test_a_session_hears_of_a_new_login(dial: Dial, gateway: Running) -> None:
    peer = session(dial, gateway)
    gateway.control({"cmd": "relogin", "seconds": 0.01})
    assert [fields[3] for fields in (peer.texts(), peer.texts())] == ["1100", "1102"]
    assert gateway.status()["faults"] == {}


def test_a_session_hears_a_farm_break_and_heal(dial: Dial, gateway: Running) -> None:
    peer = session(dial, gateway)
    gateway.set_fault("farm_broken", farm="eufarm")
    assert peer.texts()[3:5] == ["2103", "Market data farm connection is broken:eufarm"]
    gateway.set_fault(None)
    assert peer.texts()[3] == "2104"


def test_a_frozen_api_answers_when_it_thaws(dial: Dial, gateway: Running) -> None:
    peer = session(dial, gateway)
    gateway.set_fault("hung_api")
    peer.ask(49, 1)
    peer.socket.settimeout(SILENT)
    with pytest.raises(TimeoutError):
        peer.texts()
    gateway.set_fault(None)
    peer.socket.settimeout(5)
    peer.until(49)


def test_a_stopped_process_accepts_and_says_nothing(dial: Dial, gateway: Running) -> None:
    gateway.freeze()
    try:
        assert look(dial, gateway, "silence") == "silence"
    finally:
        gateway.thaw()


def test_closing_the_port_ends_the_sessions_and_keeps_the_number(dial: Dial, gateway: Running) -> None:
    peer = session(dial, gateway)
    gateway.control({"cmd": "phase", "name": "P1"})
    with pytest.raises(EOFError):
        peer.texts()
    assert look(dial, gateway) == "refused"
    gateway.control({"cmd": "phase", "name": "P13"})
    assert look(dial, gateway).endswith("time")


def test_a_restart_asks_for_the_disclaimer_again(dial: Dial, gateway: Running) -> None:
    peer = session(dial, gateway)
    gateway.control({"cmd": "restart", "seconds": 0.05, "disclaimer_seconds": 1.0})
    with pytest.raises(EOFError):
        peer.texts()
    seen = []
    while not seen or not seen[-1].endswith("time"):
        seen.append(look(dial, gateway))
    assert "178 10141 end" in seen


def test_a_client_id_is_taken_once_and_freed_by_a_polite_close(dial: Dial, gateway: Running) -> None:
    first, second = session(dial, gateway), dial(gateway)
    second.hello()
    second.start()
    assert second.texts()[3] == "326"
    with pytest.raises(EOFError):
        second.texts()
    assert gateway.status()["clients"] == [7]
    for _ in range(20):
        first.close()
        first = session(dial, gateway)


def test_client_ids_can_be_taken_by_name(dial: Dial, gateway: Running) -> None:
    gateway.set_fault("client_id_in_use", ids=[7])
    session(dial, gateway, client_id=8)
    assert look(dial, gateway) == "178 326 end"


def test_there_are_32_clients(dial: Dial, gateway: Running) -> None:
    for number in range(32):
        session(dial, gateway, client_id=100 + number)
    assert look(dial, gateway) in ("end", "reset")


def test_read_only_refuses_orders_and_shows_a_dialog(dial: Dial, gateway: Running) -> None:
    gateway.set_fault("read_only")
    peer = session(dial, gateway)
    for request in ((3, 1), (4, 1, 1), (5, 1), (15, 1, 1), (16, 1), (58, 1), (99, 0)):
        peer.ask(*request)
        fields = peer.texts()
        assert fields[2:4] == ["-1", "321"]
        assert "Read-Only mode" in fields[4]
    assert gateway.status()["dialog_shown"] == 7
    peer.ask(49, 1)
    assert peer.texts()[0] == "49"


def test_competing_session_concerns_market_data_only(dial: Dial, gateway: Running) -> None:
    gateway.set_fault("competing_session")
    peer = session(dial, gateway)
    peer.ask(1, 11, 5, 265598, "AAPL", "STK")
    assert peer.texts()[2:4] == ["5", "10197"]
    peer.ask(9, 8, 6, 265598)
    assert peer.texts()[0] == "10"


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ((250, 1), "320"),
        ((9, 8, 3, 0, "NOPE", "STK"), "200"),
        ((3, 44, 0, "AAPL"), "201"),
        ((1, 11, 5, 265598), "354"),
        ((15, 1, 1), "327"),
    ],
)
def test_a_request_that_fails(dial: Dial, gateway: Running, request_fields: tuple[object, ...], code: str) -> None:
    peer = session(dial, gateway)
    peer.ask(*request_fields)
    assert peer.texts()[3] == code


def test_an_update_of_the_settings_is_refused(dial: Dial, gateway: Running) -> None:
    peer = dial(gateway)
    assert peer.hello(b"v100..225")[0] == "225"
    peer.send(bytes.fromhex("0000010f0807"))
    peer.send((309).to_bytes(4) + b"\x08\x05")
    while True:
        frame = peer.frame()
        if frame[:4] == (311).to_bytes(4):
            break
    assert b"\x12\x05error" in frame


def test_the_log_tells_who_asked_what(dial: Dial, gateway: Running) -> None:
    session(dial, gateway, client_id=917).ask(61, 1)
    names: list[str] = []
    while "reqPositions" not in names:
        names = [line["request"] for line in gateway.requests()]
    assert names == ["hello", "startApi", "reqPositions"]
    assert gateway.requests()[-1] | {"client_id": 917, "form": "text"} == gateway.requests()[-1]


def test_garbage_from_a_client_closes_its_connection_only(dial: Dial, gateway: Running) -> None:
    peer, other = session(dial, gateway), session(dial, gateway, client_id=8)
    peer.send(b"no number\0")
    with pytest.raises(EOFError):
        peer.texts()
    other.ask(49, 1)
    assert other.texts()[0] == "49"


def test_a_client_that_is_too_new_is_refused(dial: Dial, gateway: Running) -> None:
    gateway.control({"cmd": "set", "max_version": 157})
    with pytest.raises(EOFError):
        dial(gateway).hello(b"v213..225")


def test_faults_replace_each_other_unless_added(gateway: Running) -> None:
    gateway.set_fault("read_only")
    gateway.set_fault("farm_broken")
    assert list(gateway.status()["faults"]) == ["farm_broken"]
    gateway.control({"cmd": "fault", "name": "read_only", "add": True})
    assert list(gateway.status()["faults"]) == ["farm_broken", "read_only"]
    gateway.control({"cmd": "clear", "name": "farm_broken"})
    assert list(gateway.status()["faults"]) == ["read_only"]


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        ({"cmd": "fault", "name": "nope"}, "no fault is called 'nope'"),
        ({"cmd": "fault"}, "name"),
        ({"cmd": "nope"}, "status"),
        ({"cmd": "set", "max_version": 300}, "157..225"),
    ],
)
def test_a_bad_command_is_told_so(gateway: Running, request_fields: dict[str, object], words: str) -> None:
    with pytest.raises(ControlError, match=words.replace(".", r"\.")):
        gateway.control(request_fields)


def test_phases_have_names() -> None:
    assert [fault.phase for fault in faults.FAULTS.values() if fault.phase == "P9"] == ["P9"]
    assert {fault.phase for fault in faults.FAULTS.values()} >= {f"P{number}" for number in range(1, 13)}


def test_a_live_gateway_has_live_accounts(dial: Dial) -> None:
    with running(
        "live", fault=["read_only", "farm_broken"], max_version=178, extra=["--time-zone=Europe/Zurich"]
    ) as live:
        peer = dial(live)
        assert peer.hello()[1].endswith(("CET", "CEST"))
        peer.start()
        assert peer.texts()[2] == "U1234567"
        assert live.status()["read_only"]


def test_the_relay_hides_what_is_behind_it(gateway: Running) -> None:
    with relay(gateway.port) as port:
        for name in ("port_closed", "closed_on_accept", "reset_on_accept", "reset_after_hello"):
            gateway.set_fault(name)
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(b"API\0\0\0\0\x09v157..178")
                assert client.recv(100) == b""
        gateway.set_fault(None)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"API\0\0\0\0\x09v157..178")
            assert client.recv(100)[4:7] == b"178"

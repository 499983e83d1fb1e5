"""Each state of the Client Portal Gateway is told apart from the others, against the stand-in over TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest
from sandbox.client_portal import standin

from ansible_collections.ibops.gateway.plugins.module_utils.agent import websocket
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import client

pytestmark = pytest.mark.thorough


def endpoint(port: int, timeout: float = 5.0) -> client.Endpoint:
    return client.Endpoint("127.0.0.1", port, client.context_for("127.0.0.1", None), timeout)


@pytest.mark.parametrize(
    ("fault", "found", "reason"),
    [
        ("", "ready", "API and websocket answer"),
        ("unauthenticated", "unauthenticated", "nobody is signed in, or the sign-in has expired"),
        ("competing", "competing", "in another session"),
        ("no_brokerage", "connected", "without a brokerage session: no bridge"),
        ("link_lost", "connected", "lost its link"),
        ("no_accounts", "connected", "names no accounts"),
        ("no_websocket", "connected", "'HTTP/1.1 400 Bad Request' in place of a websocket"),
        ("websocket_mute", "connected", "does not answer in time"),
        ("websocket_unauthenticated", "connected", "its session is not authenticated"),
        ("access_denied", "down", "it refuses this address (HTTP 403"),
        ("busy", "down", "limit of requests is exceeded (HTTP 429"),
        ("server_error", "down", "servers behind it do not answer (HTTP 503"),
        ("other", "down", "not a Client Portal Gateway"),
    ],
)
def test_each_state_is_told_apart(
    portal_state: standin.State, portal_port: int, fault: str, found: str, reason: str
) -> None:
    portal_state.faults = {fault}
    verdict = client.Portal(endpoint(portal_port, 1.0 if fault == "websocket_mute" else 5.0), "paper").look()
    assert (verdict.state, reason in verdict.reason) == (found, True), verdict
    assert verdict.next_step.endswith(".")
    assert verdict.final is (fault == "other")


def test_without_the_websocket_it_is_not_asked(portal_state: standin.State, portal_port: int) -> None:
    portal_state.faults = {"no_websocket"}
    assert client.Portal(endpoint(portal_port), "paper", streams=False).look().state == "ready"
    assert "GET /ws" not in portal_state.requests


@pytest.mark.parametrize(
    ("mode", "allowed", "said"),
    [
        ("live", [], "is not a live account"),
        ("paper", ["DU7654321"], "not among the 1 allowed"),
        ("paper", ["DU1234567", "DU7654321"], "DU***21"),
        (None, [], None),
    ],
)
def test_the_accounts_have_to_fit(portal_port: int, mode: str | None, allowed: list[str], said: str | None) -> None:
    verdict = client.Portal(endpoint(portal_port), mode, allowed).look()
    wrong = said is not None and "DU1234567" not in allowed
    assert (verdict.state, verdict.final) == ("connected" if said else "ready", wrong)
    assert (said or "") in verdict.reason
    assert "DU1234567" not in verdict.reason


def test_a_session_dies_without_a_tickle_and_lives_with_it(portal_state: standin.State, portal_port: int) -> None:
    portal_state.asked_at -= 359
    assert client.tickle(endpoint(portal_port)).body["iserver"]["authStatus"]["authenticated"]
    portal_state.asked_at -= 361
    assert client.tickle(endpoint(portal_port)).status == 401
    assert client.Portal(endpoint(portal_port)).look().state == "unauthenticated"


def test_single_sign_on_is_asked_for_once_a_minute(portal_state: standin.State, portal_port: int) -> None:
    portal_state.faults = {"no_brokerage"}
    gateway = client.Portal(endpoint(portal_port))
    assert [gateway.look().state for _each in range(3)] == ["connected"] * 3
    assert portal_state.requests.count("GET /sso/validate") == 1


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    verdict = client.Portal(endpoint(port)).look()
    assert (verdict.state, verdict.reason, verdict.final) == ("down", "nothing listens on the port", False)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_something_else_listens(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _address = server.accept()
            with connection:
                connection.sendall(answer)
                connection.recv(4096)

        thread = threading.Thread(target=speak)
        thread.start()
        verdict = client.Portal(endpoint(server.getsockname()[1])).look()
        thread.join()
    assert (verdict.state, verdict.reason, verdict.final) == ("down", "what answers there does not speak HTTPS", True)


def test_another_authority(portal_port: int) -> None:
    context = client.context_for("127.0.0.1", None)
    context.verify_mode = ssl.CERT_REQUIRED
    verdict = client.Portal(client.Endpoint("127.0.0.1", portal_port, context)).look()
    assert (verdict.state, verdict.final) == ("down", True)
    assert "its certificate is not signed by the CA" in verdict.reason


def test_a_certificate_is_not_checked_on_the_loopback_only() -> None:
    for host in ("localhost", "127.0.0.1", "::1"):
        assert client.context_for(host, None).verify_mode == ssl.CERT_NONE
    with pytest.raises(ValueError, match=r"10\.0\.0\.5 is not the loopback"):
        client.context_for("10.0.0.5", None)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "in place of a websocket"),
        (b"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: bm8=\r\n\r\n", "does not prove"),
        (None, "closes the connection"),
        (b"\x81\x85abcd", "no server may send"),
        (b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "no server may send"),
        (b"\x01\x7f" + (2**20).to_bytes(8, "big") + bytes(2**20) + b"\x80\x01x", "a message without end"),
    ],
)
def test_a_websocket_that_is_none(sent: bytes | None, said: str) -> None:
    ours, theirs = socket.socketpair()

    def speak() -> None:
        with theirs:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += theirs.recv(4096)
            key = request.partition(b"Sec-WebSocket-Key: ")[2].split()[0]
            upgrade = b"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: " + websocket.accept_of(key) + b"\r\n\r\n"
            whole = sent is not None and (not sent or sent.startswith(b"HTTP"))
            theirs.sendall((b"" if whole else upgrade) + (sent or b""))

    thread = threading.Thread(target=speak)
    thread.start()
    with ours, pytest.raises(websocket.WebsocketError, match=said):
        list(websocket.messages(ours, "x", "/", {}))
    thread.join()


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a": NaN}', b"[1]", b"\xff", b"{"])
def test_an_answer_of_any_kind_is_no_object(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(client.bounded_http, "request", lambda *_arguments: (200, body))
    assert client.ask(endpoint(5000), "GET", "/tickle") == client.Answer(200, {})


def test_a_look_has_one_deadline(
    monkeypatch: pytest.MonkeyPatch, portal_state: standin.State, portal_port: int
) -> None:
    asked: list[float] = []

    def slow(place: client.Endpoint, *arguments: str) -> client.Answer:
        asked.append(place.timeout)
        time.sleep(0.4)
        return answer(place, *arguments)

    answer = client.ask
    monkeypatch.setattr(client, "ask", slow)
    monkeypatch.setattr(client, "LOOK_SECONDS", 1.0)
    found = client.Portal(endpoint(portal_port), "paper").look()
    # Three of them take longer than the look may, so none is left for the websocket.
    assert (found.state, found.reason) == ("down", "it does not answer in time")
    assert [each for before, each in enumerate(asked) if each > 1.0 - 0.4 * before] == []

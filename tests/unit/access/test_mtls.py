# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role access's stunnel.conf in a real stunnel before the stand-in: who is admitted, and the log of refusals."""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ib_async
import jinja2
import pytest
from cryptography.x509 import AuthorityKeyIdentifier
from tests.unit.access.authority import SERVER, Authority

from ibgw_standin import testing

pytestmark = pytest.mark.programs
ROLE = Path(__file__).parents[3] / "roles" / "access"
HOST = "sandbox-paper"
CLIENTS = ["pipeline", "notebook"]
ADDRESSES = ["127.0.0.1", "::1"]
SECONDS = 10


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def render(name: str, **variables: Any) -> str:
    loader = jinja2.FileSystemLoader(ROLE / "templates")
    environment = jinja2.Environment(
        loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    return environment.get_template(name).render(variables)


class Stunnel:
    """A process of stunnel with ``debug = info``, which logs when it begins to serve, and its log."""

    def __init__(self, command: list[str], config: Path) -> None:
        self.process = subprocess.Popen([*command, config.name], cwd=config.parent, stderr=subprocess.PIPE, text=True)
        self.lines = queue.SimpleQueue[str]()
        threading.Thread(target=self._read, daemon=True).start()
        self.until("Accepting new connections")

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.put(line)

    def until(self, words: str) -> str:
        """Return the log up to the next line with these words, without lines that production does not log."""
        seen = [""]
        with contextlib.suppress(queue.Empty):
            while words not in seen[-1]:
                seen.append(self.lines.get(timeout=SECONDS))
        assert words in seen[-1], f"no line says {words!r}:\n{''.join(seen)}"
        return "".join(line for line in seen if " LOG6[" not in line)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)
        self.until("bound to")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)


class Front:
    """A host with stunnel before a stand-in gateway: the files that role access writes, and the clients' bundles."""

    def __init__(self, root: Path, gateway: testing.Running, stunnel: list[str]) -> None:
        self.root, self.gateway, self.port = root, gateway, free_port()
        self.authority = Authority()
        self.mtls = root / "mtls"
        self.authority.issue(self.mtls, HOST, SERVER, kind="server")
        self.revoked: list[Any] = []
        self.authority.revoke(self.mtls / "clients.crl")
        self.allow(CLIENTS)
        self.stunnel = Stunnel(stunnel, self.mtls / "stunnel.conf")

    def allow(self, clients: list[str]) -> None:
        text = render(
            "mtls.conf.j2",
            gateway_port=self.gateway.port,
            access_mtls_addresses=ADDRESSES,
            access_mtls_port=self.port,
            access_mtls_clients=clients,
            __access_mtls_run=str(self.mtls),
        )
        (self.mtls / "stunnel.conf").write_text(text.replace("debug = notice", "debug = info"))

    def bundle(self, name: str, authority: Authority | None = None, **how: Any) -> Path:
        """A client's folder; its certificate is in ``certificate`` of the last one made."""
        folder = self.root / f"bundle-{len(list(self.root.iterdir()))}"
        self.certificate = (authority or self.authority).issue(folder, name, **how)
        (folder / "ca.crt").write_bytes((self.mtls / "ca.crt").read_bytes())
        return folder

    def revoke(self, certificate: Any) -> None:
        self.authority.revoke(self.mtls / "clients.crl", certificate)

    def greet(self, context: ssl.SSLContext, address: str = "127.0.0.1") -> bytes:
        """Return the gateway's answer to the API's handshake over TLS."""
        with (
            socket.create_connection((address, self.port), SECONDS) as raw,
            context.wrap_socket(raw, server_hostname=HOST) as tls,
        ):
            return hello(tls)


def hello(connection: socket.socket) -> bytes:
    connection.sendall(b"API\0\0\0\0\tv100..178")
    return connection.recv(100)


@pytest.fixture(scope="module")
def gateway() -> Iterator[testing.Running]:
    with testing.running(extra=["--no-delays"]) as running:
        yield running


@pytest.fixture
def front(tmp_path: Path, gateway: testing.Running, stunnel: list[str]) -> Iterator[Front]:
    made = Front(tmp_path, gateway, stunnel)
    yield made
    made.stunnel.stop()


@pytest.fixture(scope="module")
def relay() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ibgw_tls", ROLE / "files" / "ibgw_tls.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_tls_1_2(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def without_certificate(front: Front, _relay: ModuleType) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(front.mtls / "ca.crt"))


def revoked(front: Front, relay: ModuleType) -> ssl.SSLContext:
    folder = front.bundle("pipeline")
    front.revoke(front.certificate)
    front.stunnel.reload()
    context: ssl.SSLContext = relay.context(folder)
    return context


def with_list_past_its_time(front: Front, relay: ModuleType) -> ssl.SSLContext:
    front.authority.revoke(front.mtls / "clients.crl", ends=-1)
    front.stunnel.reload()
    context: ssl.SSLContext = relay.context(front.bundle("pipeline"))
    return context


def with_list_of_another_ca(front: Front, relay: ModuleType) -> ssl.SSLContext:
    Authority("Other CA").revoke(front.mtls / "clients.crl")
    front.stunnel.reload()
    context: ssl.SSLContext = relay.context(front.bundle("pipeline"))
    return context


Case = Callable[[Front, ModuleType], ssl.SSLContext]
REFUSED: dict[str, tuple[Case, str]] = {
    "no certificate": (without_certificate, "peer did not return a certificate"),
    "wrong CA": (
        lambda front, relay: relay.context(front.bundle("pipeline", Authority("Other CA"))),
        "unable to get local issuer certificate",
    ),
    # With its own identifier it would be told from the right one before any signature is looked at.
    "wrong CA of the same name": (
        lambda front, relay: relay.context(front.bundle("pipeline", Authority(), without=[AuthorityKeyIdentifier])),
        "certificate signature failure",
    ),
    "expired": (lambda front, relay: relay.context(front.bundle("pipeline", ends=-1)), "certificate has expired"),
    "revoked": (revoked, "certificate revoked"),
    "name not on the list": (lambda front, relay: relay.context(front.bundle("stranger")), "Subject checks failed"),
    "a longer name": (lambda front, relay: relay.context(front.bundle("pipeline.evil")), "Subject checks failed"),
    "a pattern as name": (lambda front, relay: relay.context(front.bundle("*")), "Subject checks failed"),
    "a gateway's certificate": (
        lambda front, relay: relay.context(front.bundle("pipeline", usage=SERVER)),
        "unsuitable certificate purpose",
    ),
    "TLS 1.2": (
        lambda front, relay: with_tls_1_2(relay.context(front.bundle("pipeline"))),
        "unsupported protocol",
    ),
    "a list past its time": (with_list_past_its_time, "CRL has expired"),
    "a list of another CA": (with_list_of_another_ca, "unable to get certificate CRL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_is_refused_and_why(front: Front, relay: ModuleType, case: str) -> None:
    make, reason = REFUSED[case]
    context = make(front, relay)
    with contextlib.suppress(OSError):
        assert front.greet(context) == b""
    said = front.stunnel.until("Connection reset")
    assert reason in said
    assert "accepted connection from 127.0.0.1:" in said
    assert "connected remote server" not in said


def test_plain_tcp_is_refused(front: Front) -> None:
    with socket.create_connection(("127.0.0.1", front.port), SECONDS) as raw, contextlib.suppress(OSError):
        assert hello(raw) == b""
    assert "wrong version number" in front.stunnel.until("Connection reset")


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_who_is_let_in(front: Front, relay: ModuleType, name: str, address: str) -> None:
    assert b"178" in front.greet(relay.context(front.bundle(name)), address)
    assert f"Certificate accepted at depth=0: CN={name}" in front.stunnel.until("connected remote server")


def test_every_address_has_the_same_rules(front: Front, relay: ModuleType) -> None:
    for address in ADDRESSES:
        with contextlib.suppress(OSError):
            assert front.greet(relay.context(front.bundle("stranger")), address) == b""
        assert "Subject checks failed" in front.stunnel.until("Connection reset")


def test_no_session_is_resumed_past_the_check(front: Front, relay: ModuleType) -> None:
    """A ticket of an earlier session would admit a client revoked since."""
    context = relay.context(front.bundle("pipeline"))
    with (
        socket.create_connection(("127.0.0.1", front.port), SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=HOST) as first,
    ):
        hello(first)
        session = first.session
    with (
        socket.create_connection(("127.0.0.1", front.port), SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=HOST, session=session) as second,
    ):
        assert hello(second)
        assert not second.session_reused


def serial(context: ssl.SSLContext, port: int) -> Any:
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=HOST) as tls,
    ):
        return (tls.getpeercert() or {})["serialNumber"]


def test_rotation_keeps_who_is_connected(front: Front, relay: ModuleType) -> None:
    """A new server certificate, a new CRL and a new list of names, in one reload."""
    folder, other = front.bundle("pipeline"), front.bundle("notebook")
    with relay.tunnel("127.0.0.1", front.port, HOST, folder) as port:
        ib = ib_async.IB()
        ib.connect("127.0.0.1", port, clientId=7, readonly=True, timeout=SECONDS)
        before = serial(relay.context(other), front.port)
        leaver = front.bundle("pipeline")
        front.revoke(front.certificate)
        front.authority.issue(front.mtls, HOST, SERVER, kind="server")
        front.allow(["pipeline"])
        front.stunnel.reload()
        for refused, reason in ((leaver, "certificate revoked"), (other, "Subject checks failed")):
            with contextlib.suppress(OSError):
                assert front.greet(relay.context(refused)) == b""
            assert reason in front.stunnel.until("Connection reset")
        assert serial(relay.context(folder), front.port) != before
        assert ib.isConnected()
        assert ib.reqCurrentTime()
        ib.disconnect()


def test_a_list_that_cannot_be_read_leaves_the_old_rules(front: Front, relay: ModuleType) -> None:
    (front.mtls / "clients.crl").write_text("no list\n")
    front.stunnel.process.send_signal(signal.SIGHUP)
    front.stunnel.until("Failed to reload the configuration file")
    assert b"178" in front.greet(relay.context(front.bundle("pipeline")))


def test_ib_async_through_a_stunnel_client(front: Front, stunnel: list[str]) -> None:
    folder, port = front.bundle("pipeline"), free_port()
    text = render(
        "client/stunnel.conf.j2",
        gateway_name="paper",
        inventory_hostname=HOST,
        gateway_port=port,
        access_mtls_port=front.port,
        access_mtls_host="127.0.0.1",
    )
    (folder / "paper.conf").write_text(text.replace("pid =", "pid =\ndebug = info"))
    client = Stunnel(stunnel, folder / "paper.conf")
    try:
        ib = ib_async.IB()
        ib.connect("127.0.0.1", port, clientId=8, readonly=True, timeout=SECONDS)
        assert ib.managedAccounts()
        assert ib.reqCurrentTime()
        ib.disconnect()
    finally:
        client.stop()

"""Access method mtls on the machine: a real client, refusals in the journal, and rotation under a client that is
connected."""

from __future__ import annotations

import collections.abc as c
import contextlib
import importlib.util
import os
import pathlib
import shutil
import socket
import ssl
import typing as t

import ib_async
import pytest
from testinfra.host import Host

Playbook = c.Callable[..., t.Any]
ROOT = pathlib.Path(__file__).resolve().parents[3]
PKI = ROOT / ".sandbox" / f"pki-{os.environ['SANDBOX_SLOT']}"
SETTINGS = ("-e", f"@{ROOT}/molecule/access_tls/vars/main.yml")
NAME, PORT, SECONDS = "sandbox-paper", 4102, 20


def load_relay() -> t.Any:
    spec = importlib.util.spec_from_file_location("ibgw_tls", ROOT / "roles/access/files/ibgw_tls.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RELAY = load_relay()


@pytest.fixture(scope="module")
def certificate(playbook: Playbook, tmp_path_factory: pytest.TempPathFactory) -> c.Callable[..., pathlib.Path]:
    """Issue, renew or revoke a client's certificate; returns a copy of its folder as it is then."""

    def run(client: str, state: str = "issued") -> pathlib.Path:
        words = (*SETTINGS, "-e", f"client={client}", "-e", f"state={state}")
        done = playbook("playbooks/access_certificates.yml", "paper", *words)
        assert done.status == 0, done.printed
        folder = tmp_path_factory.mktemp(client) / "bundle"
        if state != "revoked":
            shutil.copytree(PKI / "clients" / client, folder)
        return folder

    return run


@pytest.fixture(scope="module")
def pipeline(certificate: c.Callable[..., pathlib.Path]) -> pathlib.Path:
    return certificate("pipeline")


def says(host: Host) -> str:
    lines: str = host.check_output("journalctl -u ibgw-mtls-paper --lines=6 --output=cat")
    return lines


def refused(context: ssl.SSLContext | None, address: str) -> None:
    with contextlib.suppress(OSError), socket.create_connection((address, PORT), SECONDS) as raw:
        connection = context.wrap_socket(raw, server_hostname=NAME) if context else raw
        connection.sendall(b"API\0\0\0\0\tv100..178")
        assert connection.recv(100) == b""


def connect(folder: pathlib.Path, address: str, stack: contextlib.ExitStack) -> ib_async.IB:
    ib = ib_async.IB()
    ib.connect("127.0.0.1", stack.enter_context(RELAY.tunnel(address, PORT, NAME, folder)), 61, SECONDS, True)
    stack.callback(ib.disconnect)
    return ib


def test_a_client_with_its_certificate_gets_through(pipeline: pathlib.Path, variables: dict[str, t.Any]) -> None:
    with contextlib.ExitStack() as stack:
        ib = connect(pipeline, variables["host"], stack)
        assert ib.managedAccounts()[0].startswith("DU")
        assert ib.reqCurrentTime()


def test_who_is_refused_is_in_the_journal(
    host: Host, pipeline: pathlib.Path, certificate: c.Callable[..., pathlib.Path], variables: dict[str, t.Any]
) -> None:
    old = RELAY.context(pipeline)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    cases = {
        "peer did not return a certificate": ssl.create_default_context(cafile=str(PKI / "ca.crt")),
        "Subject checks failed": RELAY.context(certificate("stranger")),
        "unsupported protocol": old,
        "wrong version number": None,
    }
    for reason, context in cases.items():
        refused(context, variables["host"])
        assert reason in says(host)


def test_rotation_keeps_who_is_connected(
    host: Host, playbook: Playbook, pipeline: pathlib.Path, variables: dict[str, t.Any]
) -> None:
    """A new server certificate and a longer list of names."""
    with contextlib.ExitStack() as stack:
        ib = connect(pipeline, variables["host"], stack)
        before = host.file("/etc/ibgw/paper/mtls/server.crt").content
        (PKI / "servers" / NAME / "server.crt").unlink()
        more = ("-e", '{"access_mtls_clients": ["pipeline", "notebook"]}')
        done = playbook("site.yml", "paper", *SETTINGS, *more, "--tags", "access")
        assert done.status == 0, done.printed
        assert host.file("/etc/ibgw/paper/mtls/server.crt").content != before
        assert ib.isConnected()
        assert ib.reqCurrentTime()


def test_the_revoked_is_out_at_once(
    host: Host, certificate: c.Callable[..., pathlib.Path], pipeline: pathlib.Path, variables: dict[str, t.Any]
) -> None:
    """Also one that is connected, and the certificate from before a renewal."""
    renewed = certificate("pipeline", "renewed")
    with contextlib.ExitStack() as stack:
        ib = connect(pipeline, variables["host"], stack)
        certificate("pipeline", "revoked")
        with pytest.raises(ConnectionError):
            ib.sleep(SECONDS)
    for folder in (pipeline, renewed):
        refused(RELAY.context(folder), variables["host"])
        assert "certificate revoked" in says(host)
    with contextlib.ExitStack() as stack:
        assert connect(certificate("pipeline"), variables["host"], stack).isConnected()


def test_secrets_are_root_s_and_the_services(host: Host) -> None:
    assert oct(host.file("/etc/ibgw/paper/mtls/server.key").mode) == "0o600"
    assert host.file("/run/ibgw-mtls-paper").user == "ibgw-mtls"
    assert oct(host.file("/run/ibgw-mtls-paper").mode) == "0o700"


def test_the_live_check_sees_certificates_and_list(module: c.Callable[..., dict[str, t.Any]]) -> None:
    found = module("ibops.gateway.gateway_health", gateway_name="paper")["certificates"]
    left = {each["path"].rpartition("/")[2]: round(each["days_left"]) for each in found}
    assert left == {"ca.crt": 1826, "server.crt": 365, "clients.crl": 90}

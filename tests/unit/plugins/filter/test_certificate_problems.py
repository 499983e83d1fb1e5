# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.unit.access.authority import SERVER, Authority

from ansible_collections.ibops.gateway.plugins.filter.certificate_problems import certificate_problems

FILES = {"ca": "ca.crt", "crl": "clients.crl", "certificate": "server.crt", "key": "server.key"}
ONE, OTHER = Authority(), Authority("Other CA")


def problems(folder: Path) -> list[str]:
    return certificate_problems({name: (folder / file).read_text() for name, file in FILES.items()}, FILES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ONE.issue(tmp_path, "gateway", SERVER, kind="server")
    ONE.revoke(tmp_path / "clients.crl")
    return tmp_path


def of_another_authority(folder: Path) -> None:
    OTHER.issue(folder, "gateway", SERVER, kind="server")
    ONE.issue(folder, "unused")


def with_the_key_of_another(folder: Path) -> None:
    certificate = (folder / "server.crt").read_text()
    ONE.issue(folder, "gateway", SERVER, kind="server")
    (folder / "server.crt").write_text(certificate)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: None, []),
        (lambda folder: (folder / "clients.crl").write_text("none"), ["is not a list of revoked certificates in PEM"]),
        (lambda folder: (folder / "server.key").write_text(""), ["is not a private key without a passphrase in PEM"]),
        (lambda folder: (folder / "ca.crt").write_text(""), ["is not a list of certificates in PEM"]),
        (with_the_key_of_another, ["server.key does not belong to server.crt"]),
        (of_another_authority, ["server.crt is not signed by a CA in ca.crt"]),
        (lambda folder: OTHER.revoke(folder / "clients.crl"), ["clients.crl is not signed by a CA in ca.crt"]),
        (lambda folder: ONE.revoke(folder / "clients.crl", ends=-1), ["clients.crl has expired"]),
        (lambda folder: ONE.issue(folder, "gateway", SERVER, ends=-1, kind="server"), ["server.crt ended on"]),
    ],
)
def test_what_stunnel_would_refuse_is_said_before(
    folder: Path, spoil: Callable[[Path], object], said: list[str]
) -> None:
    spoil(folder)
    found = problems(folder)
    assert [part in problem for part, problem in zip(said, found, strict=True)] == [True] * len(said), found


def strictly_refused(folder: Path) -> bool:
    """Ask OpenSSL itself, as a client of Python 3.13 does, on whatever Python this is."""
    client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    for _round in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return True
    return False


CA, OWN = ("ca.crt", "CN=Test CA"), ("server.crt", "CN=gateway")


@pytest.mark.parametrize(
    ("of_ca", "of_own", "said"),
    [
        ({}, (), []),
        ({"without": [x509.SubjectKeyIdentifier]}, (), [(CA, "a Subject Key Identifier")]),
        ({"without": [x509.KeyUsage]}, (), [(CA, "a Key Usage")]),
        ({"critical": False}, (), [(CA, "critical Basic Constraints")]),
        ({}, [x509.AuthorityKeyIdentifier], [(OWN, "an Authority Key Identifier")]),
        ({}, [x509.KeyUsage, x509.ExtendedKeyUsage], []),
    ],
)
def test_what_a_strict_client_would_refuse_is_said_before(
    tmp_path: Path,
    of_ca: dict[str, Any],
    of_own: list[type[x509.ExtensionType]],
    said: list[tuple[tuple[str, str], str]],
) -> None:
    authority = Authority(**of_ca)
    authority.issue(tmp_path, "gateway", SERVER, kind="server", without=of_own)
    authority.revoke(tmp_path / "clients.crl")
    found = problems(tmp_path)
    assert [f"{file} has a certificate ({name}) without {missing}" for (file, name), missing in said] == [
        problem.partition(": ")[2].partition(",")[0] for problem in found
    ]
    assert strictly_refused(tmp_path) == bool(said)

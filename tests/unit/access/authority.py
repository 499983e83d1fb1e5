# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CA in memory, for tests: it also makes certificates that nobody should have."""

from __future__ import annotations

import datetime
from collections.abc import Container
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
PEM = serialization.Encoding.PEM


def key_usage(**usages: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    more = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{**dict.fromkeys((*names, *more), False), **usages})


def days(count: float) -> datetime.datetime:
    return NOW + datetime.timedelta(days=count)


Extensions = list[tuple[x509.ExtensionType, bool]]


class Authority:
    """Its certificates pass the strict check of Python 3.13, but for the kinds of extension that they are *without*."""

    def __init__(
        self, name: str = "Test CA", without: Container[type[x509.ExtensionType]] = (), critical: bool = True
    ) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        of_ca: Extensions = [
            (x509.BasicConstraints(ca=True, path_length=0), critical),
            (key_usage(key_cert_sign=True, crl_sign=True), True),
            (x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
        ]
        self.certificate = self._signed(
            self.name, self.key, 1000, [each for each in of_ca if type(each[0]) not in without]
        )

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ends: float, extensions: Extensions
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .issuer_name(self.name)
            .subject_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(days(-30))
            .not_valid_after(days(ends))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def issue(
        self,
        folder: Path,
        name: str,
        usage: x509.ObjectIdentifier = CLIENT,
        ends: float = 30,
        kind: str = "client",
        without: Container[type[x509.ExtensionType]] = (),
    ) -> x509.Certificate:
        """Write ``<kind>.key`` and ``<kind>.crt`` for *name* to a folder, and the CA's certificate beside them."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extensions: Extensions = [
            (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
            (key_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([usage]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False),
        ]
        made = self._signed(subject, key, ends, [each for each in extensions if type(each[0]) not in without])
        secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{kind}.key").write_bytes(secret)
        (folder / f"{kind}.key").chmod(0o600)
        (folder / f"{kind}.crt").write_bytes(made.public_bytes(PEM))
        (folder / "ca.crt").write_bytes(self.certificate.public_bytes(PEM))
        return made

    def revoke(self, path: Path, *revoked: x509.Certificate, ends: float = 30) -> None:
        """Write the CRL."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(days(-30))
            .next_update(days(ends))
        )
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(days(-1)).build()
            made = made.add_revoked_certificate(entry)
        path.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(PEM))

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError

NAMES = {
    "ca": "a list of certificates",
    "crl": "a list of revoked certificates",
    "certificate": "a certificate",
    "key": "a private key without a passphrase",
}


def certificate_problems(texts: c.Mapping[str, str], paths: c.Mapping[str, str]) -> list[str]:
    read: dict[str, t.Any] = {}
    faults = []
    for name, load in loaders().items():
        try:
            read[name] = load(texts[name].encode())
        except (ValueError, TypeError):
            faults.append(f"access_mtls_files.{name}: {paths[name]} is not {NAMES[name]} in PEM")
    return faults or list(mismatches(read, paths, datetime.now(UTC)))


def loaders() -> dict[str, c.Callable[[bytes], t.Any]]:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise AnsibleFilterError("certificate_problems needs the Python package cryptography") from error
    return {
        "ca": x509.load_pem_x509_certificates,
        "crl": x509.load_pem_x509_crl,
        "certificate": x509.load_pem_x509_certificates,
        "key": lambda text: load_pem_private_key(text, None),
    }


def mismatches(read: c.Mapping[str, t.Any], paths: c.Mapping[str, str], now: datetime) -> c.Iterator[str]:
    """Find files that are valid by themselves but do not belong together."""
    authorities, crl, (own, *between) = read["ca"], read["crl"], read["certificate"]
    if own.public_key() != read["key"].public_key():
        yield f"access_mtls_files.key: {paths['key']} does not belong to {paths['certificate']}"
    if not any(issued(own, each) for each in (*between, *authorities)):
        yield f"access_mtls_files.certificate: {paths['certificate']} is not signed by a CA in {paths['ca']}"
    if not any(crl.is_signature_valid(each.public_key()) for each in authorities):
        yield (f"access_mtls_files.crl: {paths['crl']} is not signed by a CA in {paths['ca']}: no client would get in")
    if own.not_valid_after_utc <= now:
        yield f"access_mtls_files.certificate: {paths['certificate']} ended on {own.not_valid_after_utc:%Y-%m-%d}"
    if crl.next_update_utc is None or crl.next_update_utc <= now:
        yield f"access_mtls_files.crl: {paths['crl']} has expired, so every client would be refused"
    signed = [each for each in (own, *between) if not issued(each, each)]
    signers = [each for each in authorities if any(issued(one, each) for one in signed)]
    for name, certificates in (("certificate", signed), ("ca", signers)):
        for each in certificates:
            for missing in lacking(each, signed=name == "certificate"):
                yield (
                    f"access_mtls_files.{name}: {paths[name]} has a certificate ({each.subject.rfc4514_string()}) "
                    f"without {missing}, which clients on Python 3.13 or later refuse; have it issued again with that"
                )


def lacking(certificate: t.Any, signed: bool) -> c.Iterator[str]:
    """Find what RFC 5280 asks for and OpenSSL looks at with X509_STRICT alone, as Python does from 3.13 on."""
    from cryptography import x509

    there = {type(each.value): each for each in certificate.extensions}
    key = there.get(x509.AuthorityKeyIdentifier)
    if signed and (key is None or key.value.key_identifier is None):
        yield "an Authority Key Identifier"
    constraints = there.get(x509.BasicConstraints)
    if constraints is None or not constraints.value.ca:
        return
    if not constraints.critical:
        yield "critical Basic Constraints"
    if x509.KeyUsage not in there:
        yield "a Key Usage"
    if x509.SubjectKeyIdentifier not in there:
        yield "a Subject Key Identifier"


def issued(certificate: t.Any, authority: t.Any) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:
        return False
    return True


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"certificate_problems": certificate_problems}

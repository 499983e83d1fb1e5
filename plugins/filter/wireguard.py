# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import binascii
import collections.abc as c
import io

from ansible.errors import AnsibleFilterError


def wireguard_public_key(private_key: str) -> str:
    try:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    except ImportError as error:
        raise AnsibleFilterError("wireguard_public_key needs the Python package cryptography") from error
    try:
        key = X25519PrivateKey.from_private_bytes(base64.b64decode(private_key.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise AnsibleFilterError(
            "this is not a private key of WireGuard: it has 44 characters, as wg genkey prints"
        ) from None
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def qr_svg(text: str) -> str:
    try:
        import segno
    except ImportError as error:
        raise AnsibleFilterError("qr_svg needs the Python package segno") from error
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="svg", scale=6, light="white")
    return picture.getvalue().decode()


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"wireguard_public_key": wireguard_public_key, "qr_svg": qr_svg}

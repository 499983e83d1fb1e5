# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ibops.gateway.plugins.filter.wireguard import qr_svg, wireguard_public_key

# Bob of RFC 7748, section 6.1.
PRIVATE = "XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os="
PUBLIC = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="


def test_the_public_key_is_the_rfcs() -> None:
    assert wireguard_public_key(f"{PRIVATE}\n") == PUBLIC


@pytest.mark.parametrize("text", ["", "short", PRIVATE[:-4], f"{PRIVATE}="])
def test_what_is_no_key_is_not_shown(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="this is not a private key of WireGuard") as caught:
        wireguard_public_key(text)
    assert not text or text not in str(caught.value)


def test_the_picture_is_a_file_of_its_own() -> None:
    picture = ET.fromstring(qr_svg(f"[Interface]\nPrivateKey = {PRIVATE}\n"))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert picture.get("width") == picture.get("height")
    assert PRIVATE not in ET.tostring(picture, encoding="unicode")

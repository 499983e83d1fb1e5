# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ibops.gateway.plugins.filter.system import system


@pytest.mark.parametrize(
    ("distribution", "version", "codename"),
    [
        ("debian", "12", "bookworm"),
        ("Debian", "12.11", "bookworm"),
        ("Debian", "13", "trixie"),
        ("debian", "13.2", "trixie"),
    ],
)
def test_which_system_it_is(distribution: str, version: str, codename: str) -> None:
    assert system(distribution, version)["codename"] == codename


@pytest.mark.parametrize(
    ("distribution", "version"),
    [
        ("Debian", "1"),
        ("debian", "130"),
        ("debian", ""),
        ("ubuntu", "13"),
        ("Ubuntu", "22.04"),
        ("Ubuntu", "24.10"),
        ("", ""),
    ],
)
def test_another_one_is_refused_with_those_that_there_are(distribution: str, version: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Debian 12, Debian 13"):
        system(distribution, version)

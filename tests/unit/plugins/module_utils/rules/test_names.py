# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that nothing reads."""

from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules import names

KNOWN = ("gateway_access", "gateway_read_only_api", "hardening_ssh_from", "live_check_drift")
PREFIXES = ("gateway_", "hardening_", "live_")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gateway_readonly_api", "gateway_read_only_api"),
        ("gateway_acess", "gateway_access"),
        ("hardening_shh_from", "hardening_ssh_from"),
        ("live_check_drfit", "live_check_drift"),
        ("gateway_zzz", None),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, near: str | None) -> None:
    (problem,) = names.problems([name], KNOWN, PREFIXES)
    assert (problem.id, problem.variable, problem.value) == ("unknown-name", name, None)
    assert problem.fix.startswith(f"write {near}") is (near is not None)


@pytest.mark.parametrize("name", [*KNOWN, "ansible_host", "my_gateway_x", "__gateway_x", "gateway_verdict"])
def test_what_is_known_or_nobody_elses(name: str) -> None:
    """gateway_verdict is registered by role gateway."""
    assert list(names.problems([name], KNOWN, PREFIXES)) == []

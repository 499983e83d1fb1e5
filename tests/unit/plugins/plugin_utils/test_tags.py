"""The tags by which tasks of a playbook can be chosen."""

from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.plugin_utils import tags


@pytest.mark.parametrize(
    ("playbook", "some", "none"),
    [
        ("site", {"machine", "hardening_ssh", "docker_engine", "gateway", "session", "access"}, {"always"}),
        ("provision", {"machine"}, {"gateway"}),
        # Its roles come in by include_role, which a tag of theirs does not choose.
        ("maintenance", set(), {"hardening"}),
        ("status", set(), {"gateway"}),
    ],
)
def test_those_of_imports_and_roles_are_found(playbook: str, some: set[str], none: set[str]) -> None:
    found = tags.of_playbook(tags.COLLECTION / f"playbooks/{playbook}.yml")
    assert found >= some
    assert not found & none

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.filter.container_revision import container_revision

# Options that name the container, or control the run.
NOT_A_SETTING = {"name", "pull", "recreate", "state"}


def test_it_changes_with_every_option_and_file() -> None:
    before = container_revision({"image": "a", "cap_drop": ["ALL"]}, "conf", "ca")
    assert len(before) == 64
    assert container_revision({"cap_drop": ["ALL"], "image": "a"}, "conf", "ca") == before
    assert container_revision({"image": "a", "cap_drop": []}, "conf", "ca") != before
    assert container_revision({"image": "a", "cap_drop": ["ALL"]}, "conf", "another") != before


def test_the_portals_revision_has_every_option_of_its_container(pytestconfig: pytest.Config) -> None:
    role = pathlib.Path(pytestconfig.rootpath, "roles/client_portal")
    tasks = yaml.safe_load((role / "tasks/container.yml").read_text())
    [options] = [
        task["community.docker.docker_container"] for task in tasks if "community.docker.docker_container" in task
    ]
    wanted = yaml.safe_load((role / "vars/main.yml").read_text())["__client_portal_wanted"]
    assert set(options) - NOT_A_SETTING == set(wanted)
    for name in set(wanted) - {"image", "labels"}:
        assert options[name] == f"{{{{ __client_portal_wanted.{name} }}}}"

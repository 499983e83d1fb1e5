# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor


def test_load(deploy: Any) -> None:
    found = deploy(name="live", mode="live", port=4001)
    assert descriptor.load("live") == found
    assert found.endpoint() == {
        "host": "127.0.0.1",
        "port": 4001,
        "client_id": 917,
        "mode": "live",
        "accounts": [],
        "ignored_farms": [],
    }


def test_a_name_that_is_not_deployed(deploy: Any) -> None:
    deploy(name="paper")
    deploy(name="live")
    with pytest.raises(descriptor.NotDeployedError, match=r"gateway demo .*\(deployed here: live, paper\)"):
        descriptor.load("demo")


def test_a_host_without_gateways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptor, "ROOT", str(tmp_path / "absent"))
    with pytest.raises(descriptor.NotDeployedError, match="deployed here: none"):
        descriptor.load("paper")


@pytest.mark.parametrize("name", ["", "../paper", "a/b", "-x", "a b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(descriptor.DescriptorError, match="not a name of a gateway"):
        descriptor.load(name)


def test_the_controller_is_one_that_is_known(deploy: Any) -> None:
    assert deploy(name="paper").driver.name == "ibc"
    assert deploy(name="paper", controller="ibg-controller").driver.name == "ibg-controller"
    with pytest.raises(descriptor.DescriptorError, match="controller is none that this release knows"):
        deploy(name="paper", controller="ibctl")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "paper"}', "\0"])
def test_a_damaged_descriptor(deploy: Any, tmp_path: Path, content: str) -> None:
    deploy(name="paper")
    (tmp_path / "etc/paper/gateway.json").write_text(content)
    with pytest.raises(descriptor.DescriptorError, match=r"gateway.json is damaged .*: run .*ibops\.gateway\.site"):
        descriptor.load("paper")


def test_a_descriptor_that_may_not_be_read(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(name="paper")

    def refused(*_arguments: Any, **_options: Any) -> None:
        raise PermissionError

    monkeypatch.setattr("os.lstat", refused)
    with pytest.raises(descriptor.DescriptorError, match="become: true"):
        descriptor.load("paper")

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from tests.unit.plugins.made_images import CONFIG

from ansible_collections.ibops.gateway.plugins.modules import gateway_image_info

ARGUMENTS = {"gateway_name": "paper", "image": "image@sha256:1", "config": CONFIG}


def test_an_image_is_looked_at_in_a_container_that_is_never_started(run_module: Any, fake_engine: Any) -> None:
    fake_engine.status = "created"
    result = run_module(gateway_image_info.main, **ARGUMENTS)
    assert (result["changed"], result["present"], result["refused"]) == (False, True, False)
    assert (result["release"], result["controller"], result["controller_version"]) == ("10.50.1d", "ibc", "3.24.1")
    assert result["lines"][-1] == "as expected"
    path, query, body = fake_engine.bodies[0]
    assert (path, query, body["Image"]) == ("/containers/create", "name=ibgw-paper.image", "image@sha256:1")
    assert not any("start" in call for call in fake_engine.calls)
    assert fake_engine.calls[-1] == "DELETE /containers/ibgw-paper.image"


def test_check_mode_makes_no_container(run_module: Any, fake_engine: Any) -> None:
    result = run_module(gateway_image_info.main, check=True, **ARGUMENTS)
    assert (result["present"], result["release"], result["controller_version"]) == (True, "10.50.1d", None)
    assert {call.split()[0] for call in fake_engine.calls} == {"GET"}


def test_a_difference_is_named_and_can_be_accepted(run_module: Any, fake_engine: Any) -> None:
    fake_engine.image.config["User"] = "root"
    refused = run_module(gateway_image_info.main, check=True, **ARGUMENTS)
    assert (refused["refused"], [each["id"] for each in refused["differences"]]) == (True, ["user"])
    assert not refused.get("failed")
    assert not run_module(gateway_image_info.main, check=True, **ARGUMENTS, accept=["user"])["refused"]


def test_an_image_that_is_not_there(run_module: Any, fake_engine: Any) -> None:
    fake_engine.images.clear()
    assert run_module(gateway_image_info.main, **ARGUMENTS)["present"] is False


def test_without_an_engine(run_module: Any, no_engine: None) -> None:
    assert "the Docker engine is unreachable" in run_module(gateway_image_info.main, **ARGUMENTS)["msg"]

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.deployments import IMAGE, Host
from tests.unit.plugins.made_images import MadeImage, config_of
from tests.unit.plugins.module_utils.deploy.test_container import BAD, GOOD

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import control
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import controller_settings
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.settings_files import DESKTOP_SCRIPTS
from ansible_collections.ibops.gateway.plugins.modules import gateway_container

SECRET = "top-secret"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, monkeypatch)
    for name, place in (("CONFIG_DIR", "etc"), ("STATE_DIR", "var")):
        monkeypatch.setattr(gateway_container, name, str(tmp_path / place))
    monkeypatch.setattr(gateway_container, "Engine", lambda: host.engine)
    monkeypatch.setattr(host.engine, "cpus", lambda: 2, raising=False)
    monkeypatch.setattr(gateway_container, "Control", functools.partial(control.Control, engine=host.engine))
    return host


def options(**changes: Any) -> dict[str, Any]:
    settings = {**GOOD, "image": IMAGE, "uid": os.getuid(), **changes.pop("container", {})}
    mode = changes.pop("mode", "paper")
    return {
        "gateway_name": "paper",
        "user": "bob",
        "password": SECRET,
        "config": "one",
        "jts": "[Logon]\nTimeZone=UTC\n",
        "descriptor": {
            "schema": 1, "name": "paper", "mode": mode, "container": "ibgw-paper", "image": IMAGE, "host": "127.0.0.1",
            "port": 4002, "client_id": 917, "accounts": [], "command_port": 7462,
            "settings_dir": "/", "read_only_api": True, "password_secret": None,
        },
        "container": settings,
        "settled": ["push"],
        "lease_owner": "Ann",
        **changes,
    }  # fmt: skip


def test_check_do_repeat(run_module: Any, host: Host) -> None:
    foreseen = run_module(gateway_container.main, check=True, **options())
    assert (foreseen["changed"], foreseen["step"], foreseen["starts"], foreseen["deployed"]) == (
        True,
        "make",
        True,
        False,
    )
    assert not (host.root / "etc").exists()
    done = run_module(gateway_container.main, **options())
    assert (done["changed"], done["step"], done["starts"], done["deployed"]) == (True, "make", True, True)
    assert (done["pending"], done["client_networks"]) == (False, [])
    assert host.engine.running() == ["ibgw-paper"]
    again = run_module(gateway_container.main, **options())
    assert (again["changed"], again["step"], again["diff"]) == (False, "none", [])
    for result in (foreseen, done, again):
        assert SECRET not in str(result)


@pytest.mark.parametrize(("variable", "change"), BAD)
@pytest.mark.parametrize("check", [True, False])
def test_no_bad_setting_costs_the_running_gateway(
    run_module: Any, host: Host, variable: str, change: dict[str, Any], check: bool
) -> None:
    run_module(gateway_container.main, **options())
    before = (dict(host.engine.all), list(host.engine.calls), host.text("etc/paper/gateway.json"))
    result = run_module(gateway_container.main, check=check, **options(container=change))
    assert result["failed"]
    assert variable in result["msg"]
    assert (host.engine.all, host.engine.calls, host.text("etc/paper/gateway.json")) == before
    assert host.engine.running() == ["ibgw-paper"]


def test_what_only_the_engine_knows_costs_it_neither(run_module: Any, host: Host) -> None:
    run_module(gateway_container.main, **options())
    host.engine.refused = {"create": "cannot create container: invalid mount"}
    result = run_module(gateway_container.main, **options(config="two"))
    assert "invalid mount" in result["msg"]
    assert host.engine.running() == ["ibgw-paper"]
    assert host.text("etc/paper/ibc/config.ini.tmpl") == "one"


def test_a_live_gateway_wants_to_be_named(run_module: Any, host: Host) -> None:
    result = run_module(gateway_container.main, **options(mode="live"))
    assert "gateway_touch_live=true" in result["msg"]
    assert run_module(gateway_container.main, check=True, **options(mode="live"))["step"] == "make"
    assert host.engine.calls == []
    assert run_module(gateway_container.main, **options(mode="live", names_live=True))["starts"]


def test_what_the_image_is_is_returned_and_the_end_of_its_release_is_warned_of(
    run_module: Any, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(gateway_container.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    host.engine.made_image = MadeImage(os.getuid(), "10.19.1")
    result = run_module(gateway_container.main, **options(accept_image=["release_not_accepted"]))
    assert (result["step"], result["image"]["release"], result["image"]["refused"]) == ("make", "10.19.1", False)
    text = "gateway_image: release 10.19.1 has not been accepted by IBKR since 2023-07-18; the minimum is 10.19.2"
    assert warned == [text]
    assert "release_not_accepted" in run_module(gateway_container.main, **options(config="two"))["msg"]
    # One that runs is left alone, and warned of.
    again = run_module(gateway_container.main, **options())
    assert (again["step"], again["image"]["refused"], warned) == ("none", True, [text, text])


def test_a_missing_image_is_asked_for_and_nobody_is_kept_out(run_module: Any, host: Host) -> None:
    host.engine.images.clear()
    asked = run_module(gateway_container.main, **options())
    assert (asked["changed"], asked["needs"], host.engine.calls) == (False, "image", [])
    host.engine.images.add(IMAGE)
    assert run_module(gateway_container.main, **options(lease_owner="Bob"))["step"] == "make"


def test_without_an_engine_a_first_run_is_predicted_and_a_real_one_fails(
    run_module: Any, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise EngineError("the Docker engine is unreachable")

    monkeypatch.setattr(host.engine, "containers", away)
    foreseen = run_module(gateway_container.main, check=True, **options())
    assert (foreseen["changed"], foreseen["step"], foreseen["engine"]["reachable"]) == (True, "make", False)
    assert "the Docker engine is unreachable" in run_module(gateway_container.main, **options())["msg"]


def test_a_password_that_ibc_cannot_read_is_refused(run_module: Any, host: Host) -> None:
    result = run_module(gateway_container.main, **options(password="a\nb"))
    assert result["msg"].startswith("gateway_password: ")
    assert host.engine.calls == []


def test_too_little_space_is_told(run_module: Any, host: Host) -> None:
    result = run_module(gateway_container.main, **options(min_free_mib=10**9))
    assert result["msg"].startswith("gateway_min_free_mib: ")
    assert host.engine.calls == []


def test_the_revision_is_that_of_everything(run_module: Any, host: Host) -> None:
    run_module(gateway_container.main, **options())
    changes: list[dict[str, Any]] = [{"config": "two"}, {"jts": ""}, {"password": "x"}, {"container": {"tmpfs": {}}}]
    for change in changes:
        assert run_module(gateway_container.main, check=True, **options(**change))["step"] == "replace"


def test_the_desktop_image_gets_what_its_init_has_to_be_told(run_module: Any, host: Host) -> None:
    run_module(gateway_container.main, **options())
    before = host.text("etc/paper/gateway.json")
    assert not (host.root / "etc/paper/init").exists()
    host.engine.made_image = MadeImage(program="tws")
    changed = options(container={"program": "tws", "memory": "4g"})
    changed["descriptor"] |= {"program": "tws", "settings_dir": str(host.root / "var/paper/desktop_settings")}
    done = run_module(gateway_container.main, **changed)
    assert (done["step"], done["starts"]) == ("replace", True)
    assert {place: host.text(f"etc/paper/{place}") for place in DESKTOP_SCRIPTS} == DESKTOP_SCRIPTS
    assert (host.root / "var/paper/desktop_settings/jts.ini").exists()
    assert host.text("etc/paper/gateway.json") != before
    assert run_module(gateway_container.main, **changed)["changed"] is False
    # Back to the gateway: its image is another one, and the desktop's is refused.
    result = run_module(gateway_container.main, **options())
    assert "program: GATEWAY_OR_TWS is 'tws': it is not IB Gateway" in result["msg"]
    assert host.engine.running() == ["ibgw-paper"]


def test_the_controller_is_read_off_the_image_and_gets_its_own_settings(run_module: Any, host: Host) -> None:
    host.engine.made_image.have_ibg_controller()
    password = "a\\b é"
    foreseen = run_module(gateway_container.main, check=True, **options(config=config_of(), password=password))
    done = run_module(gateway_container.main, **options(config=config_of(), password=password))
    assert (foreseen["step"], done["step"], done["image"]["controller"]) == ("make", "make", "ibg-controller")
    assert json.loads(host.text("etc/paper/gateway.json"))["controller"] == "ibg-controller"
    request = host.engine.all["ibgw-paper"]["request"]
    own = controller_settings.environment("ibg-controller", config_of())
    assert {f"{name}={value}" for name, value in own.items()} < {*request["Env"]}
    assert request["Healthcheck"] == {"Test": ["NONE"]}
    # As it is: ibg-controller reads no properties.
    assert host.text("etc/paper/password") == password
    assert run_module(gateway_container.main, **options(config=config_of(), password=password))["changed"] is False
    # The image before, which IBC drives.
    host.engine.made_image = MadeImage(os.getuid())
    back = run_module(gateway_container.main, **options(config=config_of(), password=password))
    assert (back["step"], json.loads(host.text("etc/paper/gateway.json"))["controller"]) == ("replace", "ibc")
    assert "Healthcheck" not in host.engine.all["ibgw-paper"]["request"]
    assert host.text("etc/paper/password") == "a\\\\b \\u00e9"


def test_a_setting_that_the_controller_cannot_keep_is_refused_before_anything_is_touched(
    run_module: Any, host: Host
) -> None:
    host.engine.made_image.have_ibg_controller()
    for check in (True, False):
        result = run_module(
            gateway_container.main, check=check, **options(config=config_of(ColdRestartTime="01:00", Own="x"))
        )
        assert result["failed"]
        assert "gateway_cold_restart_time: ibg-controller, which the image has, cannot keep it" in result["msg"]
        assert "gateway_config_extra.Own: " in result["msg"]
    # Its files are looked at, in a container that is never started.
    assert host.engine.calls == ["create ibgw-paper.image", "remove ibgw-paper.image"]
    assert not (host.root / "etc").exists()

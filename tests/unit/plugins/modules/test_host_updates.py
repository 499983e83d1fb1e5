from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place as portal
from ansible_collections.ibops.gateway.plugins.module_utils.host import updates
from ansible_collections.ibops.gateway.plugins.modules import host_updates

NOTHING: dict[str, t.Any] = {
    "pending": [],
    "restart_wanted": [],
    "reboot_required": False,
    "reboot_reasons": [],
}


SIGN_OFF = '-m ibops.gateway.gateway_session -a "gateway_name=paper state=stopped"'


@pytest.fixture
def _nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "look", lambda: NOTHING)


@pytest.mark.usefixtures("_nothing_waits")
def test_a_running_gateway_is_named_and_a_stopped_one_is_not(
    run_module: t.Any, fake_engine: t.Any, deploy: t.Any
) -> None:
    deploy()
    found = run_module(host_updates.main)
    assert found == {**NOTHING, "changed": False, "gateways_running": ["paper"], "sign_off": SIGN_OFF}
    fake_engine.exit(0)
    found = run_module(host_updates.main, check=True)
    assert (found["gateways_running"], found["sign_off"]) == ([], "")
    fake_engine.exists = False
    assert run_module(host_updates.main)["gateways_running"] == []


@pytest.mark.usefixtures("_nothing_waits")
def test_a_client_portal_gateway_counts_and_is_stopped_by_docker(
    run_module: t.Any, fake_engine: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(portal, "ROOT", str(tmp_path))
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / portal.FILE).touch()
    found = run_module(host_updates.main)
    assert found["gateways_running"] == ["web"]
    assert found["sign_off"] == '-m ansible.builtin.command -a "docker stop ibgw-web"'
    fake_engine.exit(0)
    assert run_module(host_updates.main)["gateways_running"] == []


@pytest.mark.usefixtures("_nothing_waits", "no_engine")
def test_without_an_engine_a_deployed_gateway_may_run(run_module: t.Any, deploy: t.Any) -> None:
    deploy()
    assert run_module(host_updates.main)["gateways_running"] == ["paper"]


@pytest.mark.usefixtures("no_engine")
def test_a_host_that_cannot_tell(run_module: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> t.NoReturn:
        raise updates.UpdatesError("apt-get: exit status 100: E: broken")

    monkeypatch.setattr(updates, "look", look)
    result = run_module(host_updates.main)
    assert result["failed"]
    assert result["msg"] == "cannot ask this host for its updates: apt-get: exit status 100: E: broken"

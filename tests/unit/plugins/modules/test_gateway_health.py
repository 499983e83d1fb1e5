from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml
from tests.unit.plugins import live_facts

from ansible_collections.ibops.gateway.plugins.module_utils.agent import record_file
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import health
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Store
from ansible_collections.ibops.gateway.plugins.module_utils.report.live_check import report
from ansible_collections.ibops.gateway.plugins.modules import gateway_health


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests do not read this machine's own units and clock."""

    def output(*command: str) -> t.NoReturn:
        raise health.UnknownError(f"{command[0]} is not installed")

    monkeypatch.setattr(health, "output", output)


def tree(folder: pathlib.Path) -> dict[str, tuple[int, int]]:
    paths = [path for path in folder.rglob("*") if not path.is_socket()]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def judged(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return report(result, "vm", live_facts.thresholds())


def test_a_gateway_of_ours(
    run_module: t.Any, fake_engine: t.Any, deploy: t.Any, healthy_port: int, tmp_path: pathlib.Path
) -> None:
    deploy(port=healthy_port, accounts=["DU1234567"])
    fake_engine.log("IBC: Starting session: will exit if login dialog")
    secret = tmp_path / "etc/paper/password"
    secret.write_text("top-secret")
    secret.chmod(0o600)
    store = Store("paper")
    store.save(store.load("paper"))
    store.note("state", "it serves DU1234567", 1.0, state="ready")
    before = tree(tmp_path)
    result = run_module(gateway_health.main, gateway_name="paper", check=True)
    assert not result.get("failed")
    assert result["changed"] is False
    assert yaml.safe_load(gateway_health.RETURN).keys() == result.keys() - {"changed"}
    assert tree(tmp_path) == before
    assert (result["deployed"], result["mode"], result["look"]["state"]) == (True, "paper", "ready")
    assert result["accounts"] == {"fit": True, "allowed": 1, "served": 1, "reason": None}
    assert result["image"]["same"] is True
    assert result["restarts"]["jvm_runs"] == 1
    assert result["session"]["reason"] is None
    assert result["secret"]["mode"] == "0600"
    assert result["clock"]["reason"] == "timedatectl is not installed"
    assert result["log"]["reason"] == "the container's log driver keeps no file"
    assert fake_engine.calls.count("GET /containers/ibgw-paper/json") == 2
    assert all(call.startswith("GET ") for call in fake_engine.calls)
    for text in (json.dumps(result), json.dumps(judged(result))):
        assert "top-secret" not in text
        assert "DU1234567" not in text


def test_a_gateway_of_which_nothing_can_be_had(
    run_module: t.Any, no_engine: t.Any, deploy: t.Any, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(name="live", mode="live", port=closed_port)
    monkeypatch.setattr(health, "CLIENT", "/nowhere/python")
    result = run_module(gateway_health.main, gateway_name="live")
    assert not result.get("failed")
    assert result["look"]["engine"]["reachable"] is False
    for name in ("session", "image", "log", "restarts", "clock", "units"):
        assert result[name]["reason"], name
    assert result["client"]["installed"] is False
    assert judged(result)["verdict"] == "act"


def test_a_gateway_that_its_watcher_has_stopped_is_blocked(
    run_module: t.Any, fake_engine: t.Any, deploy: t.Any
) -> None:
    found = deploy(name="live", mode="live")
    fake_engine.exit(0)
    store = Store("live")
    record = store.load(found.mode)
    record.blocked = "refused_login"
    store.save(record)
    result = run_module(gateway_health.main, gateway_name="live")
    assert result["look"]["state"] == "blocked"
    assert "IBKR refused the user or the password" in judged(result)["sentence"]


def test_a_wrong_account_is_masked(run_module: t.Any, fake_engine: t.Any, deploy: t.Any, healthy_port: int) -> None:
    deploy(port=healthy_port, accounts=["DU7654321"])
    result = run_module(gateway_health.main, gateway_name="paper")
    assert result["accounts"]["fit"] is False
    assert "DU***67" in result["accounts"]["reason"]
    assert "DU1234567" not in json.dumps(result)


def test_a_name_that_is_not_deployed(run_module: t.Any, deploy: t.Any) -> None:
    result = run_module(gateway_health.main, gateway_name="paper")
    assert not result.get("failed")
    assert result["deployed"] is False
    assert "is not deployed on this host" in judged(result)["sentence"]


def test_files_that_may_not_be_read(run_module: t.Any, deploy: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy()

    def refuse(*_arguments: object, **_more: object) -> t.NoReturn:
        raise PermissionError

    monkeypatch.setattr(record_file, "open", refuse, raising=False)
    assert "become: true" in run_module(gateway_health.main, gateway_name="paper")["msg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: gateway_name"),
        ({"gateway_name": "a b"}, "is not a name of a gateway"),
        ({"gateway_name": "paper", "timeout": 0}, "timeout is 0.0"),
    ],
)
def test_bad_options(run_module: t.Any, deploy: t.Any, arguments: dict[str, t.Any], message: str) -> None:
    result = run_module(gateway_health.main, **arguments)
    assert result["failed"]
    assert message in result["msg"]

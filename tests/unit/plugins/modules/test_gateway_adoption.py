"""An old compose gateway: recognised, and its settings taken over without trusting them."""

from __future__ import annotations

import io
import os
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, store
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import adoption
from ansible_collections.ibops.gateway.plugins.modules import gateway_adoption

ASKED = {"gateway_name": "paper", "mode": "paper", "container": "ib-gateway", "uid": os.getuid()}
# As gnzsnz/ib-gateway-docker's compose file sets them.
COMPOSE = ["TWS_USERID=Alice", "TWS_PASSWORD=top-secret", "TRADING_MODE=paper", "TWS_SETTINGS_PATH=/settings"]


def archive(**files: bytes) -> bytes:
    """The folder as the engine archives it, with a link, a device and a path that leads out of it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        tar.addfile(_member("settings/", tarfile.DIRTYPE))
        for name, content in files.items():
            member = _member(f"settings/{name.replace('__', '/')}", tarfile.REGTYPE)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        tar.addfile(_member("settings/link", tarfile.SYMTYPE).replace(linkname="/etc/shadow"))
        tar.addfile(_member("settings/device", tarfile.CHRTYPE))
        tar.addfile(_member("settings/../../../etc/cron.d/x", tarfile.REGTYPE))
    return target.getvalue()


def _member(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    return member


@pytest.fixture
def old(fake_engine: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Any:
    """A compose gateway that is down, and a host with nothing of this collection."""
    monkeypatch.setattr(descriptor, "ROOT", str(tmp_path / "etc"))
    monkeypatch.setattr(store, "ROOT", str(tmp_path / "var"))
    fake_engine.name, fake_engine.labels = "ib-gateway", {"com.docker.compose.project": "ib"}
    fake_engine.environment = list(COMPOSE)
    fake_engine.exit(0)
    content = archive(**{"jts.ini": b"[IBGateway]\n", "abc__ibg.xml": b"<x/>", "abc__autorestart": b"token"})
    monkeypatch.setattr(
        Engine, "path_stat", lambda _self, _container, path: {} if path != "/settings" else {"name": path}
    )
    monkeypatch.setattr(Engine, "archive", lambda _self, _container, _path, _most: content)
    return fake_engine


def test_predicts_copies_and_then_changes_nothing(run_module: t.Any, old: t.Any, tmp_path: Path) -> None:
    predicted = run_module(gateway_adoption.main, check=True, **ASKED)
    assert not (tmp_path / "var").exists()
    done = run_module(gateway_adoption.main, **ASKED)
    assert (predicted["files"], predicted["diff"]) == (done["files"], done["diff"])
    assert (done["files"], done["folder"], done["users"]) == (["abc/ibg.xml", "jts.ini"], "/settings", ["alice"])
    place = tmp_path / "var/paper/tws_settings"
    assert (place / "jts.ini").read_bytes() == b"[IBGateway]\n"
    # Neither the kept sign-in, nor a link, nor what leads out of the folder.
    assert sorted(str(each.relative_to(place)) for each in place.rglob("*")) == ["abc", "abc/ibg.xml", "jts.ini"]
    assert (place.stat().st_mode & 0o777, (place / "jts.ini").stat().st_mode & 0o777) == (0o700, 0o600)
    assert sorted(os.listdir(tmp_path / "var/paper")) == ["session", "tws_settings"]
    assert "top-secret" not in str(done)
    assert run_module(gateway_adoption.main, **ASKED)["changed"] is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "running"}, "container ib-gateway runs. Stop it first"),
        ({"labels": {"ibops.gateway.name": "x"}}, "is gateway x of this collection already"),
        ({"environment": ["TRADING_MODE=live", "TWS_USERID=a"]}, "is of mode live, and this gateway is paper"),
        ({"environment": ["TRADING_MODE=both", "TWS_USERID=a"]}, "is of mode both"),
        ({"environment": ["TRADING_MODE=paper"]}, "has none of /home/ibgateway/tws_settings, /home/ibgateway/Jts"),
        ({"exists": False}, "this host has no container ib-gateway"),
    ],
)
def test_refusals(run_module: t.Any, old: t.Any, tmp_path: Path, change: dict[str, t.Any], message: str) -> None:
    for name, value in change.items():
        setattr(old, name, value)
    refused = run_module(gateway_adoption.main, **ASKED)
    assert message in refused["msg"]
    assert refused["msg"].endswith("Nothing was changed.")
    assert not (tmp_path / "var").exists()


def test_a_deployed_gateway_is_not_overwritten(run_module: t.Any, old: t.Any, deploy: t.Any) -> None:
    deploy()
    assert "gateway paper is deployed" in run_module(gateway_adoption.main, **ASKED)["msg"]


def test_who_acts_on_the_gateway_is_not_disturbed(
    run_module: t.Any, old: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_adoption, "PATIENCE", 0.0)
    with store.Store("paper").lease.held("ann", "a deployment", keep=lambda: 60.0):
        pass
    refused = run_module(gateway_adoption.main, **ASKED)
    assert "busy: a deployment by ann" in refused["msg"]
    assert os.listdir(tmp_path / "var/paper") == ["session"]


def test_what_changed_while_it_waited_counts(
    run_module: t.Any, old: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, looks = adoption.find, []

    def started_meanwhile(*arguments: t.Any) -> adoption.Found:
        if looks:
            old.status = "running"
        looks.append(arguments)
        return find(*arguments)

    monkeypatch.setattr(adoption, "find", started_meanwhile)
    assert "container ib-gateway runs" in run_module(gateway_adoption.main, **ASKED)["msg"]
    assert not (tmp_path / "var/paper/tws_settings").exists()


def test_a_flood_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "MOST_BYTES", 8)
    with pytest.raises(adoption.AdoptionError, match="tidy it up"):
        adoption.members(archive(a=b"12345", b=b"12345"))
    with pytest.raises(adoption.AdoptionError, match="damaged"):
        adoption.members(b"no archive" * 100)

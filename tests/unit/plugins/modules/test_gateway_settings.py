from __future__ import annotations

import errno
import json
import os
import pathlib
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user
from ansible_collections.ibops.gateway.plugins.modules import gateway_settings

PASSWORD = "top\\secret-\u20ac"
Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:

    def run(**arguments: object) -> dict[str, t.Any]:
        fixed = {
            "gateway_name": "paper",
            "config_dir": f"{tmp_path}/etc",
            "state_dir": f"{tmp_path}/var",
            "uid": os.getuid(),
        }
        with patch_module_args({**fixed, **arguments}), pytest.raises(SystemExit):
            gateway_settings.main()
        return json.loads(capsys.readouterr().out)

    return run


def files(directory: pathlib.Path) -> dict[str, tuple[str, int, int]]:
    """Every file below: its bytes, mode and inode (a file that was written again has another inode)."""
    return {
        str(path.relative_to(directory)): (path.read_bytes().decode(), path.stat().st_mode & 0o7777, path.stat().st_ino)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_check_writes_nothing_and_predicts_the_run_and_a_second_run_changes_nothing(
    run: Run, tmp_path: pathlib.Path
) -> None:
    wanted = {
        "password": PASSWORD,
        "config": "ReadOnlyApi=yes\n",
        "descriptor": {"schema": 1},
        "jts": "[Logon]\nTimeZone=UTC\n",
    }
    predicted = run(**wanted, _ansible_check_mode=True)
    assert list(tmp_path.iterdir()) == []
    done = run(**wanted)
    assert (predicted["diff"], predicted["paths"], predicted["changed"]) == (done["diff"], done["paths"], True)
    written = files(tmp_path)
    assert {name: (content, mode) for name, (content, mode, _inode) in written.items()} == {
        "etc/paper/password": ("top\\\\secret-\\u20ac", 0o600),
        "etc/paper/ibc/config.ini.tmpl": ("ReadOnlyApi=yes\n", 0o440),
        "etc/paper/gateway.json": ('{\n  "schema": 1\n}\n', 0o600),
        "var/paper/tws_settings/jts.ini": ("[Logon]\nTimeZone=UTC\n", 0o600),
    }
    again = run(**wanted)
    assert (again["changed"], again["diff"], again["secret_revision"]) == (False, [], done["secret_revision"])
    assert files(tmp_path) == written


def test_modes_keep_everybody_else_out(run: Run, tmp_path: pathlib.Path) -> None:
    run(password=PASSWORD)
    modes = {str(path.relative_to(tmp_path)): f"{path.stat().st_mode & 0o7777:o}" for path in tmp_path.rglob("*")}
    assert modes == {
        "etc": "700",
        "etc/paper": "700",
        "etc/paper/ibc": "750",
        "etc/paper/password": "600",
        "var": "711",
        "var/paper": "711",
        "var/paper/tws_settings": "700",
    }


def test_a_changed_password_is_seen_but_not_shown(run: Run) -> None:
    first = run(password=PASSWORD)
    second = run(password="another-one")
    shown = json.dumps([first, second])
    assert second["paths"][0].endswith("paper/password")
    assert first["secret_revision"] != second["secret_revision"]
    for secret in (PASSWORD, "top\\\\secret", "another-one"):
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown


def test_jts_ini_that_the_gateway_rewrote_is_no_change_but_a_new_zone_is(run: Run, tmp_path: pathlib.Path) -> None:
    run(jts="[Logon]\nTimeZone=UTC\n")
    jts_ini = tmp_path / "var/paper/tws_settings/jts.ini"
    jts_ini.unlink()
    jts_ini.write_bytes(b"#\xe9\r\n[ns]\r\nFarm=x\r\n[Logon]\r\nTimeZone=UTC\r\n")
    jts_ini.chmod(0o644)
    assert run(jts="[Logon]\nTimeZone=UTC\n")["changed"] is False
    assert run(jts="[Logon]\nTimeZone=Europe/London\n")["changed"] is True
    assert jts_ini.read_bytes() == b"#\xe9\n[ns]\nFarm=x\n[Logon]\nTimeZone=Europe/London\n"


@pytest.mark.parametrize("password", ["", " leading", "a\nb"])
def test_a_password_that_ibc_cannot_read_is_refused_before_anything(
    run: Run, tmp_path: pathlib.Path, password: str
) -> None:
    result = run(password=password)
    assert result["failed"] is True
    assert result["msg"].startswith("gateway_password: it ")
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_refused_before_anything(run: Run, tmp_path: pathlib.Path) -> None:
    result = run(config="x", min_free_mib=10**9)
    assert "gateway_min_free_mib: " in result["msg"]
    assert "Nothing was changed" in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_during_the_write_loses_nothing(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config="old\n")
    before = files(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = run(config="new\n")
    assert "No space left on device" in result["msg"]
    assert "config.ini.tmpl" in result["msg"]
    assert files(tmp_path) == before


@pytest.mark.parametrize("check", [True, False])
def test_a_uid_of_a_person_is_refused_before_anything(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    def taken(_uid: int, _check: bool) -> list[dict[str, str]]:
        raise container_user.TakenError("uid 1000 is alice's")

    monkeypatch.setattr(container_user, "reserve", taken)
    result = run(password=PASSWORD, _ansible_check_mode=check)
    assert result["failed"] is True
    assert "alice" in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_what_the_container_planted_is_not_in_the_difference(run: Run, tmp_path: pathlib.Path) -> None:
    run(jts="[Logon]\nTimeZone=UTC\n", password=PASSWORD)
    jts_ini = tmp_path / "var/paper/tws_settings/jts.ini"
    for check in (True, False):
        if check:
            jts_ini.unlink()
            jts_ini.symlink_to(tmp_path / "etc/paper/password")
        result = run(jts="[Logon]\nTimeZone=UTC\n", _ansible_check_mode=check)
        assert result["paths"] == [str(jts_ini)]
        assert "secret-" not in json.dumps(result)
    assert jts_ini.read_text() == "[Logon]\nTimeZone=UTC\n"
    assert (tmp_path / "etc/paper/password").stat().st_mode & 0o777 == 0o600

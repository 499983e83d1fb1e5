from __future__ import annotations

import functools
import pathlib
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.modules import host_files

# A systemctl that keeps what it knows of a unit in a file of its name: UnitFileState, ActiveState and LoadState.
SYSTEMCTL = """#!/bin/sh
cd {place}/units
call=$1
test "$call" = show || echo "$*" >> ../calls
for unit; do
  test -e "$unit" || test "$call" = show || continue
  case $call in
    show)
      case $unit in *.service)
        if test -e "$unit"; then . "./$unit"; else load=not-found file= active=inactive; fi
        printf 'LoadState=%s\\nUnitFileState=%s\\nActiveState=%s\\n\\n' "$load" "$file" "$active"
      esac ;;
    mask) echo "load=masked file=masked active=inactive" > "$unit" ;;
    disable) echo "load=loaded file=disabled active=inactive" > "$unit" ;;
    unmask) echo "load=loaded file=disabled active=inactive" > "$unit" ;;
    enable) sed -i s/file=disabled/file=enabled/ "$unit" ;;
    start) sed -i s/active=inactive/active=active/ "$unit" ;;
  esac
done
test ! -e ../broken || {{ echo "Job for $unit failed." >&2; exit 1; }}
"""
OFF = "load=loaded file=disabled active=inactive"
ON = "load=loaded file=enabled active=active"


@pytest.fixture
def run_module(run_module: t.Any, tmp_path: pathlib.Path) -> t.Any:
    return functools.partial(run_module, files=[], pending=str(tmp_path / "pending.json"))


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    (tmp_path / "units").mkdir()
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(place=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


def calls(place: pathlib.Path) -> list[str]:
    return (place / "calls").read_text().splitlines() if (place / "calls").exists() else []


def have(place: pathlib.Path, **units: str) -> None:
    for unit, state in units.items():
        (place / "units" / f"{unit}.service").write_text(f"{state}\n")


def test_one_call_for_all_units_that_need_the_same(run_module: t.Any, place: pathlib.Path) -> None:
    have(place, a=OFF, b=OFF, c=ON, d=ON, e=ON, f="load=masked file=masked active=inactive", g=ON)
    wanted = dict.fromkeys(["a.service", "b.service", "f.service", "g.service"], "started")
    wanted |= {"c.service": "stopped", "d.service": "stopped", "e.service": "masked", "none.service": "masked"}
    differ = {unit: state for unit, state in wanted.items() if unit not in ("g.service", "none.service")}
    predicted = run_module(host_files.main, units=wanted, check=True)
    assert calls(place) == []
    done = run_module(host_files.main, units=wanted)
    assert (predicted["units"], predicted["diff"]) == (done["units"], done["diff"])
    assert (done["changed"], done["units"]) == (True, differ)
    assert "c.service: exists enabled active\n" in done["diff"][0]["before"]
    assert calls(place) == [
        "mask --now -- e.service",
        "disable --now -- c.service d.service",
        "unmask -- f.service",
        "enable -- a.service b.service f.service",
        "start -- a.service b.service f.service",
    ]
    assert run_module(host_files.main, units=wanted)["changed"] is False


def test_only_what_is_missing_is_done(run_module: t.Any, place: pathlib.Path) -> None:
    have(place, a="load=loaded file=static active=inactive", b="load=loaded file=disabled active=active")
    run_module(host_files.main, units=dict.fromkeys(["a.service", "b.service"], "started"))
    assert calls(place) == ["enable -- b.service", "start -- a.service"]


def test_a_unit_that_a_package_will_bring(run_module: t.Any, place: pathlib.Path) -> None:
    assert run_module(host_files.main, units={"new.service": "started"}, check=True)["changed"] is False


def test_says_what_failed(run_module: t.Any, place: pathlib.Path) -> None:
    have(place, a=OFF)
    (place / "broken").touch()
    failed = run_module(host_files.main, units={"a.service": "started"})
    assert failed["failed"] is True
    assert failed["msg"].startswith("systemctl enable -- a.service: Job for a.service failed.")


def test_refuses_another_state_before_anything_changes(run_module: t.Any, place: pathlib.Path) -> None:
    have(place, a=ON)
    refused = run_module(host_files.main, units={"a.service": "stopped", "b.service": "running"})
    assert refused["msg"] == (
        "units: b.service cannot be 'running'. Write one of started, stopped, masked. Nothing was changed."
    )
    assert calls(place) == []

"""The matrix of ansible-core and Python: its legs are what the locks have, and nothing that differs passes."""

from __future__ import annotations

import pathlib
import tomllib
from collections.abc import Callable

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from tests import matrix
from tests.matrix import LEGS, Leg, faults, interpreter, table
from tests.run import Outcome, Stage

ROOT = pathlib.Path(__file__).parents[3]


def locked(name: str, python: str) -> list[str]:
    """The version of ansible-core that a lock has for a Python."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if line.startswith("ansible-core==")]
    there = [each for each in pins if not each.marker or each.marker.evaluate({"python_full_version": f"{python}.0"})]
    return [next(iter(each.specifier)).version for each in there]


def test_the_locks_have_the_legs() -> None:
    for leg in LEGS:
        newest = [each.core for each in LEGS if each.python == leg.python][-1]
        found = locked("dev" if leg.core == newest else f"ansible-{leg.core}", leg.python)
        assert [version.rpartition(".")[0] for version in found] == [leg.core], leg
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = SpecifierSet(project["requires-python"])
    assert {leg.python for leg in LEGS} == {f"3.{minor}" for minor in range(30) if f"3.{minor}" in wanted}


OLD, NEW = Leg("2.19", "3.11"), Leg("2.21", "3.13")
UNIT, MACHINES = Stage("unit", ""), Stage("molecule-default", "")


def outcome(stage: Stage, passed: int, failed: int = 0) -> dict[str, Outcome]:
    return {stage.name: Outcome(stage, "FAILED" if failed else "ok", passed, failed, 1.0)}


@pytest.mark.parametrize(
    ("old", "new", "log", "found"),
    [
        (outcome(UNIT, 7), outcome(UNIT, 7), "", []),
        (outcome(UNIT, 7), outcome(UNIT, 6), "", ["unit: the legs passed 7 (2.19-3.11), 6 (2.21-3.13)"]),
        ({}, outcome(MACHINES, 3), "fine", []),
        (
            {},
            outcome(MACHINES, 3),
            "[DEPRECATION WARNING]: x",
            ["2.21-3.13: logs/2.21-3.13/molecule-default.log has a [DEPRECATION WARNING]"],
        ),
    ],
)
def test_what_differs_is_a_fault(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    old: dict[str, Outcome],
    new: dict[str, Outcome],
    log: str,
    found: list[str],
) -> None:
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "LOGS", tmp_path / "logs")
    NEW.logs.mkdir(parents=True)
    (NEW.logs / "molecule-default.log").write_text(log)
    assert faults({OLD: old, NEW: new}) == found


def test_the_counts_stand_side_by_side() -> None:
    lines = table({OLD: outcome(UNIT, 7), NEW: outcome(UNIT, 6, 1) | outcome(MACHINES, 3)}, ["a fault"]).splitlines()
    assert lines[1:] == [
        "                  2.19-3.11           2.21-3.13",
        "unit              7 passed, 0 failed  6 passed, 1 failed",
        "molecule-default  -                   3 passed, 0 failed",
        "a fault",
        "16 passed, 2 failed",
    ]


@pytest.fixture
def python(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], pathlib.Path]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def make(folder: str, status: int) -> pathlib.Path:
        program = tmp_path / folder / "python3.13"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
        return program

    return make


def test_a_shim_without_its_python_is_passed_by(
    python: Callable[[str, int], pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = python("shims", 127)
    monkeypatch.setenv("PATH", str(shim.parent))
    with pytest.raises(LookupError, match=r"no python3\.13 on PATH"):
        interpreter("3.13")
    real = python("home/.pyenv/versions/3.13.0/bin", 0)
    assert interpreter("3.13") == str(real)

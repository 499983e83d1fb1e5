"""An audit measures some parts again, and takes the others from results.json."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from audit.machine import Machine
from audit.report import Verdict

# `audit.__main__` is not imported by a name of its own anywhere.
program = importlib.import_module("audit.__main__")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results.json is; a base is 60, ours 95."""
    monkeypatch.setattr(program, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(Machine, "set_up", lambda _machine: None)
    monkeypatch.setattr(program, "measure_base", lambda *_: {"lynis": Verdict({"index": 60.0})})
    monkeypatch.setattr(program, "measure_ours", lambda *_: {"lynis": Verdict({"index": 95.0})})
    return tmp_path / "results.json"


def audit(only: str | None, release: str = "trixie") -> bool:
    chosen = argparse.Namespace(only=only, judges=["lynis"], keep=False)
    good: bool = program.audit_release(Machine("host", {"SANDBOX_BACKEND": "vm"}), release, chosen, [])
    return good


def indexes(results: Path) -> dict[str, dict[str, Any]]:
    return {
        release: {part: measured["judges"]["lynis"]["figures"]["index"] for part, measured in parts.items()}
        for release, parts in json.loads(results.read_text()).items()
    }


def test_both(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(None) is True
    assert indexes(results) == {"trixie": {"base": 60, "ours": 95}}
    assert "60      95" in capsys.readouterr().out


def test_the_other_part_is_kept(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit("base")
    assert indexes(results) == {"trixie": {"base": 60}}
    audit("ours", "bookworm")
    audit("ours")
    assert indexes(results) == {"trixie": {"base": 60, "ours": 95}, "bookworm": {"ours": 95}}
    assert json.loads(results.read_text())["trixie"]["ours"]["backend"] == "vm"
    assert "60      95" in capsys.readouterr().out

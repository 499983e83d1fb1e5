"""The parts of the vm backend that need no VM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sandbox.machine import vm
from sandbox.machine.common import SandboxError


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vm, "MACHINES", tmp_path)
    return tmp_path


def test_the_probe_is_a_boot_sector() -> None:
    assert len(vm.PROBE_SECTOR) == 512
    assert vm.PROBE_SECTOR.endswith(b"\x55\xaa")


def test_a_process_number_that_has_gone_to_another_process_is_not_a_vm(machines: Path) -> None:
    place = machines / "m"
    place.mkdir()
    (place / "options.json").write_text("{}")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (place / "pid").write_text(str(other.pid))
        found = vm.inspect("m")
        assert found is not None
        assert not found["running"]
        vm.remove("m")
        assert other.poll() is None
        other.communicate(b"\n")
    assert vm.inspect("m") is None
    assert not vm.remove("m")


def test_without_set_up_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm, "CACHE", tmp_path)
    with pytest.raises(SandboxError, match="make setup BACKEND=vm"):
        vm.base("trixie")

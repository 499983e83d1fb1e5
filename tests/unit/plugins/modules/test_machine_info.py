from __future__ import annotations

import os
import typing as t

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.host import facts
from ansible_collections.ibops.gateway.plugins.modules import machine_info


def test_a_machine_is_itself_until_it_boots(run_module: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_module(machine_info.main)
    assert (run_module(machine_info.main), first["changed"]) == (first, False)
    assert first["distribution"].keys() == {"id", "version", "codename"}
    monkeypatch.setattr(facts, "text", lambda _path: "another boot\n")
    assert run_module(machine_info.main)["machine"] != first["machine"]


def test_containers_of_one_kernel_are_machines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "text", lambda _path: "boot\n")
    seen = []
    for device in (1, 2):
        status = os.stat_result((0, 7, device, 1, 0, 0, 0, 0, 0, 0))
        monkeypatch.setattr(facts.os, "stat", lambda _path, status=status: status)
        seen.append(facts.machine())
    assert seen == ["boot/1/7", "boot/2/7"]


def test_looks_at_this_machine(run_module: t.Any) -> None:
    found = run_module(machine_info.main, facts=True, sysctls=["kernel.ostype"])
    assert found["changed"] is False
    assert found["sysctls"] == {"kernel.ostype": "Linux"}
    assert "root" in found["users"]
    assert found["packages"]["dpkg"]
    documented = {key for key in found if key not in ("changed", "invocation")}
    assert documented == set(yaml.safe_load(machine_info.RETURN))

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.ibops.gateway.plugins.modules import hardening_info


def test_looks_at_this_machine(run_module: t.Any) -> None:
    found = run_module(hardening_info.main, sysctls=["kernel.ostype"], services=[])
    assert found["changed"] is False
    assert found["sysctls"] == {"kernel.ostype": "Linux"}
    assert "root" in found["users"]
    assert found["packages"]["dpkg"]
    documented = {key for key in found if key != "changed"}
    assert documented == set(yaml.safe_load(hardening_info.RETURN))

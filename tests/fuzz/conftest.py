"""Fuzzing: any input gives the module's own error at worst, within bounds, and the same answer twice.

Stage `fuzz` tries the same few hundred inputs in every run. `FUZZ=long pytest -n 2 tests/fuzz` tries thousands, others
each time; what it finds is printed as a `@reproduce_failure` line.

The inputs are drawn from what a line, a frame or a file looks like. atheris, which mutates bytes by coverage, is not
used: nearly all of its inputs would end at the first check of their form, a JSON parser's or a frame's length.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, store

# One folder per test serves all its examples: each writes its file again.
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
COMMON: dict[str, Any] = {"deadline": None, "print_blob": True, "suppress_health_check": CHECKS}
settings.register_profile("fuzz", derandomize=True, max_examples=200, **COMMON)
settings.register_profile("fuzz-long", derandomize=False, max_examples=20_000, **COMMON)
settings.load_profile("fuzz-long" if os.environ.get("FUZZ") == "long" else "fuzz")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of gateway `paper` on a VM that is nothing but this folder."""
    monkeypatch.setattr(descriptor, "ROOT", str(tmp_path))
    monkeypatch.setattr(store, "ROOT", str(tmp_path))
    folder = tmp_path / "paper"
    (folder / "session").mkdir(parents=True)
    return folder

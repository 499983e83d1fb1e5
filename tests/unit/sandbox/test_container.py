"""A container machine belongs to one checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox.machine import common, container, keys
from sandbox.machine.common import CHECKOUT_LABEL, LABEL, ROOT, SandboxError

OPTIONS = {"name": "m", "release": "trixie", "image": ""}


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The labels of the engine's one machine, of another checkout that exists; its images all have an id."""
    labels = {LABEL: "machine", CHECKOUT_LABEL: str(tmp_path), f"{LABEL}.options": '{"key": "theirs"}'}

    def present(kind: str, name: str, _template: str) -> str:
        return f"id of {name}" if kind == "image" else json.dumps({"running": True, "labels": labels})

    monkeypatch.setattr(container, "present", present)
    monkeypatch.setattr(keys, "fingerprint", lambda: "ours")
    monkeypatch.setattr(common, "STATE", tmp_path)
    return labels


def test_a_machine_of_another_checkout_is_refused(engine: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="SANDBOX_SLOT") as refused:
        container.inspect("m")
    assert str(tmp_path) in str(refused.value)
    # A removal looks first.
    with pytest.raises(SandboxError, match="SANDBOX_SLOT"):
        container.remove("m")


@pytest.mark.parametrize(
    "labels",
    [
        {CHECKOUT_LABEL: str(ROOT)},
        {CHECKOUT_LABEL: "/nowhere/at/all"},
        # A copy of a checkout, with its .sandbox.
        {f"{LABEL}.options": '{"key": "ours"}'},
    ],
    ids=["own", "gone", "copy"],
)
def test_a_machine_is_ours_to_replace(engine: dict[str, Any], labels: dict[str, str]) -> None:
    engine |= labels
    found = container.inspect("m")
    assert found is not None
    assert found["running"]


def test_the_image_is_the_one_that_set_up_noted(tmp_path: Path) -> None:
    common.machine_image_note("trixie").write_text("machine:trixie-1\n")
    assert container.wanted(OPTIONS)["image"] == "machine:trixie-1"
    assert container.wanted(OPTIONS)["image_id"] == "id of machine:trixie-1"
    assert container.wanted(OPTIONS | {"image": "own:2"})["image"] == "own:2"


def test_without_a_note_the_error_names_set_up() -> None:
    with pytest.raises(SandboxError, match="sandbox/setup --release trixie"):
        container.wanted(OPTIONS)

"""tests/lint/generated.py: a key of IBC is one row, and no generated text can be changed by hand alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.lint import generated

TABLE: Any = generated.ibc


@pytest.fixture
def new_row(monkeypatch: pytest.MonkeyPatch) -> Any:
    key = TABLE.Key(
        name="FlashOnFill",
        values=TABLE.YES_NO,
        variable="gateway_flash_on_fill",
        type="bool",
        default=True,
        since="3.30.0",
        description="Flash the window on a fill.",
    )
    monkeypatch.setattr(TABLE, "SECTIONS", {**TABLE.SECTIONS, "Log": (*TABLE.SECTIONS["Log"], key)})
    monkeypatch.setattr(TABLE, "KEYS", {**TABLE.KEYS, key.name: key})
    return key


def test_a_row_is_all_that_a_new_key_needs(new_row: Any) -> None:
    texts = {path.name: text for path, text in generated.texts().items()}
    options = yaml.safe_load(texts["argument_specs.yml"])["argument_specs"]["main"]["options"]
    assert options["gateway_flash_on_fill"] == {
        "description": "Flash the window on a fill. Needs IBC 3.30.0 or later.",
        "type": "bool",
        "default": True,
    }
    assert yaml.safe_load(texts["ibc.yml"])["gateway_flash_on_fill"] is True
    assert "FlashOnFill={{ yes_no(gateway_flash_on_fill) }}" in texts["config.ini.j2"].splitlines()


@pytest.mark.parametrize("path", [path.relative_to(generated.ROOT) for path in generated.texts()], ids=str)
@pytest.mark.parametrize("change", ["", "gateway_half_added: true\n"], ids=["missing", "changed"])
def test_a_text_that_is_not_current_fails(
    path: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = generated.texts()
    monkeypatch.setattr(generated, "texts", lambda: {generated.ROOT / path: wanted[generated.ROOT / path] + change})
    if not change:
        monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(sys, "argv", ["generated", "--check"])
    assert generated.main() == 1
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize("key", TABLE.KEYS.values(), ids=lambda key: key.name)
def test_each_key_is_whole(key: Any) -> None:
    used = key.variable in ("gateway_user", "gateway_password", "gateway_mode", TABLE.BYPASS)
    assert bool(key.description) == (bool(key.variable) and not used)
    assert bool(key.reason) == (key.text is not None and not key.variable)
    if key.description:
        assert (key.type == "bool") == (key.values in (TABLE.YES_NO, TABLE.NO))

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's table of IBC's settings, which the stand-in reads too, against IBC's source and the recordings.

The stand-in links to the table: a mistake in it would otherwise be made on both sides and seen on none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.standin.transcripts import ROOT, Transcript

from ibgw_standin import settings
from ibgw_standin.ibc_settings import KEYS, RECORDED_AT, YES_NO, Key

READ: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parents[2] / "standin" / "settings.yml").read_text())
# Keys that the product lets nobody set, so that its table takes one of IBC's values.
FIXED = {"FIX": "yes", "ReadOnlyLogin": "yes"}
# Values that IBC was given to misread: what the recordings of those names are of.
MISREAD = {
    "27-autorestart-24h": "AutoRestartTime",
    "27-closedown-bad": "ClosedownAt",
    "27-coldrestart-bad": "ColdRestartTime",
    "27-existing-action-bad": "ExistingSessionDetectedAction",
    "27-trading-mode-ini": "TradingMode",
}
TRANSCRIPTS = [each for each in map(Transcript, sorted(ROOT.glob("*.log"))) if each.config]
known = {name: key for name, key in KEYS.items() if key.since == RECORDED_AT}


def test_the_table_knows_the_keys_that_ibc_reads_and_no_others() -> None:
    assert READ.keys() == known.keys()


@pytest.mark.parametrize("name", READ)
def test_a_key_has_ibcs_default_and_kind(name: str) -> None:
    key, read = known[name], READ[name]
    assert key.blank == read["default"]
    if read["read"] == "boolean":
        assert key.values is YES_NO or name in FIXED
    elif read["read"] == "int":
        assert key.values.pattern == r"\d{1,10}"
    if "words" in read:
        assert {*key.values.choices} | {"ignore"} == {*read["words"]} | {"ignore"}


def accepts(key: Key, value: str) -> bool:
    return value == "" or re.fullmatch(key.values.pattern, value, re.IGNORECASE) is not None


@pytest.mark.parametrize("recorded", TRANSCRIPTS, ids=lambda each: each.stem)
def test_the_table_takes_what_ibc_took_and_refuses_what_it_misread(recorded: Transcript) -> None:
    given = dict(line.split("=", 1) for line in recorded.config.splitlines())
    wrong = {name for name, value in given.items() if not accepts(known[name], value)}
    assert wrong == {name for stem, name in MISREAD.items() if stem == recorded.stem}


def test_the_products_template_sets_every_key_of_the_table_but_one() -> None:
    """The recordings were made with it: what IBC printed is what it read."""
    given = {line.split("=", 1)[0] for each in TRANSCRIPTS for line in each.config.splitlines()}
    assert given == {name for name, key in known.items() if key.variable or key.text is not None}
    assert known.keys() - given == {"LogComponents"}


def test_the_stand_in_reads_as_ibc_does() -> None:
    """With nothing set, each key is what IBC's source takes for it."""
    blank = settings.read(b"")
    assert {name: blank.text(name) for name in READ} == {name: read["default"] for name, read in READ.items()}

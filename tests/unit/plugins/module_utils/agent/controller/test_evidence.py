# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.plugins.evidence import RECORDED, WAYS, Way, markdown, told
from tests.unit.plugins.recordings import Recorded

ROOT = Path(__file__).parents[6]
# From a line to the end of the container, with room to spare (bench/reaction.py).
ENOUGH_MS = 600


@pytest.mark.parametrize(
    ("of", "way"), [pytest.param(of, way, id=way.what) for of in RECORDED for way in WAYS[of.controller.name]]
)
def test_the_first_line_that_tells_of_a_push_is_in_time(of: Recorded, way: Way) -> None:
    for stem, number in way.shown:
        assert way.line in told(of.place / f"{stem}.log")[number].line
    assert all(margin >= ENOUGH_MS for margin in way.margins(of.place))


def test_the_documentation_is_this_table() -> None:
    assert markdown() in (ROOT / "docs" / "reference" / "controllers.md").read_text()

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of a host, and of what is installed there, name playbooks that exist, as both doors know them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[5]
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
SOURCES = [
    *(ROOT / "plugins/module_utils/agent").rglob("*.py"),
    *(ROOT / "plugins/module_utils/deploy").rglob("*.py"),
    ROOT / "roles/observability/vars/main/rules.yml",
]


def test_no_text_of_a_host_names_a_path_of_a_checkout() -> None:
    lines = [line for path in SOURCES for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in lines if re.search(r"playbooks/\w+\.yml|\bsite\.yml", line)]


def test_every_playbook_that_a_text_names_exists() -> None:
    text = "\n".join(path.read_text() for path in SOURCES)
    named = {*re.findall(r"ansible-playbook ibops\.gateway\.(\w+)", text)}
    named |= {each.lower() for each in re.findall(r"\bplaybooks\.([A-Z_]+)\b", text)}
    assert named - {"inventory", "host"} <= PLAYBOOKS
    assert {"site", "live_signin", "alert_test"} <= named

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of a gateway, and what it has told, for its tests."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control


class Ended(Exception):
    """Ends a watcher that would watch endlessly."""


def told(control: Control) -> list[str]:
    content = json.loads(Path(control.store.directory, "alerts.json").read_text())
    return [entry["alert"]["key"] for entry in content["pending"]]

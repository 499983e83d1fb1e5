# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated world's state across JVM runs: faults, and counts of events."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import faults, files
from .gateway import Faults


class Memory:
    """A JSON file beside the control socket; ibcstart removes it when a container starts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known: dict[str, Any] = {}
        if path.exists():
            known = json.loads(path.read_text())
        initial = faults.parse_list(os.environ.get("STANDIN_FAULT", ""))
        self.faults: Faults = known.get("faults", initial)
        self.counts: dict[str, int] = known.get("counts", {})

    def count(self, name: str) -> int:
        """Add one to a count (``starts``, ``logins``, ``pushes``, ``cold_restarts``) and return it."""
        self.counts[name] = self.counts.get(name, 0) + 1
        self.save()
        return self.counts[name]

    def save(self) -> None:
        """Write the file, whole or not at all."""
        files.write_whole(self._path, json.dumps({"faults": self.faults, "counts": self.counts}))

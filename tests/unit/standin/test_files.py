# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the stand-in keeps: the next JVM can read what a killed one leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ibgw_standin.testing import PACKAGE_ROOT

WRITERS = {
    "settings": """
from ibgw_standin.configuration import GatewaySettings
kept = GatewaySettings(path, 4002)
kept.bypassed = ["x" * 4000] * 50""",
    "memory": """
from ibgw_standin.memory import Memory
kept = Memory(path)
kept.counts = {"x" * 4000 + str(number): number for number in range(50)}""",
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_killed_writer_leaves_a_whole_file(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "file.json"
    path.parent.mkdir()
    program = f"from pathlib import Path\npath = Path({str(path)!r}){WRITERS[writer]}\nwhile True:\n    kept.save()\n"
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)})
        while process.poll() is None and not path.exists():
            time.sleep(0.005)
        time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        assert len(json.loads(path.read_text())) > 1
        path.unlink()

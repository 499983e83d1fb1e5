# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

PLACE = Path(__file__).parents[3] / ".cache" / "stunnel"


@pytest.fixture(scope="session")
def stunnel() -> list[str]:
    """The command of stunnel: what is installed, else Debian's, unpacked below .cache, so that no service starts."""
    if installed := shutil.which("stunnel4"):
        return [installed]
    PLACE.mkdir(parents=True, exist_ok=True)
    program = PLACE / "usr" / "bin" / "stunnel4"
    with (PLACE / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # parallel test runs share it
        if not program.exists():
            subprocess.run(["apt-get", "-q", "download", "stunnel4", "libwrap0"], cwd=PLACE, check=True)
            for package in PLACE.glob("*.deb"):
                subprocess.run(["dpkg-deb", "--extract", package, PLACE], check=True)
    library = PLACE / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    return ["env", f"LD_LIBRARY_PATH={library}", os.fspath(program)]

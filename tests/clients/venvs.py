# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments of the real API clients, each from its lock: ``python tests/clients/venvs.py [NAME ...]``.

ibapi and nautilus-ibapi install the same package, so no two clients share an environment. One is reused as long as
its lock and the Python are the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".sandbox" / "clients"
NAMES = ("ib_async", "ib_insync", "ibapi", "nautilus")


def python_of(name: str) -> Path:
    """Return the Python of a client's environment, made first where it is missing or out of date."""
    lock = ROOT / "requirements" / f"clients-{name}.txt"
    venv = HOME / name
    python, stamp = venv / "bin" / "python", venv / "lock.sha256"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # parallel test runs share the environments
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        print(f"clients: installing {name} into {venv.relative_to(ROOT)}", file=sys.stderr, flush=True)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(venv)], check=True)
        install = [*uv, "pip", "install", "--require-hashes", "--python", str(python), "-r", str(lock)]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
    return python


if __name__ == "__main__":
    for client in sys.argv[1:] or NAMES:
        print(python_of(client))

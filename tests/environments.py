"""Virtual environments of their own, each from its locks, kept as long as locks and Python are the same."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def python_of(venv: Path, python: str, options: Sequence[str | Path]) -> Path:
    """Return the Python of *venv*, made with *python* and uv's *options* where it is missing or out of date.

    Of the options, a Path is a lock.
    """
    version = subprocess.run([python, "-c", "import sys; print(sys.version)"], check=True, capture_output=True).stdout
    locks = [each.read_bytes() for each in options if isinstance(each, Path)]
    wanted = hashlib.sha256(b"".join([*locks, version])).hexdigest()
    own, stamp = venv / "bin" / "python", venv / "lock.sha256"
    venv.parent.mkdir(parents=True, exist_ok=True)
    with venv.with_name(f"{venv.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # parallel test runs share the environments
        if stamp.exists() and stamp.read_text() == wanted:
            return own
        print(f"installing {venv.relative_to(ROOT)}", file=sys.stderr, flush=True)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", python, venv], check=True)
        # ansible-test asks pip; the one that comes with this Python is not downloaded.
        subprocess.run([own, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*uv, "pip", "install", "--require-hashes", "--python", own, *options], check=True)
        stamp.write_text(wanted)
    return own

"""The files of the project: what git tracks, or would track with the next `git add --all`."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def project_files() -> list[Path]:
    """Regular files, relative to ROOT; neither what .gitignore names, nor links, nor what was deleted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (Path(name) for name in sorted(set(names.split("\0"))) if name)
    return [path for path in paths if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]

"""Write the hash locks of the Python packages, or check that they are current: `lock.py [--check]`.

A lock is made from a dependency group of pyproject.toml or from requirements/<name>.in, and is valid for every Python
that pyproject.toml allows. It starts with its source's digest, so that the check needs no network. requirements.txt,
which ships with the collection, has the ranges of group `collection`, not versions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("requirements")
SHIPPED = ROOT / "requirements.txt"


@dataclass(frozen=True)
class Lock:
    """requirements/<name>.txt: its source file, the deciding part of it, and uv's arguments."""

    name: str
    source: str
    decisive: str
    arguments: list[str]

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.txt"

    @property
    def header(self) -> str:
        digest = hashlib.sha256(self.decisive.encode()).hexdigest()
        return f"# Written by `make lock` from {self.source}; sha256 {digest}\n"


def packages(groups: dict[str, list[Any]], name: str) -> list[str]:
    """The requirements of a dependency group, with those of the groups that it includes."""
    found: list[str] = []
    for entry in groups[name]:
        found += packages(groups, entry["include-group"]) if isinstance(entry, dict) else [entry]
    return sorted(found)


def shipped_requirements() -> str:
    """Return the content of requirements.txt: the Python packages that the collection imports on a control node."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    lines = ["# Written by `make lock` from group `collection` of pyproject.toml.", *packages(groups, "collection")]
    return "\n".join(lines) + "\n"


def locks() -> list[Lock]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    python = project["project"]["requires-python"]

    def group(name: str, *arguments: str) -> Lock:
        decisive = json.dumps([python, packages(project["dependency-groups"], name)])
        return Lock(name, "pyproject.toml", decisive, ["--group", name, *arguments])

    # controller is part of dev and has its versions, so that dev can be installed over it, or instead of it.
    found = [group("dev"), group("controller", "--constraints", "requirements/dev.txt")]
    for path in sorted((ROOT / FOLDER).glob("*.in")):
        source = str(FOLDER / path.name)
        # An ansible-core for tests/matrix.py, which installs it with the rest of dev.txt.
        alone = ["--no-deps"] if path.stem.startswith("ansible-") else []
        found.append(Lock(path.stem, source, path.read_text(), [source, *alone]))
    return found


def write(lock: Lock) -> None:
    """Resolve with uv. It keeps the present lock's versions where they still fit: remove the file to renew them all."""
    path = (ROOT / lock.path).resolve()
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *lock.arguments, *options, "--output-file", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    path.write_text(lock.header + path.read_text())


def problems(lock: Lock) -> list[str]:
    """Return a lock's problems in words; empty if it is current."""
    path = ROOT / lock.path
    content = path.read_text() if path.exists() else ""
    found = []
    if not content.startswith(lock.header):
        found.append(f"{lock.path} does not belong to the present {lock.source}: run `make lock`")
    pins = re.findall(r"^\w.*$", content, re.M)
    found += [f"{lock.path}: {pin.split()[0]} has no hash: run `make lock`" for pin in pins if not pin.endswith("\\")]
    places = re.findall(r"^--.*$|^.*://.*$", content, re.M)
    found += [f"{lock.path}: `{line}` names a place to fetch from, which is for each machine's pip" for line in places]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a lock is not current")
    check = parser.parse_args().check
    found = []
    for lock in locks():
        if check:
            found += problems(lock)
        else:
            write(lock)
    if not check:
        SHIPPED.write_text(shipped_requirements())
    elif SHIPPED.read_text() != shipped_requirements():
        found.append(f"{SHIPPED.name} does not belong to the present pyproject.toml: run `make lock`")
    print("\n".join(found) or f"{len(locks())} locks {'are current' if check else 'written'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

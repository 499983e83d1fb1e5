"""Write the hash locks of the Python packages, or prove that they are current: `lock.py [--check]`.

A lock is made from a dependency group of pyproject.toml and is valid for every Python that pyproject.toml allows.
It starts with the digest of its group, so that the check needs no network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Group -> lock. dev comes first and gives its versions to the others, which are parts of it.
LOCKS = {
    "dev": Path("requirements/dev.txt"),
    "controller": Path("requirements/controller.txt"),
    "client-check": Path("roles/gateway/files/client_check.txt"),
}
HEADER = "# Written by `make lock` from group {group} of pyproject.toml; sha256 {digest}\n"


def packages(groups: dict[str, list[Any]], name: str) -> list[str]:
    """The requirements of a group, with those of the groups that it includes."""
    found: list[str] = []
    for entry in groups[name]:
        found += packages(groups, entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def header(group: str) -> str:
    """First line of the lock that belongs to the present pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    decisive = [project["project"]["requires-python"], sorted(packages(project["dependency-groups"], group))]
    return HEADER.format(group=group, digest=hashlib.sha256(json.dumps(decisive).encode()).hexdigest())


def write(group: str, lock: Path) -> None:
    """Resolve with uv. It keeps the present lock's versions where they still fit: remove the file to renew them all."""
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
    if group != "dev":
        options += ["--constraints", str(LOCKS["dev"])]
    command = [sys.executable, "-m", "uv", "pip", "compile", "--group", group, *options, "--output-file", str(lock)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (ROOT / lock).write_text(header(group) + (ROOT / lock).read_text())


def problems(group: str, lock: Path) -> list[str]:
    """What is wrong with a lock, in words; empty when it is current."""
    content = (ROOT / lock).read_text() if (ROOT / lock).exists() else ""
    found = []
    if not content.startswith(header(group)):
        found.append(f"{lock} does not belong to the present group {group} of pyproject.toml: run `make lock`")
    pins = re.findall(r"^\w.*$", content, re.M)
    found += [f"{lock}: {pin.split()[0]} has no hash: run `make lock`" for pin in pins if not pin.endswith("\\")]
    places = re.findall(r"^--.*$|^.*://.*$", content, re.M)
    return found + [f"{lock}: `{line}` names a place to fetch from, which is for each machine's pip" for line in places]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a lock is not current")
    check = parser.parse_args().check
    found = []
    for group, lock in LOCKS.items():
        if check:
            found += problems(group, lock)
        else:
            write(group, lock)
    print("\n".join(found) or f"{len(LOCKS)} locks {'are current' if check else 'written'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Nothing in the tree belongs to one machine: no path of a checkout or a home, no package index, no unfinished work.

A line that has to look like one of them ends in `lint-tree: <reason>`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.lint.files import ROOT, project_files

# Users of the machines and images that the project makes, whose homes are therefore nobody's.
OUR_USERS = ("ibgateway", "operator", "runner")
# Where Python packages come from by default: not a secret, and named by nobody's configuration here.
PUBLIC_INDEX = "pypi.org"
BINARY = {".gz", ".ico", ".jpg", ".pdf", ".png", ".xz"}
ALLOWED = re.compile(r"lint-tree: \w+")

HOMES = (
    rf"(?<![\w.}}])(?<!\w\")/(?:root/(?!\.(?:ansible|cache|ssh)\b)|home/(?!(?:{'|'.join(OUR_USERS)})\b|[<{{$])[a-z])"
)
INDEX = r"--(?:extra-)?index-url|--trusted-host|--find-links\b|\bindex-url\s*=|/simple/?\s*$"  # lint-tree: rule
UNFINISHED = r"\b(?:TODO|FIXME|XXX)\b|^(?:<{7}|>{7}) "  # lint-tree: rule
RULES = {
    "a path of a home directory": re.compile(HOMES),
    "a package index option": re.compile(INDEX),
    "unfinished work": re.compile(UNFINISHED),
}


def machine_words() -> set[str]:
    """This checkout's own path, and the hosts and folders that this machine's pip fetches from."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    configured = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    words = {str(ROOT)}
    for setting, value in re.findall(r"^\S*\.([\w-]+)='(.*)'$", configured, re.M):
        if setting in {"index-url", "extra-index-url", "find-links", "trusted-host", "proxy"}:
            for word in value.split():
                url = urlsplit(word)
                words.add(url.hostname or url.path)
    return words - {PUBLIC_INDEX}


def problems(path: Path, words: set[str]) -> list[str]:
    found = []
    for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
        if ALLOWED.search(line):
            continue
        names = [name for name, pattern in RULES.items() if pattern.search(line)]
        names += ["a place of this machine only" for word in words if word in line]
        found += [f"{path}:{number}: {name}: {line.strip()[:100]}" for name in names]
    return found


if __name__ == "__main__":
    local = machine_words()
    files = [path for path in project_files() if path.suffix not in BINARY]
    everything = [problem for path in files for problem in problems(path, local)]
    print("\n".join(everything) or f"{len(files)} files belong to no machine")
    sys.exit(bool(everything))

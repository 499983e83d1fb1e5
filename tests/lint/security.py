"""Bandit on every Python file, detect-secrets on every file: `security.py bandit|secrets`.

tests/lint/security.yml lists each accepted finding: file, rules, reason. A finding without an entry is an error, and
so is an entry without a finding. No rule is switched off for the whole project.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import yaml
from tests.lint.files import ROOT, project_files

ACCEPTED = ROOT / "tests/lint/security.yml"
# Tests assert, and start what they test. Locks are hashes and nothing else, and the table would be found by its words.
NO_PYTHON = re.compile(r"(tests/(?!lint/|run\.py)|molecule/)")
NO_TEXT = re.compile(r"requirements/[\w-]+\.txt|tests/lint/security\.yml")
Finding = tuple[str, int, str]


def output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(f"{command[0]}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def bandit(paths: list[str]) -> list[Finding]:
    python = [path for path in paths if path.endswith(".py") and not NO_PYTHON.match(path)]
    found = json.loads(output("bandit", "--quiet", "--format", "json", *python))
    if found["errors"]:
        sys.exit(f"bandit: {found['errors']}")
    return [(each["filename"].removeprefix("./"), each["line_number"], each["test_id"]) for each in found["results"]]


def secrets(paths: list[str]) -> list[Finding]:
    texts = [path for path in paths if not NO_TEXT.fullmatch(path)]
    found = json.loads(output("detect-secrets", "scan", "--no-verify", *texts))["results"]
    return [(path, each["line_number"], each["type"]) for path, all_of in found.items() for each in all_of]


TOOLS = {"bandit": bandit, "secrets": secrets}


def problems(tool: str, paths: list[str]) -> list[str]:
    table: dict[str, dict[str, str]] = yaml.safe_load(ACCEPTED.read_text())
    accepted = {
        (path, rule)
        for path, reasons in table.items()
        for rules, why in reasons.items()
        if why
        for rule in rules.split(", ")
    }
    found = TOOLS[tool](paths)
    mine = {(path, rule) for path, rule in accepted if bool(re.fullmatch(r"B\d+", rule)) == (tool == "bandit")}
    stale = mine - {(path, rule) for path, _line, rule in found}
    return [f"{path}:{line}: {rule}" for path, line, rule in found if (path, rule) not in accepted] + [
        f"{ACCEPTED.relative_to(ROOT)}: {path}: {rule} has no finding there" for path, rule in sorted(stale)
    ]


if __name__ == "__main__":
    every = [str(path) for path in project_files()]
    wrong = problems(sys.argv[1], every)
    print("\n".join(wrong) or f"{sys.argv[1]}: nothing without a reason in {len(every)} files")
    sys.exit(bool(wrong))

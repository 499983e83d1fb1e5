"""Run stages of tests/run.py on each ansible-core and Python: `python -m tests.matrix [--leg LEG ...] [STAGE ...]`.

A leg is an environment in .cache/matrix: the lock dev.txt, with requirements/ansible-<core>.txt over it where its
Python would take a newer ansible-core. Legs run one after the other; their logs are in .cache/tests/<leg>, and at the
end their counts stand side by side. Beside a failed test these fail: a stage of which legs pass different numbers of
tests, a leg whose playbooks print a deprecation warning, and one whose Python is not on this machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.environments import python_of
from tests.run import LOGS, ROOT, STAGES, Outcome, Runner, Stage

LOCKS = ROOT / "requirements"
# By ansible-core, the Pythons that take it, of those in pyproject.toml.
PYTHONS = {"2.19": ("3.11", "3.12", "3.13"), "2.20": ("3.12", "3.13"), "2.21": ("3.12", "3.13")}
SANITY = Stage("sanity-import", "python -m tests.lint.sanity -- --test import --test compile", minutes=15)
ON_EACH = (*(STAGES[name] for name in ("unit", "slow", "gcp", "refusals")), SANITY)
ON_MACHINES = STAGES["molecule-default"]
CHOICES = {stage.name: stage for stage in (*ON_EACH, ON_MACHINES)}
DEPRECATED = "[DEPRECATION WARNING]"


@dataclass(frozen=True)
class Leg:
    """An ansible-core on a Python."""

    core: str
    python: str

    @property
    def name(self) -> str:
        return f"{self.core}-{self.python}"

    @property
    def logs(self) -> Path:
        return LOGS / self.name

    def programs(self) -> Path:
        """Return the folder of the environment's programs, made where it is missing; LookupError without its Python."""
        # That lock has the newest that the Python takes.
        newest = [leg.core for leg in LEGS if leg.python == self.python][-1]
        over: list[str | Path] = [] if self.core == newest else ["--overrides", LOCKS / f"ansible-{self.core}.txt"]
        options = ["--no-deps", "--only-binary", ":all:", "-r", LOCKS / "dev.txt", *over]
        venv = ROOT / ".cache" / "matrix" / self.name
        python = python_of(venv, interpreter(self.python), options)
        # As requirements/venv does, or the test of its memory is skipped.
        package = venv / "lib" / f"python{self.python}" / "site-packages/google/cloud/compute_v1"
        subprocess.run([python, "-m", "compileall", "-q", package], check=True)
        return python.parent


LEGS = [Leg(core, python) for core, pythons in PYTHONS.items() for python in pythons]


def interpreter(version: str) -> str:
    """Find a Python. Each is run, because a name on PATH can be a shim for a version that is not there."""
    name = f"python{version}"
    places = [*os.get_exec_path(), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin"))]
    for place in places:
        found = shutil.which(name, path=place)
        if found and not subprocess.run([found, "-c", "import ssl, venv"], capture_output=True, check=False).returncode:
            return found
    raise LookupError(f"no {name} on PATH")


def table(results: dict[Leg, dict[str, Outcome]], faults: list[str]) -> str:
    """The counts side by side, the faults, and the closing line of tests/run.py."""
    names = [name for name in CHOICES if any(name in outcomes for outcomes in results.values())]
    rows = [["", *(leg.name for leg in results)]]
    for name in names:
        cells = [outcomes.get(name) for outcomes in results.values()]
        rows.append([name, *(f"{each.passed} passed, {each.failed} failed" if each else "-" for each in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    outcomes = [each for found in results.values() for each in found.values()]
    passed, failed = sum(each.passed for each in outcomes), sum(each.failed for each in outcomes)
    return "\n".join(["", *lines, *faults, f"{passed} passed, {failed + len(faults)} failed"])


def faults(results: dict[Leg, dict[str, Outcome]]) -> list[str]:
    """Return the faults that no stage of a leg counts by itself."""
    found = []
    for name in CHOICES:
        counts = {leg.name: outcomes[name].passed for leg, outcomes in results.items() if name in outcomes}
        if len(set(counts.values())) > 1:
            found.append(f"{name}: the legs passed " + ", ".join(f"{count} ({leg})" for leg, count in counts.items()))
    for leg in results:
        log = leg.logs / f"{ON_MACHINES.name}.log"
        if ON_MACHINES.name in results[leg] and DEPRECATED in log.read_text(errors="replace"):
            found.append(f"{leg.name}: {log.relative_to(ROOT)} has a {DEPRECATED}")
    return found


def run(leg: Leg, stages: list[Stage]) -> dict[str, Outcome]:
    print(f"==== ansible-core {leg.core} on Python {leg.python}", flush=True)
    runner = Runner(1, leg.programs(), leg.logs)
    try:
        return {each.stage.name: each for each in runner.run(stages)}
    except KeyboardInterrupt:
        runner.stop()
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    legs = {leg.name: leg for leg in LEGS}
    parser.add_argument(
        "--leg", action="append", choices=legs, help="only this one, and others named so (default: all)"
    )
    parser.add_argument(
        "stages",
        nargs="*",
        metavar="STAGE",
        help=f"of {', '.join(CHOICES)}; by default all, {ON_MACHINES.name} on the oldest and the newest leg",
    )
    options = parser.parse_args()
    if unknown := set(options.stages) - set(CHOICES):
        parser.error(f"no stage {', '.join(sorted(unknown))}")
    chosen = [legs[name] for name in options.leg or legs]
    missing: list[str] = []
    results: dict[Leg, dict[str, Outcome]] = {}
    for leg in chosen:
        stages = [CHOICES[name] for name in options.stages] or [
            *ON_EACH,
            *([ON_MACHINES] if leg in (LEGS[0], LEGS[-1]) else []),
        ]
        try:
            results[leg] = run(leg, stages)
        except LookupError as fault:
            missing.append(f"{leg.name}: {fault}")
    found = [*missing, *faults(results)]
    print(table(results, found))
    return 1 if found or any(each.failed for outcomes in results.values() for each in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Count the mutants that the tests kill: `make mutants [ARGS="--module policy --sample 200"]`.

A mutant is a module with one small change. One that the tests do not notice is a survivor: a rule that nobody tests, or
a change of nothing, which tests/mutants/survivors.yml lists with its reason. The run fails when less than 90 % of a
module's mutants are killed, when a survivor is not listed, and, without --sample, when a listed one is none any more.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from pathlib import Path

import yaml
from tests.mutants.run import ROOT, BaselineError, survivors
from tests.mutants.source import mutants

LIBRARY = ROOT / "plugins/module_utils/gateway"
TESTS = "tests/unit/plugins/module_utils/gateway"
LISTED = Path(__file__).parent / "survivors.yml"
LEAST = 0.90
# Each module with the tests that know it: fast ones, which begin with those that kill most.
MODULES: dict[str, list[str]] = {
    "access": ["test_access", "test_access_mtls", "test_access_wireguard"],
    "paper_hours": ["test_paper_hours"],
    "plan": ["test_plan"],
    "policy": ["test_policy"],
    "settings": ["test_settings", "test_rendered_settings"],
    "week": ["test_week"],
    "zones": ["test_zones"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", action="append", choices=[*MODULES], help="only this one (can be repeated)")
    parser.add_argument("--sample", type=int, help="so many mutants of each module, drawn by chance")
    parser.add_argument("--seed", type=int, default=1, help="another draw (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2, help="at once (default: %(default)s)")
    options = parser.parse_args()
    listed = yaml.safe_load(LISTED.read_text()) or {}
    faults: list[str] = []
    for name in options.module or MODULES:
        try:
            faults += run(name, options, listed.get(name) or {})
        except BaselineError as error:
            faults.append(str(error))
    print("\n".join(["", *faults]) if faults else "every survivor has its reason")
    return 1 if faults else 0


def run(name: str, options: argparse.Namespace, listed: dict[str, str]) -> list[str]:
    """Print the score of a module; return what is wrong with it."""
    path, began = LIBRARY / f"{name}.py", time.monotonic()
    every = mutants(path.read_text())
    chosen = every
    if options.sample and options.sample < len(every):
        chosen = sorted(random.Random(options.seed).sample(every, options.sample), key=lambda mutant: mutant.line)
    tests = [f"{TESTS}/{each}.py" for each in MODULES[name]]
    alive = {mutant.name: mutant for mutant, lives in survivors(path, tests, chosen, options.workers) if lives}
    score = 1 - len(alive) / max(len(chosen), 1)
    told = f"{name:12} {len(chosen):5} of {len(every):5} mutants, {len(alive):4} survive: {score:6.1%} killed"
    print(f"{told}, {time.monotonic() - began:.0f} s", flush=True)
    faults = [
        f"{path.relative_to(ROOT)}:{mutant.line}: a survivor: {mutant.name}"
        for mutant in sorted(alive.values(), key=lambda mutant: mutant.line)
        if mutant.name not in listed
    ]
    if chosen is every:
        faults += [
            f"{LISTED.relative_to(ROOT)}: {name}: no survivor any more: {each}" for each in listed if each not in alive
        ]
    if score < LEAST:
        faults.append(f"{name}: {score:.1%} killed, and {LEAST:.0%} is the least")
    return faults


if __name__ == "__main__":
    sys.exit(main())

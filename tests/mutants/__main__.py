"""Count the mutants that the tests kill: `make mutants [ARGS="--module agent/session/policy --sample 200"]`.

A mutant is a module with one small change (source.py says of what). One that the tests do not notice is a survivor: a
rule that nobody tests, or a change of nothing, which survivors.yml lists with its reason. The run fails when less than
90 % of a module's mutants are killed, when a survivor is not listed, and, without --sample, when a listed one is none
any more. The columns: a test fails (killed); the tests do not end, though without the mutant they do (hung, counts as
killed); nobody knows, for the machine was busy or a test is not reliable (unsure, counts as a survivor); survivors with
a reason (listed) and without (alive). The percentage is of all mutants, the listed ones included.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time
from pathlib import Path

import yaml
from tests.mutants.run import HUNG, KILLED, ROOT, SURVIVED, UNDECIDED, BaselineError, verdicts
from tests.mutants.source import mutants

LIBRARY = ROOT / "plugins/module_utils"
TESTS = "tests/unit/plugins/module_utils"
LISTED = Path(__file__).parent / "survivors.yml"
LEAST = 0.90
DEPLOYMENT = [
    "deploy/test_deployment",
    "deploy/test_deployment_controller",
    "deploy/test_deployment_found",
    "deploy/test_deployment_guard",
    "deploy/test_deployment_outcome",
    "deploy/test_deployment_replacement",
    "deploy/test_deployment_waiting",
]
# Each module with the tests that know it, the most dangerous mistakes first.
MODULES: dict[str, list[str]] = {
    "agent/engine/neighbours": ["agent/engine/test_neighbours"],
    "deploy/deployment": DEPLOYMENT,
    "deploy/gateway": DEPLOYMENT,
    "agent/session/policy": [
        "agent/session/test_policy",
        "agent/session/test_policy_record",
        "agent/session/test_policy_weeks",
        "agent/session/test_policy_appointments",
        "../filter/test_upgrade",
    ],
    "agent/session/lease": ["agent/session/test_lease"],
    "agent/session/lifecycle": [
        "agent/session/test_lifecycle",
        "agent/session/test_control",
        "agent/session/test_control_acting",
        "agent/session/test_control_kept_sign_in",
        "agent/session/test_control_progress",
    ],
    "agent/controller/milestones": [
        "agent/controller/test_milestones",
        "agent/controller/test_ibg_controller",
        "agent/engine/test_log",
        "agent/api/test_verdicts",
    ],
    "agent/controller/marks": [
        "agent/controller/test_marks",
        "agent/controller/test_milestones",
        "agent/engine/test_log",
    ],
    "agent/controller/findings": ["agent/session/test_policy", "agent/api/test_verdicts", "../filter/test_upgrade"],
    "agent/controller/ibc": [
        "agent/controller/test_ibc",
        "agent/controller/test_milestones",
        "agent/session/test_policy",
        "../filter/test_upgrade",
    ],
    "agent/session/control": [
        "agent/session/test_control",
        "agent/session/test_control_acting",
        "agent/session/test_control_kept_sign_in",
        "agent/session/test_control_progress",
        "agent/controller/test_password",
        "agent/session/test_appointments_kept",
        "agent/session/test_ctl",
        "agent/answers/test_answers",
        "../modules/test_gateway_health",
    ],
    "agent/controller/password": ["agent/controller/test_password", "agent/session/test_control"],
    "rules/gateway": ["rules/test_gateway"],
    "rules/access": ["rules/test_access", "rules/test_mtls", "rules/test_wireguard"],
    "agent/session/plan": ["agent/session/test_plan"],
    "agent/session/zones": ["agent/session/test_zones"],
    "agent/session/week": ["agent/session/test_week"],
    "agent/session/windows": ["agent/session/test_windows"],
}
HEAD = f"{'module':28} {'mutants':>8} {'killed':>7} {'hung':>5} {'unsure':>7} {'listed':>7} {'alive':>6} {'score':>7}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", action="append", choices=[*MODULES], help="only this one (can be repeated)")
    parser.add_argument("--sample", type=int, help="so many mutants of each module, drawn by chance")
    parser.add_argument("--seed", type=int, default=1, help="another draw (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="at once (default: %(default)s)")
    options = parser.parse_args()
    listed = yaml.safe_load(LISTED.read_text()) or {}
    faults: list[str] = []
    print(HEAD, flush=True)
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
    found = verdicts(path, tests, chosen, options.workers)
    counted = collections.Counter(verdict for _mutant, verdict in found)
    alive = {mutant.name: (mutant.line, verdict) for mutant, verdict in found if verdict in (SURVIVED, UNDECIDED)}
    unlisted = {each: alive[each] for each in alive if each not in listed}
    score = 1 - len(alive) / max(len(chosen), 1)
    known = counted[SURVIVED] + counted[UNDECIDED] - len(unlisted)
    print(
        f"{name:28} {len(chosen):8} {counted[KILLED]:7} {counted[HUNG]:5} {counted[UNDECIDED]:7} {known:7} "
        f"{len(unlisted):6} {score:7.1%}  {time.monotonic() - began:.0f} s",
        flush=True,
    )
    place = path.relative_to(ROOT)
    faults = [f"{place}:{line}: {verdict}: {each}" for each, (line, verdict) in sorted(unlisted.items(), key=_by_line)]
    if chosen is every:
        faults += [
            f"{LISTED.relative_to(ROOT)}: {name}: no survivor any more: {each}" for each in listed if each not in alive
        ]
    if score < LEAST:
        faults.append(f"{name}: {score:.1%} killed, and {LEAST:.0%} is the least")
    return faults


def _by_line(survivor: tuple[str, tuple[int, str]]) -> int:
    return survivor[1][0]


if __name__ == "__main__":
    sys.exit(main())

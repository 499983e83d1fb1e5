"""Audit the hardening: `python -m audit [options]`, or `make audit`.

For each release: make a machine, audit it as is (the base), and remove it; make another, run site.yml on it, reboot and
audit it. Prints the figures beside their floors and every finding with its waiver's reason (waivers.yml), writes
.cache/audit/results.json, and exits with status 1 for a figure below its floor or a finding without a waiver.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from audit import content, docker, lynis, scap, ssh_audit
from audit.floors import Waiver, read_waivers
from audit.machine import AuditError, Machine, say
from audit.report import Verdict
from audit.table import show

# Separate from the sandboxes of make paper and of the tests.
SLOT = "6"
RESULTS = Path(__file__).resolve().parent.parent / ".cache" / "audit" / "results.json"
JUDGES: dict[str, Callable[[Machine], Verdict]] = {
    "lynis": lynis.judge,
    "scap": scap.judge,
    "docker": docker.judge,
    "ssh_audit": ssh_audit.judge,
}
# It makes so many attempts that a good server refuses this address for a while.
LAST = "ssh_audit"
PARTS = ("base", "ours")
# Debian 12 has a floor for one profile only.
OF_RELEASE = {"trixie": tuple(JUDGES), "bookworm": ("scap",)}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["vm", "container"], help="default: SANDBOX_BACKEND, else vm")
    parser.add_argument("--release", choices=list(OF_RELEASE), action="append", help="one or both; default: both")
    parser.add_argument("--judges", type=lambda text: text.split(","), help=f"some of {','.join(JUDGES)}")
    parser.add_argument("--host", default="sandbox-paper", help="the inventory host (default: %(default)s)")
    parser.add_argument("--machine-ready", action="store_true", help="judge the machine as it stands, nothing else")
    parser.add_argument("--only", choices=PARTS, help="measure one of the two, and show the other from results.json")
    parser.add_argument("--keep", action="store_true", help="leave the judged machine standing")
    chosen = parser.parse_args()
    if unknown := set(chosen.judges or ()) - JUDGES.keys():
        parser.error(f"no such judge: {', '.join(sorted(unknown))}")
    return chosen


def hear(machine: Machine, judges: list[str]) -> dict[str, Verdict]:
    """Run the judges in parallel, each keeping one processor of the machine busy."""
    # In one call, because apt does one thing at a time.
    machine.install(*lynis.PACKAGES, *scap.PACKAGES)
    side_by_side = [name for name in JUDGES if name in judges and name != LAST]
    with ThreadPoolExecutor() as pool:
        verdicts = dict(zip(side_by_side, pool.map(lambda name: timed(machine, name), side_by_side), strict=True))
    if LAST in judges:
        verdicts[LAST] = timed(machine, LAST)
    return verdicts


def timed(machine: Machine, name: str) -> Verdict:
    say(f"{machine.host}: {name}")
    started = time.monotonic()
    verdict = JUDGES[name](machine)
    figures = ", ".join(f"{figure} {value:g}" for figure, value in verdict.figures.items())
    say(f"{machine.host}: {name}: {figures} ({time.monotonic() - started:.0f} s)")
    return verdict


def measure_base(machine: Machine, judges: list[str]) -> dict[str, Verdict]:
    """Audit a plain Debian machine, with Debian's engine if that is audited."""
    machine.playbook("playbooks/teardown.yml")
    machine.playbook("site.yml", "--tags", "machine")
    if "docker" in judges:
        # Debian 13 split the client off docker.io.
        machine.install(*(["docker.io"] if machine.codename == "bookworm" else ["docker.io", "docker-cli"]))
    return hear(machine, judges)


def measure_ours(machine: Machine, judges: list[str], keep: bool) -> dict[str, Verdict]:
    """Audit a fresh machine after site.yml and a reboot."""
    machine.playbook("playbooks/teardown.yml")
    machine.playbook("site.yml")
    # Wait for the first scan of the host's files, which the role leaves running.
    machine.run("systemctl start ibgw-integrity.service")
    machine.reboot()
    verdicts = hear(machine, judges)
    if not keep:
        machine.playbook("playbooks/teardown.yml")
    return verdicts


def known() -> dict[str, Any]:
    """Read results.json, by release."""
    releases: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return releases


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def audit_release(machine: Machine, release: str, chosen: argparse.Namespace, waivers: list[Waiver]) -> bool:
    judges = chosen.judges or list(OF_RELEASE[release])
    machine.set_up()
    measured = {}
    if chosen.only != "ours":
        measured["base"] = measure_base(machine, judges)
    if chosen.only != "base":
        measured["ours"] = measure_ours(machine, judges, chosen.keep)
    result = known().get(release, {}) | {
        part: {"date": now(), "backend": machine.environment["SANDBOX_BACKEND"]}
        | {"judges": {name: verdict.as_data() for name, verdict in verdicts.items()}}
        for part, verdicts in measured.items()
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(known() | {release: result}, indent=1) + "\n")
    base, ours = (
        {name: Verdict.from_data(data) for name, data in result.get(part, {}).get("judges", {}).items()}
        for part in PARTS
    )
    return show(release, base, ours, waivers)


def audit(chosen: argparse.Namespace) -> bool:
    waivers = read_waivers()
    if chosen.machine_ready:
        machine = Machine(chosen.host, {})
        return show(machine.codename, {}, hear(machine, chosen.judges or list(JUDGES)), waivers)
    content.forget()
    good = True
    for release in chosen.release or list(OF_RELEASE):
        environment = {
            "SANDBOX_BACKEND": chosen.backend or os.environ.get("SANDBOX_BACKEND") or "vm",
            "SANDBOX_RELEASE": release,
            "SANDBOX_SLOT": os.environ.get("SANDBOX_SLOT") or SLOT,
        }
        good &= audit_release(Machine(chosen.host, environment), release, chosen, waivers)
    return good


def main() -> int:
    try:
        return 0 if audit(options()) else 1
    except AuditError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

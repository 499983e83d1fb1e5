"""Run the project's stages of lint and test: `run.py [--cores N] STAGE|GROUP ...`.

A stage is one command. Stages start in the order of STAGES, as many at once as there are cores, and all of them run
even when one fails. The output of each is kept in .cache/tests/<stage>.log, and its end is shown when it fails. At the
end comes a table of durations and one line `N passed, N failed`: the tests that a stage's own runner counted, else the
stage as one.

A stage that hangs is stopped, and the table says TIMED OUT. Its limit is the time that it may take on a machine with
nothing else to do: while more processes want to run than there are cores, its clock goes slower.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "tests"
BIN = Path(sys.executable).parent
HEARTBEAT_SECONDS = 30
LOG_LINES_SHOWN = 150
STOP_SECONDS = 30


@dataclass(frozen=True)
class Stage:
    """A command that passes with exit code 0, how many cores it keeps busy, its limit in minutes of an idle machine."""

    name: str
    command: str
    cores: int = 1
    minutes: float = 5
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: *verdict* is ok, FAILED, or that it timed out."""

    stage: Stage
    verdict: str
    passed: int
    failed: int
    seconds: float


def lint(name: str, command: str) -> Stage:
    return Stage(f"lint-{name}", command, minutes=15)


# Makes an environment of its own for each of six tests, the first time: minutes, so it is not in group fast.
SANITY = [lint("sanity", "python -m tests.lint.sanity")]
# A minute of processor each, and more: all playbooks and roles, each line of each file, each page.
HEAVY = [
    lint("ansible", "ansible-lint"),
    lint("secrets", "python -m tests.lint.security secrets"),
    lint("site", "python -m docs.build"),
]
# The longest first: they decide how long the whole takes.
LINT = [
    lint(
        "types-plugins",
        "mypy -p ansible_collections.ibops.gateway.plugins -p ansible_collections.ibops.gateway.extensions",
    ),
    lint(
        "types",
        "mypy audit docs examples noxfile.py requirements sandbox tests/fake_gcp tests/lint tests/mutants tests/run.py "
        "tests/environments.py tests/matrix.py",
    ),
    lint("collection-docs", "antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck ."),
    lint("bandit", "python -m tests.lint.security bandit"),
    lint("changelog", "python -m tests.lint.changelog"),
    lint("nox", "nox -s extra-checks build-import-check"),
    lint("prose", "python -m tests.lint.prose"),
    lint("yaml", "yamllint --strict ."),
    lint("python", "ruff check --output-format concise"),
    lint("format", "ruff format --check --output-format concise"),
    lint("dead", "vulture"),
    lint("dead-plugins", "vulture plugins extensions"),
    lint("structure", "python -m tests.lint.structure"),
    lint("shell", "python -m tests.lint.shell"),
    lint("generated", "python -m tests.lint.generated --check"),
    lint("figures", "python -m tests.lint.figures"),
    lint("one-truth", "python -m tests.lint.one_truth"),
    lint("role-options", "python -m tests.lint.role_options"),
    lint("tree", "python -m tests.lint.tree"),
    lint("locks", "python requirements/lock.py --check"),
]
UNIT = "pytest -n 4 --dist worksteal tests/unit --ignore tests/unit/gcp -m"
QUICK = [
    # Mostly waiting: for timeouts, for servers to come up.
    Stage("unit", f"{UNIT} 'not (programs or thorough or long)'", cores=2, minutes=10),
    Stage("fuzz", "pytest -n 2 tests/fuzz", cores=2, minutes=10),
]
# Everything else without a machine: the fake cloud, servers, programs of others, playbooks against the stand-in.
SLOW = [
    Stage("slow", f"{UNIT} 'programs or thorough or long'", cores=2, minutes=15),
    Stage("gcp", "pytest -n 4 --dist worksteal tests/unit/gcp", cores=2, minutes=15),
    Stage("clients", "pytest tests/clients", minutes=10),
    Stage("refusals", "pytest tests/playbooks/test_refusals.py", minutes=20),
    Stage("doors", "pytest -n 2 tests/doors", cores=2, minutes=10),
    Stage("playbooks", "pytest tests/playbooks --ignore tests/playbooks/test_refusals.py", minutes=20),
]
SANDBOX = [
    Stage("image", "pytest tests/image", minutes=10),
    Stage(
        "sandbox",
        "pytest tests/sandbox/container --ignore tests/sandbox/container/test_lockout.py "
        "--ignore tests/sandbox/container/test_five_gateways.py --ignore tests/sandbox/container/test_take_back.py",
        minutes=20,
    ),
    Stage("molecule-default", "molecule test", minutes=40),
    Stage("molecule-live", "molecule test -s live", minutes=40),
    Stage("molecule-access", "molecule test -s access", minutes=40),
    Stage("molecule-live-week", "molecule test -s live_week", minutes=40),
    Stage("molecule-gcp", "molecule test -s gcp", minutes=40),
    Stage("molecule-paper-session", "molecule test -s paper_session", minutes=40),
]
VM = [
    Stage("sandbox-vm", "pytest tests/sandbox/vm", cores=2, minutes=30),
    Stage("molecule-vm", "molecule test -s vm", cores=2, minutes=60),
]
# Stages that would make `all` too long for each change.
WEEKLY = [
    # Each row ends with everything as it was.
    Stage("molecule-hostile", "molecule test -s hostile", minutes=60),
    Stage("lockout", "pytest tests/sandbox/container/test_lockout.py", minutes=20),
    Stage("take-back", "pytest tests/sandbox/container/test_take_back.py", minutes=20),
    Stage("molecule-access-tls", "molecule test -s access_tls", minutes=40),
    Stage("molecule-takeover", "molecule test -s takeover", minutes=40),
    Stage("molecule-observability", "molecule test -s observability", minutes=40),
    Stage("molecule-client-portal", "molecule test -s client_portal", minutes=40),
    Stage("molecule-doors", "molecule test -s doors", minutes=60),
    Stage("five-gateways", "pytest tests/sandbox/container/test_five_gateways.py", minutes=30),
]
GROUPS = {
    "lint": [*SANITY, *HEAVY, *LINT],
    "fast": [*LINT, *QUICK],
    "all": [*SANITY, *HEAVY, *LINT, *QUICK, *SLOW, *SANDBOX],
    "weekly": WEEKLY,
    "vm": VM,
}
STAGES = {stage.name: stage for stage in [*GROUPS["all"], *WEEKLY, *VM]}


def environment(programs: Path) -> dict[str, str]:
    """These programs first, a UTF-8 locale, which Ansible insists on, and the scenarios at the root."""
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "PYTHONUNBUFFERED": "1",
    }


def count(output: list[str], succeeded: bool) -> tuple[int, int]:
    """(passed, failed) from the summary lines of pytest in the output; without one, the stage counts as one test."""
    passed = failed = 0
    for line in output:
        if re.search(r"\bin \d+[.\d]*s\b", line):
            passed += sum(int(n) for n in re.findall(r"(\d+) passed", line))
            failed += sum(int(n) for n in re.findall(r"(\d+) (?:failed|errors?)\b", line))
    if succeeded:
        return max(passed, 1), failed
    return passed, max(failed, 1)


def share_of_machine() -> float:
    """How much of a core each process gets that wants to run: 1.0 as long as there are enough."""
    return min(1.0, (os.cpu_count() or 1) / max(os.getloadavg()[0], 0.01))


def say(text: str) -> None:
    print(text, flush=True)


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Interrupt as Ctrl-C would, so that each cleans up, and kill those that remain after a while."""
    for process in processes:
        os.killpg(process.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


class Runner:
    """Runs stages side by side with the *programs* of a venv, and stops what it started when interrupted."""

    def __init__(self, cores: int, programs: Path = BIN, logs: Path | None = None) -> None:
        self.cores = cores
        self.programs = programs
        self.logs = logs or LOGS
        self.free = cores
        self.changed = threading.Condition()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.outcomes: list[Outcome] = []

    def run(self, stages: list[Stage]) -> list[Outcome]:
        """Outcomes in the order of completion."""
        self.logs.mkdir(parents=True, exist_ok=True)
        threads = []
        for stage in stages:
            need = min(stage.cores, self.cores)
            with self.changed:
                while self.free < need:
                    self.changed.wait()
                self.free -= need
            thread = threading.Thread(target=self.run_stage, args=[stage, need], daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        return self.outcomes

    def run_stage(self, stage: Stage, need: int) -> None:
        log = self.logs / f"{stage.name}.log"
        say(f"{stage.name}: {stage.command}")
        started = time.monotonic()
        # Straight into the file: a daemon that a stage leaves behind cannot keep us waiting for the end of a pipe.
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(stage.command),
                cwd=ROOT,
                env=environment(self.programs) | stage.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[stage.name] = process
        verdict = self.wait(stage, process, log, started)
        seconds = time.monotonic() - started
        lines = log.read_text(errors="replace").splitlines()
        passed, failed = count(lines, verdict == "ok")
        with self.changed:
            del self.running[stage.name]
            self.outcomes.append(Outcome(stage, verdict, passed, failed, seconds))
            self.free += need
            self.changed.notify_all()
        if verdict != "ok":
            say("\n".join([f"---- the end of {log.relative_to(ROOT)}", *lines[-LOG_LINES_SHOWN:], "----"]))
        say(f"{stage.name}: {verdict} after {seconds:.1f} s")

    def wait(self, stage: Stage, process: subprocess.Popen[bytes], log: Path, started: float) -> str:
        """Wait for the end, saying now and then that the stage is alive; end it when its time is over."""
        left = stage.minutes * 60.0
        while True:
            try:
                return "FAILED" if process.wait(HEARTBEAT_SECONDS) else "ok"
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - started
            left -= HEARTBEAT_SECONDS * share_of_machine()
            if left < 0:
                end([process])
                return f"TIMED OUT after {seconds / 60:.0f} minutes"
            last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
            say(f"{stage.name}: {seconds:.0f} s so far: {last[:100]}")

    def stop(self) -> None:
        end(list(self.running.values()))


def summary(outcomes: list[Outcome], elapsed: float) -> str:
    """The table of the stages, in the order of STAGES, and the closing line."""
    rows = []
    for each in sorted(outcomes, key=lambda each: list(STAGES).index(each.stage.name)):
        counts = f"{each.passed:5} passed {each.failed:4} failed"
        rows.append(f"{each.seconds:8.1f} s {counts}   {each.stage.name:26}{each.verdict}")
    total = f"{elapsed:8.1f} s in all, {sum(each.seconds for each in outcomes):.1f} s one after the other"
    passed, failed = sum(each.passed for each in outcomes), sum(each.failed for each in outcomes)
    return "\n".join(["", *rows, total, f"{passed} passed, {failed} failed"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cores", type=int, default=max(2, os.cpu_count() or 2), help="stages at once (default: %(default)s)"
    )
    parser.add_argument("names", nargs="+", metavar="STAGE|GROUP", choices=[*GROUPS, *STAGES])
    options = parser.parse_args()
    chosen = {stage.name: stage for name in options.names for stage in GROUPS.get(name, [STAGES.get(name)]) if stage}

    started = time.monotonic()
    runner = Runner(options.cores)
    # In both cases we stop what we started, even as a background job, which a shell starts with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcomes = runner.run(list(chosen.values()))
    except KeyboardInterrupt:
        runner.stop()
        print("interrupted: what was running has been stopped")
        return 130
    print(summary(outcomes, time.monotonic() - started))
    return 1 if any(each.failed for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

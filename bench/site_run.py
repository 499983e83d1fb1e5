"""Compare the second run of site.yml with Ansible's own minimum: a play of 30 no-op tasks on the same host."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
NO_TARGET = {
    *("assert", "debug", "fail", "include_role", "include_tasks", "meta", "set_fact"),
    *("run_scope", "sandbox_machine", "screen", "validate"),
}


def pings(count: int = 30) -> list[dict[str, t.Any]]:
    tasks = [{"name": f"No-op {number}", "ansible.builtin.ping": {}} for number in range(count)]
    return [{"name": "The floor", "hosts": "paper", "gather_facts": False, "tasks": tasks}]


class Cost(t.NamedTuple):
    """The cost of a run: wall clock and the controller's processor, in seconds, with Ansible's own report."""

    wall: float
    processor: float
    report: dict[str, t.Any]


def run(playbook: str, *arguments: str, **environment: str) -> Cost:
    """Run a playbook; the report has plays, tasks with their durations, and stats."""
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", **environment}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    ended = subprocess.run(
        [PLAYBOOK, playbook, *(arguments or ("-l", "paper"))],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise SystemExit(f"{playbook}: {ended.stdout[-3000:]}{ended.stderr}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, processor, json.loads(ended.stdout[ended.stdout.index("{") :]))


def tasks(report: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Every task that ran something on a machine: its name, host and duration in seconds."""
    found = []
    for task in (task for play in report["plays"] for task in play["tasks"]):
        for result in task["hosts"].values():
            action = str(result.get("action", "")).rpartition(".")[2]
            if result.get("skipped") or action in NO_TARGET:
                continue
            found.append(
                {
                    "task": task["task"]["name"],
                    "on": "controller" if result.get("_ansible_delegated_vars") else "host",
                    "seconds": round(duration(task["task"]), 3),
                }
            )
    return found


def duration(task: dict[str, t.Any]) -> float:
    begin, end = (datetime.datetime.fromisoformat(task["duration"][side]) for side in ("start", "end"))
    return (end - begin).total_seconds()


def measure(rounds: int = 3) -> dict[str, t.Any]:
    """Raw samples of the floor and of the second run, interleaved."""
    wall: dict[str, list[float]] = {"pings": [], "second": []}
    processor: dict[str, list[float]] = {"pings": [], "second": []}
    with tempfile.TemporaryDirectory() as directory:
        floor = pathlib.Path(directory) / "pings.yml"
        floor.write_text(yaml.safe_dump(pings()))
        run("site.yml")
        for number in range(rounds):
            print(f"site: round {number + 1} of {rounds}", flush=True)
            for name, playbook in (("pings", str(floor)), ("second", "site.yml")):
                cost = run(playbook)
                wall[name].append(cost.wall)
                processor[name].append(cost.processor)
    changed = sum(host["changed"] for host in cost.report["stats"].values())
    found = sorted(tasks(cost.report), key=lambda task: -task["seconds"])
    return {"wall_s": wall, "processor_s": processor, "changed": changed, "tasks": found}

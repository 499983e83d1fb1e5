"""The second run of site.yml beside the floor of Ansible itself: a play of 30 no-op tasks on the same host."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t
from importlib import util

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
NO_TARGET = {"assert", "debug", "fail", "import_role", "include_role", "meta", "set_fact", "validate"}


def pings(count: int = 30) -> list[dict[str, t.Any]]:
    tasks = [{"name": f"No-op {number}", "ansible.builtin.ping": {}} for number in range(count)]
    return [{"name": "The floor", "hosts": "paper", "gather_facts": False, "tasks": tasks}]


def mitogen() -> dict[str, str]:
    """The environment that makes mitogen the strategy (docs/explanation/performance.md)."""
    found = util.find_spec("ansible_mitogen")
    if not found or not found.origin:
        raise SystemExit("mitogen is not installed; make setup installs it")
    plugins = pathlib.Path(found.origin).parent / "plugins" / "strategy"
    return {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}


def run(playbook: str, **environment: str) -> tuple[float, dict[str, t.Any]]:
    """Wall time in seconds, and Ansible's own report (plays, tasks with their durations, stats)."""
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", **environment}
    started = time.monotonic()
    ended = subprocess.run(
        [PLAYBOOK, playbook, "-l", "paper"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=900,
    )
    elapsed = time.monotonic() - started
    return elapsed, json.loads(ended.stdout[ended.stdout.index("{") :])


def tasks(report: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Every task that ran something on a machine: its name, where, and how long in seconds."""
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
    """Raw samples of the floor, of the second run, and of the second run with mitogen, interleaved."""
    samples: dict[str, list[float]] = {"floor_30_pings": [], "second_run": [], "second_run_mitogen": []}
    with tempfile.TemporaryDirectory() as directory:
        floor = pathlib.Path(directory) / "pings.yml"
        floor.write_text(yaml.safe_dump(pings()))
        run("site.yml")
        for number in range(rounds):
            print(f"site: round {number + 1} of {rounds}", flush=True)
            samples["floor_30_pings"].append(run(str(floor))[0])
            elapsed, report = run("site.yml")
            samples["second_run"].append(elapsed)
            samples["second_run_mitogen"].append(run("site.yml", **mitogen())[0])
    changed = sum(host["changed"] for host in report["stats"].values())
    return {"samples_s": samples, "changed": changed, "tasks": sorted(tasks(report), key=lambda task: -task["seconds"])}

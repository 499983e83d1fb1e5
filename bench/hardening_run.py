"""Time role hardening on a fresh machine with packages already fetched, then a second run, beside a play of 20 no-op
tasks."""

from __future__ import annotations

import os
import pathlib
import tempfile
import typing as t

import site_run
import yaml

# A separate machine: the first run needs a fresh one, and the sandbox's has a gateway.
SLOT = "8"
ROLE = [{"name": "The role", "hosts": "paper", "gather_facts": False, "roles": ["ibops.gateway.hardening"]}]
FETCH = [
    {
        "name": "Fetch the packages, which is the mirror's time and not the role's",
        "hosts": "paper",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Read the role's variables",
                "ansible.builtin.include_vars": {"dir": f"{site_run.ROOT}/roles/hardening/{folder}/main"},
            }
            for folder in ("defaults", "vars")
        ]
        + [
            {"name": "Look", "ibops.gateway.machine_info": {"facts": True}, "register": "__hardening_host"},
            {"name": "Read the package lists", "ansible.builtin.apt": {"update_cache": True}},
            {
                "name": "Fetch",
                "ansible.builtin.command": {
                    "argv": "{{ ['apt-get', 'install', '--download-only', '--no-install-recommends', '--yes']"
                    " + __hardening_packages_missing }}"
                },
                "changed_when": False,
            },
        ],
    }
]


def cold() -> None:
    """Drop the kernel's caches, as on a new VM: with those of many earlier machines, unpacking packages took up to
    twice as long."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")


def measure(rounds: int = 3) -> dict[str, t.Any]:
    """Raw samples of the floor and of the second run, interleaved, and the one first run, in seconds."""
    samples: dict[str, list[float]] = {"floor_20_pings": [], "second_run": []}
    with tempfile.TemporaryDirectory() as directory:

        def play(name: str, content: list[dict[str, t.Any]], **environment: str) -> site_run.Cost:
            playbook = pathlib.Path(directory) / f"{name}.yml"
            playbook.write_text(yaml.safe_dump(content))
            return site_run.run(str(playbook), SANDBOX_SLOT=SLOT, **environment)

        print("hardening: a fresh machine, and its packages", flush=True)
        site_run.run("playbooks/teardown.yml", SANDBOX_SLOT=SLOT)
        site_run.run("molecule/shared/create.yml", SANDBOX_SLOT=SLOT)
        play("fetch", FETCH)
        cold()
        first = play("role", ROLE)
        for number in range(rounds):
            print(f"hardening: round {number + 1} of {rounds}", flush=True)
            samples["floor_20_pings"].append(play("floor", site_run.pings(20)).wall)
            second = play("role", ROLE)
            samples["second_run"].append(second.wall)
        site_run.run("playbooks/teardown.yml", SANDBOX_SLOT=SLOT)
    return {
        "samples_s": samples,
        "first_run_s": first.wall,
        "changed": sum(host["changed"] for host in second.report["stats"].values()),
        "tasks": sorted(site_run.tasks(second.report), key=lambda task: -task["seconds"]),
        "first_run_tasks": sorted(site_run.tasks(first.report), key=lambda task: -task["seconds"]),
    }

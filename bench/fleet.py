"""A fleet without a change: gateways on sandbox machines, and many hosts that are not there; beside one ping each.

A host that is not there answers each module as the sandbox's paper gateway did (connection/stand_in.py), so that all
that is measured is the controller's.
"""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
import typing as t

import site_run
import yaml

CONNECTION = pathlib.Path(__file__).resolve().parent / "connection"
CACHE = CONNECTION.parents[1] / ".cache"
FORKS = 10
SLOT = int(os.environ.get("SANDBOX_SLOT", "8"))
# The first three of a slot are those of inventories/sandbox.
FIRST_MACHINE = 3
Hosts = dict[str, dict[str, t.Any]]


def on_machines(machines: int, gateways: int) -> Hosts:
    """Hosts of the inventory: each machine has *gateways* paper gateways, and its first one makes it."""
    return {
        f"fleet-{machine}-{gateway}": {
            "gateway_name": f"paper{gateway}",
            "gateway_user": f"fleet{machine}x{gateway}",
            "gateway_port": 4002 + 10 * gateway,
            "sandbox_number": 10 * SLOT + FIRST_MACHINE + machine,
            **({"gateway_machine_role": ""} if gateway else {}),
        }
        for machine in range(machines)
        for gateway in range(gateways)
    }


def stand_ins(count: int) -> Hosts:
    return {
        f"there-{number}": {
            "ansible_connection": "stand_in",
            "ansible_host": f"192.0.2.{number}",
            # As a VM of the user's has it, not computed by the sandbox's group variables.
            "ansible_port": 22,
            "gateway_machine_role": "",
            "gateway_user": f"user{number}",
        }
        for number in range(count)
    }


class Fleet:
    """Hosts in group paper, beside those of inventories/sandbox."""

    def __init__(self, folder: pathlib.Path, hosts: Hosts) -> None:
        self.hosts = hosts
        self._inventory, self._pings, self._answers = (folder / name for name in ("hosts.yml", "pings.yml", "answers"))
        self._inventory.write_text(
            yaml.safe_dump({"paper": {"children": {"fleet": {"hosts": hosts}}}}, sort_keys=False)
        )
        self._pings.write_text(yaml.safe_dump([{**play, "hosts": "fleet"} for play in site_run.pings(1)]))

    def answer(self, reports: t.Iterable[dict[str, t.Any]]) -> None:
        """Have the hosts that are not there answer as those of the *reports*."""
        found: dict[str, t.Any] = {}
        plays = [play for report in reports for play in report["plays"]]
        for task in (task for play in plays for task in play["tasks"]):
            for host in task["hosts"].values():
                for result in host.get("results", [host]):
                    if not result.get("skipped") and "action" in host:
                        kept = {key: each for key, each in result.items() if not key.startswith(("_ansible", "invoc"))}
                        # Several tasks with one module: what any of them returned.
                        found.setdefault(host["action"], {}).update(kept)
        for answer in found.values():
            if "machine" in answer:
                answer["machine"] = "@HOST@"
        found["ansible.builtin.ping"] = {"ping": "pong", "changed": False}
        self._answers.mkdir(exist_ok=True)
        for module, answer in found.items():
            (self._answers / module).write_text(json.dumps(answer))

    def run(self, playbook: str = "site.yml", *arguments: str, limit: str = "fleet") -> site_run.Cost:
        places = ("-i", "inventories/sandbox", "-i", str(self._inventory), "-l", limit, "-f", str(FORKS))
        return site_run.run(
            playbook,
            *places,
            *arguments,
            ANSIBLE_CONNECTION_PLUGINS=str(CONNECTION),
            STAND_IN_ANSWERS=str(self._answers),
            SANDBOX_SLOT=str(SLOT),
        )

    def ping(self) -> site_run.Cost:
        return self.run(str(self._pings))


def seconds(report: dict[str, t.Any], task: str) -> float:
    """How long a task took for all hosts."""
    return sum(
        site_run.duration(each["task"])
        for play in report["plays"]
        for each in play["tasks"]
        if each["task"]["name"] == task
    )


def sample(fleet: Fleet) -> dict[str, t.Any]:
    ping, site = fleet.ping(), fleet.run()
    return {
        "hosts": len(fleet.hosts),
        "ping_s": ping.wall,
        "site_s": site.wall,
        "ping_processor_s": ping.processor,
        "site_processor_s": site.processor,
        "changed": sum(host["changed"] for host in site.report["stats"].values()),
    }


def look(fleet: Fleet) -> dict[str, t.Any]:
    """The validation of all settings, and the page of all gateways."""
    # A part of the site that nothing here has: all that runs is what comes before it.
    site, status = fleet.run("site.yml", "--tags", "hardening_time"), fleet.run("playbooks/status.yml")
    return {
        "hosts": len(fleet.hosts),
        "validation_s": seconds(site.report, "Refuse what cannot work, before anything is touched"),
        "status_s": status.wall,
    }


def measure(
    machines: int = 3, gateways: int = 4, counts: t.Sequence[int] = (1, 50), many: int = 200
) -> dict[str, t.Any]:
    """The fleet on machines of the sandbox, and those of *counts* and *many* hosts that are not there."""
    # inventories/sandbox finds the checkout two folders above a host's own inventory.
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        fleet = Fleet(pathlib.Path(folder), on_machines(machines, gateways))
        print(f"fleet: {len(fleet.hosts)} gateways on {machines} machines", flush=True)
        fleet.run()
        real = sample(fleet)
        recorded = [fleet.run(playbook, limit="fleet-0-0").report for playbook in ("site.yml", "playbooks/status.yml")]
        fleet.run("playbooks/teardown.yml", limit="fleet-*-0")
        away = []
        for count in counts:
            print(f"fleet: {count} hosts that are not there", flush=True)
            there = Fleet(pathlib.Path(folder), stand_ins(count))
            there.answer(recorded)
            away.append(sample(there))
        print(f"fleet: a look at {many} hosts that are not there", flush=True)
        there = Fleet(pathlib.Path(folder), stand_ins(many))
        there.answer(recorded)
        looked = look(there)
    return {"forks": FORKS, "machines": {"machines": machines, **real}, "stand_ins": away, "look": looked}

"""site.yml with stand-ins for its roles: a machine is prepared once, and who fails keeps nobody else."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
import yaml

DIGEST = "registry.example/ib-gateway@sha256:" + "0" * 64
# As many lines of work as there are: what is begun twice at a time overlaps.
STEP = """---
- name: Work
  ansible.builtin.shell: |
    echo "begin {role} {{{{ inventory_hostname }}}}" >> "{log}"; sleep 0.1
    {{{{ 'exit 1' if fails is defined and fails == '{role}' else 'true' }}}}
    echo "end {role} {{{{ inventory_hostname }}}}" >> "{log}"
  changed_when: true
  tags: {role}
"""
MODULE = """#!/usr/bin/python
import os
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={}, supports_check_mode=True)
name, _of, system = os.environ["MACHINE"].partition("@")
distribution = {"id": system or "debian", "version": "24.04" if system else "13"}
module.exit_json(changed=False, machine=name, distribution=distribution)
"""
# The needs of all gateways of the machine at once.
PACKAGES = STEP.replace(
    "{{{{ inventory_hostname }}}}", "{{{{ inventory_hostname }}}}:{{{{ __access_packages | sort | join(',') }}}}"
)
PENDING = """
- name: Find nothing that waits
  ansible.builtin.set_fact:
    hardening_pending: {pending: [], reboot_required: false, restart_wanted: [], gateways_running: []}
"""
NOTHING = "---\n- name: Nothing\n  ansible.builtin.meta: noop\n"


class Site(t.NamedTuple):
    """The playbook of a collection that has stand-ins for roles and for module machine_info."""

    folder: pathlib.Path
    log: pathlib.Path

    def run(
        self, hosts: dict[str, dict[str, t.Any]], *arguments: str, playbook: str = "site", **environment: str
    ) -> tuple[int, str, list[str]]:
        """Run it; its status, what it printed, and the steps in their order. ``machine`` of a host is its VM."""
        for name in {each["machine"] for each in hosts.values()}:
            wrapper = self.folder / f"python-{name}"
            wrapper.write_text(f'#!/bin/sh\nMACHINE={name} exec {sys.executable} "$@"\n')
            wrapper.chmod(0o755)
        group = {
            host: {
                "ansible_python_interpreter": str(self.folder / f"python-{own['machine']}"),
                "gateway_user": host,
                "gateway_name": host,
                "gateway_port": 5000 + number,
                **{name: value for name, value in own.items() if name != "machine"},
            }
            for number, (host, own) in enumerate(hosts.items())
        }
        common = {"gateway_mode": "paper", "gateway_image": DIGEST, "gateway_password": "top-secret"}
        paper = {"hosts": group, "vars": {**common, "ansible_connection": "local", "gateway_start": True}}
        # By several names: which machine it is, is not told by the text.
        for host in group.values():
            host.setdefault("ansible_host", host["gateway_name"])
        inventory = self.folder / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"gateways": {"children": {"paper": paper}}}, sort_keys=False))
        self.log.write_text("")
        command = [
            f"{pathlib.Path(sys.executable).parent}/ansible-playbook",
            f"ibops.gateway.{playbook}",
            "-i",
            str(inventory),
        ]
        own = {"ANSIBLE_COLLECTIONS_PATH": str(self.folder), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
        run = subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=os.environ | own | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return run.returncode, " ".join((run.stdout + run.stderr).split()), self.log.read_text().splitlines()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Site:
    folder = tmp_path_factory.mktemp("site")
    place, root, log = folder / "ansible_collections/ibops/gateway", pytestconfig.rootpath, folder / "log"
    for part in ("plugins", "playbooks", "meta", "templates"):
        shutil.copytree(root / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "galaxy.yml", place)
    (place / "plugins/modules/machine_info.py").write_text(MODULE)
    for role in (root / "roles").iterdir():
        own = place / "roles" / role.name
        for part in ("meta", "defaults", "vars"):
            if (role / part).is_dir():
                shutil.copytree(role / part, own / part)
        (own / "tasks").mkdir(parents=True)
        (own / "tasks/main.yml").write_text(STEP.format(role=role.name, log=log))
        (own / "tasks/look.yml").write_text(NOTHING)
    (place / "roles/access/tasks/packages.yml").write_text(PACKAGES.format(role="packages", log=log))
    updates = STEP.format(role="updates", log=log).replace("tags: updates", "") + PENDING
    (place / "roles/hardening/tasks/updates_look.yml").write_text(updates)
    (place / "playbooks/tasks/summary.yml").write_text(NOTHING)
    return Site(folder, log)


def order(steps: list[str], role: str) -> list[str]:
    return [step.removeprefix(f"begin {role} ") for step in steps if step.startswith(f"begin {role} ")]


FIVE = {
    "a1": {"machine": "a"},
    "a2": {"machine": "a"},
    "b1": {"machine": "b"},
    "a3": {"machine": "a"},
    "b2": {"machine": "b"},
}


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_a_machine_is_prepared_once_and_before_its_gateways(site: Site, strategy: str) -> None:
    status, text, steps = site.run(FIVE, ANSIBLE_STRATEGY=strategy)
    assert status == 0, text
    for role in ("hardening", "docker_engine"):
        assert sorted(order(steps, role)) == ["a1", "b1"]
    assert sorted(order(steps, "gateway")) == sorted(FIVE)
    last = max(steps.index(f"end docker_engine {host}") for host in ("a1", "b1"))
    assert last < min(steps.index(f"begin gateway {host}") for host in FIVE)


def test_the_packages_of_its_access_methods_are_installed_at_once(site: Site) -> None:
    ways = {"a1": ["local"], "a2": ["mtls"], "a3": ["docker_network", "local"]}
    own: dict[str, dict[str, object]] = {
        "mtls": {
            "access_mtls_clients": ["x"],
            "access_mtls_from": ["10.0.0.0/8"],
            "access_mtls_addresses": ["10.0.0.1"],
        }
    }
    hosts = {host: {"machine": "a", "gateway_access": named, **own.get(named[0], {})} for host, named in ways.items()}
    status, text, steps = site.run(hosts | {"b1": {"machine": "b"}})
    assert status == 0, text
    assert sorted(order(steps, "packages")) == ["a1:python3-requests,stunnel4", "b1:"]


def test_updates_are_looked_for_once_a_machine(site: Site) -> None:
    status, text, steps = site.run(FIVE, playbook="updates")
    assert status == 0, text
    assert sorted(order(steps, "updates")) == ["a1", "b1"]


def test_in_batches(site: Site) -> None:
    status, text, steps = site.run(FIVE, "-e", "gateway_serial=2")
    assert status == 0, text
    assert order(steps, "hardening") == ["a1", "b1"]
    assert sorted(order(steps, "session")) == sorted(FIVE)


def test_a_machine_that_cannot_be_prepared_keeps_its_gateways_and_no_others(site: Site) -> None:
    status, text, steps = site.run(FIVE | {"a1": {"machine": "a", "fails": "hardening"}})
    assert status == 2
    assert sorted(order(steps, "gateway")) == ["b1", "b2"]
    assert "a2: its machine is not prepared, since the run has failed for another gateway on it" in text
    assert "a3: its machine is not prepared" in text


def test_a_gateway_that_fails_keeps_no_other(site: Site) -> None:
    status, _text, steps = site.run(FIVE | {"a1": {"machine": "a", "fails": "gateway"}})
    assert status == 2
    assert sorted(order(steps, "session")) == ["a2", "a3", "b1", "b2"]


def test_who_cannot_be_reached_prepares_nothing(site: Site) -> None:
    away = {"machine": "a", "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    status, text, steps = site.run(FIVE | {"a1": away})
    assert status == 4, text
    assert order(steps, "hardening") == ["a2", "b1"] or order(steps, "hardening") == ["b1", "a2"]
    assert sorted(order(steps, "gateway")) == ["a2", "a3", "b1", "b2"]


def test_a_limit_and_a_tag(site: Site) -> None:
    status, text, steps = site.run(FIVE, "-l", "a2,a3")
    assert (status, order(steps, "hardening"), sorted(order(steps, "gateway"))) == (0, ["a2"], ["a2", "a3"]), text
    status, text, steps = site.run(FIVE, "--tags", "session")
    assert (status, {step.split()[1] for step in steps}) == (0, {"session"}), text


def test_two_names_of_one_machine_cannot_share_a_port(site: Site) -> None:
    status, text, steps = site.run(
        {"a1": {"machine": "a", "gateway_port": 4002}, "a2": {"machine": "a", "gateway_port": 4002}}
    )
    assert (status, steps) == (2, [])
    assert "a2: gateway_port" in text


def test_two_machines_behind_one_address_are_two(site: Site) -> None:
    same = {"ansible_host": "localhost", "gateway_port": 4002}
    pair = {"a1": {"machine": "a", "ansible_port": 2222, **same}, "b1": {"machine": "b", "ansible_port": 2223, **same}}
    status, text, steps = site.run(pair)
    assert (status, sorted(order(steps, "hardening"))) == (0, ["a1", "b1"]), text


def test_gateways_of_one_machine_agree_in_its_settings(site: Site) -> None:
    pair = {"a1": {"machine": "a"}, "a2": {"machine": "a", "hardening_ssh_from": ["192.0.2.0/24"]}}
    status, text, steps = site.run(pair, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert (status, steps) == (2, [])
    assert json.dumps("machine-settings-differ") in text


def test_a_system_on_which_nothing_was_tried_wants_consent(site: Site) -> None:
    two = {"a1": {"machine": "a"}, "b1": {"machine": "b@ubuntu"}}
    status, text, steps = site.run(two, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert (status, steps) == (2, [])
    assert json.dumps("system-unproven") in text
    status, text, steps = site.run(two, "-e", "gateway_unproven_system=true")
    assert (status, sorted(order(steps, "hardening"))) == (0, ["a1", "b1"]), text

"""The summary of site.yml without an ansible.cfg: text that a person reads, for each state in which a run ends."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import yaml
from tests.lint.files import ROOT

BIN = pathlib.Path(sys.executable).parent
COMMON = {
    "ansible_connection": "local",
    "gateway_stack": "tws",
    "gateway_port": 4002,
    "gateway_image": "registry.example/x@sha256:0",
    "gateway_read_only_api": True,
    "gateway_run_started": 0,
}
READY = {
    "state": "ready",
    "api_state": "ready",
    "pending": False,
    "release": {},
    "accounts": ["DU***67"],
    "starts": True,
}
DOWN = {"state": "stopped", "api_state": None, "starts": False}
SESSION = {
    "name": "open",
    "days": ["mon"],
    "time": "09:30",
    "zone": "America/New_York",
    "lead_minutes": 10,
    "max_minutes": 90,
}
HOSTS: dict[str, dict[str, object]] = {
    "ready": {"gateway_mode": "paper", "gateway_verdict": READY, "gateway_start": True, "gateway_paper_sessions": []},
    "waits": {
        "gateway_mode": "paper",
        "gateway_verdict": DOWN,
        "gateway_start": False,
        "gateway_paper_sessions": [SESSION],
    },
    "unstarted": {
        "gateway_mode": "paper",
        "gateway_verdict": DOWN,
        "gateway_start": False,
        "gateway_paper_sessions": [],
    },
    "unsigned": {"gateway_mode": "live", "gateway_verdict": DOWN, "gateway_start": False, "gateway_paper_sessions": []},
    "portal": {
        "gateway_mode": "paper",
        "gateway_stack": "client_portal",
        "client_portal_verdict": {"state": "ready", "accounts": ["DU***67"]},
    },
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("empty")
    hosts = {name: {**COMMON, **own} for name, own in HOSTS.items()}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"import_tasks": f"{ROOT}/playbooks/tasks/summary.yml"}]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    (folder / "templates").symlink_to(ROOT / "playbooks/templates")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "LC_ALL": "C.UTF-8"}
    command = [BIN / "ansible-playbook", "play.yml", "-i", "hosts.yml"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.parametrize(
    ("host", "lines"),
    [
        ("ready", ["State     ready", "Account   DU***67", "API       127.0.0.1:4002 on the VM (read-only)"]),
        ("waits", ["State     deployed; it stays down until its next session (open, Mon "]),
        ("unstarted", ["State     deployed; it stays down until somebody starts it"]),
        ("unsigned", ["State     deployed; it stays down until somebody signs in"]),
        ("portal", ["State     ready", "API       https://127.0.0.1:4002/v1/api on the VM (Client Portal)"]),
    ],
)
def test_the_state_and_its_next_steps(printed: str, host: str, lines: list[str]) -> None:
    screen = printed.partition(f"Host      {host} ({host})\n")[2].partition("ok: [")[0]
    for line in lines:
        assert f"\n{line}" in screen
    assert "  look at every gateway    ansible-playbook ibops.gateway.status -i hosts.yml\n" in screen
    starts = f"ansible-playbook ibops.gateway.site -i hosts.yml -l {host} -e gateway_start=true\n"
    assert (starts in screen) == (host in ("waits", "unstarted"))
    signs_in = f"ansible-playbook ibops.gateway.live_signin -i hosts.yml -l {host}\n"
    assert (signs_in in screen) == (host == "unsigned")

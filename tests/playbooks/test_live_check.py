"""playbooks/live_check.yml on hosts that are not there or have no gateway: each has its report, then it fails."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
import typing as t

import pytest
import yaml
from tests.lint.files import ROOT

BIN = pathlib.Path(sys.executable).parent
PASSWORD = "top-secret"
ACCOUNT = "U7654321"


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> pathlib.Path:
    """A host that cannot be reached, and one (this machine) that has no such gateway and whose settings are refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    variables = {
        "gateway_mode": "live",
        "gateway_image": "registry.example/ib-gateway@sha256:" + "0" * 64,
        "gateway_password": PASSWORD,
        "gateway_accounts": [ACCOUNT],
    }
    gone = {"ansible_host": "127.0.0.1", "ansible_port": closed, "gateway_user": "alice", "gateway_name": "gone"}
    # Without a user, site.yml ends before it touches anything.
    empty = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "gateway_user": ""}
    hosts = {"gone": gone, "empty": {**empty, "gateway_name": "not-on-this-machine"}}
    content = {"gateways": {"vars": variables, "children": {"live": {"hosts": hosts}, "paper": {}}}}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(content))
    return path


def check(
    inventory: pathlib.Path,
    *arguments: str | pathlib.Path,
    folder: pathlib.Path = ROOT,
    playbook: str = "playbooks/live_check.yml",
) -> tuple[str, dict[str, t.Any]]:
    """Run the playbook, which must end with status 2, and return what it printed and its reports by host."""
    reports = inventory.parent / "reports"
    command = [BIN / "ansible-playbook", playbook, "-i", inventory, "-l", "live"]
    command += ["-e", f"live_check_reports_dir={reports}", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "LC_ALL": "C.UTF-8"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    printed = run.stdout + run.stderr
    assert run.returncode == 2, printed
    assert PASSWORD not in printed
    assert ACCOUNT not in printed
    found = {}
    for path in sorted(reports.glob("*.json")):
        content = path.read_text() + path.with_suffix(".html").read_text()
        assert PASSWORD not in content
        assert ACCOUNT not in content
        found[path.name.partition("-")[0]] = json.loads(path.read_text())
    return " ".join(printed.split()), found


def test_every_host_has_its_report_before_the_play_fails(inventory: pathlib.Path) -> None:
    printed, reports = check(inventory)
    assert sorted(reports) == ["empty", "gone"]
    assert "gone needs a person: it cannot be reached" in printed
    assert "gateway not-on-this-machine is not deployed on this host" in printed
    assert printed.count("changed=0") == 2
    rows = {row["check"]: row for row in reports["empty"]["report"]["rows"]}
    # The same inventory reached site.yml, which refused the user.
    assert rows["drift"]["verdict"] == "act"
    assert "Refuse what cannot work" in rows["drift"]["text"]
    assert reports["empty"]["thresholds"]["disk_warn"] == 15


def test_without_drift_and_with_a_threshold_of_ones_own(inventory: pathlib.Path) -> None:
    printed, reports = check(inventory, "-e", "live_check_drift=false", "-e", "live_check_disk_warn=33")
    assert "not looked for (live_check_drift is false)" in printed
    assert reports["empty"]["thresholds"]["disk_warn"] in (33, "33")


def test_in_check_mode_nothing_is_written(inventory: pathlib.Path) -> None:
    printed, reports = check(inventory, "--check", "-e", "live_check_drift=false")
    assert reports == {}
    assert printed.count("changed=0") == 2


def test_from_an_empty_folder_with_a_vault_and_a_password_file_for_sudo(inventory: pathlib.Path) -> None:
    """The prediction has its settings: those of the vault and of -e @file reach it."""
    folder = inventory.parent / "empty"
    folder.mkdir()
    key, sudo, more = folder / "vault-key", folder / "sudo-password", folder / "more.yml"
    key.write_text("open sesame\n")
    sudo.write_text("xyzzy\n")
    sealed = subprocess.run(
        [BIN / "ansible-vault", "encrypt_string", "--vault-password-file", key, "bob", "--name", "gateway_user"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    # Of this machine nothing is touched: the kind of its settings is refused, after all of them were read.
    more.write_text(f"{sealed}\ngateway_memory: 5\n")
    arguments = ["--vault-password-file", key, "--become-password-file", sudo, "-e", f"@{more}", "-l", "empty"]
    printed, reports = check(inventory, *arguments, folder=folder, playbook="ibops.gateway.live_check")
    assert "[WARNING]" not in printed
    rows = {row["check"]: row for row in reports["empty"]["report"]["rows"]}
    assert rows["drift"]["verdict"] == "act"
    step = rows["drift"]["next_step"]
    assert step == (
        "ansible-playbook ibops.gateway.site -i ../hosts.yml --become-password-file sudo-password "
        "--vault-password-file vault-key -e @more.yml -l empty --check --diff"
    ).replace("../hosts.yml", str(inventory))
    # The table is a table, and the command in it is in one piece.
    assert f"-> {step}" in printed

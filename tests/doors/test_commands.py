"""Printed commands through both doors, as far as they need no gateway's host; Google is a fake, or not reached."""

from __future__ import annotations

import http.server
import shutil
import threading
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from tests.doors import table
from tests.doors.door import Door
from tests.doors.galaxy import Galaxy
from tests.fake_gcp.connectors import FakeConnectors
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.scheduler import FakeScheduler
from tests.fake_gcp.server import FakeGcp
from tests.lint.files import ROOT
from tests.playbooks.cloud_run_page import job_settings
from tests.unit.gcp.conftest import HOST_KEYS

EDITOR = """#!/bin/sh
sed 's/its password/top-secret/' "$HOME/ibgw/vault.example.yml" > "$1"
"""
HOURS = """
gateway_paper_sessions:
  - {name: open, days: [mon], time: "09:30", zone: America/New_York, lead_minutes: 10, max_minutes: 90}
hours_service_account: hours@my-project.iam.gserviceaccount.com
# Nobody waits for a VM that is not there.
ansible_ssh_timeout: 1
gcp_vm_boot_timeout: 5
gcp_vm_connect: internal
"""


def carried_out(door: Door, row: table.Row) -> None:
    """Run the row's command, which has to end as the row says."""
    ended = door.run(row.run + row.after, typed=row.typed)
    assert ended.status == row.status, f"{row.run}\n{ended.text}"
    assert "Traceback" not in ended.text, ended.text


@pytest.fixture
def editor(tmp_path: Path) -> str:
    path = tmp_path / "editor"
    path.write_text(EDITOR)
    path.chmod(0o755)
    return str(path)


def test_the_artefact_is_installed_copied_and_sealed_as_the_page_says(
    artefact: Path, tmp_path: Path, editor: str
) -> None:
    with Galaxy(artefact) as galaxy:
        door = Door("installed", tmp_path / "home", EDITOR=editor, ANSIBLE_GALAXY_SERVER=galaxy.url)
        for row in table.of("shell"):
            if "installed" in row.doors:
                carried_out(door, row)
    assert (door.folder / "group_vars/paper/vault.yml").read_text().startswith("$ANSIBLE_VAULT")


def test_the_checkout_is_entered_as_the_page_says(unpacked: Path, tmp_path: Path, editor: str) -> None:
    door = Door("checkout", tmp_path / "home", EDITOR=editor)
    door.enter(unpacked)
    for row in table.of("shell"):
        # The pages enter it; again, and from here, it would be another place.
        if "checkout" in row.doors and row.group != "checkout":
            carried_out(door, row)
    assert (door.folder / "group_vars/paper/vault.yml").read_text().startswith("$ANSIBLE_VAULT")


def test_targets_of_make_are_there(tmp_path: Path) -> None:
    door = Door("checkout", tmp_path / "home")
    door.run(f"cd {ROOT}")
    for row in table.of("make"):
        carried_out(door, replace(row, run=row.run.replace("make ", "make --dry-run ", 1)))


def test_tests_are_found_and_arguments_are_read(tmp_path: Path) -> None:
    door = Door("checkout", tmp_path / "home", PIP_NO_INDEX="1", IBGW=str(ROOT))
    door.run(f"cd {ROOT}")
    for row in table.of("collected"):
        carried_out(door, replace(row, run=f"{row.run} --collect-only -q -p no:cacheprovider"))
    for row in table.of("options"):
        more = "" if row.group == "packages" else " --help"
        carried_out(door, replace(row, run=row.run + more))


class Google(t.NamedTuple):
    """Where a door's programs find the fakes, and what they have."""

    environment: dict[str, str]
    cloud: FakeGcp
    scheduler: FakeScheduler
    run: FakeRun


@pytest.fixture
def google() -> t.Iterator[Google]:
    with FakeGcp() as cloud, FakeRun() as run, FakeConnectors() as connectors, FakeScheduler() as scheduler:
        cloud.state.host_keys = HOST_KEYS
        place = {
            "GCP_COMPUTE_ENDPOINT": cloud.endpoint,
            "GCP_RUN_ENDPOINT": run.endpoint,
            "GCP_VPCACCESS_ENDPOINT": connectors.endpoint,
            "GCP_SCHEDULER_ENDPOINT": scheduler.endpoint,
            "GCP_ACCESS_TOKEN": cloud.token,
            "GCP_OS_LOGIN_USER": "you_example_org",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "https_proxy": "http://127.0.0.1:1",
            "NO_PROXY": "127.0.0.1",
        }
        yield Google(place, cloud, scheduler, run)


@pytest.mark.parametrize("name", table.DOORS)
def test_google_cloud(name: str, unpacked: Path, google: Google, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    # A token without a person.
    (programs / "gcloud").write_text("#!/bin/sh\necho token\n")
    (programs / "gcloud").chmod(0o755)
    door = Door(name, tmp_path / "home", programs, **google.environment)
    door.enter(unpacked)
    for row in table.of("cloud"):
        carried_out(door, row)
        inventory = door.folder / "inventory"
        if inventory.exists():
            (inventory / "group_vars/all.yml").write_text(HOURS)
            for file in ("pipeline.yml", "signin.yml"):
                (door.folder / file).write_text(job_settings(file))

    assert ["/jobs/live-signin/" in each for each in google.run.executions] == [True]


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
@pytest.mark.parametrize("row", table.of("gcloud"), ids=lambda row: row.run[:60])
def test_gcloud_takes_it(row: table.Row, tmp_path: Path) -> None:
    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PUT = do_PATCH = answer

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id_ed25519.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me\n")
    services = (
        "cloudresourcemanager",
        "compute",
        "iam",
        "oslogin",
        "orgpolicy",
        "run",
        "secretmanager",
        "serviceusage",
    )
    url = f"http://127.0.0.1:{server.server_port}/"
    places = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{each.upper()}": url for each in services}
    settings = {
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "token",
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_PROJECT": "my-project",
        "CLOUDSDK_CORE_ACCOUNT": "me@example.org",
        "CLOUDSDK_RUN_REGION": "europe-west1",
        "GCP_PROJECT": "my-project",
        "IBGW": str(ROOT),
        "me": "me@example.org",
    }
    door = Door("checkout", home, **places, **settings)
    try:
        ended = door.run(row.run)
    finally:
        server.shutdown()
        server.server_close()
    assert "unrecognized arguments" not in ended.text, ended.text
    assert ended.status != 2, ended.text
    assert bool(asked) == row.sends, (asked, ended.text)

"""The rulebooks, carried out by ansible-rulebook from an installed collection, with a fake of AWX."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from tests.environments import python_of
from tests.lint.files import ROOT
from tests.lint.sanity import shipped

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Answer, attempt
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.channel_kinds import Alert

pytestmark = pytest.mark.programs
TOKEN = "a-token-of-the-watchers"
BIN = Path(sys.executable).parent
SECONDS = 120


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder with ansible-rulebook."""
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        without = "ansible-rulebook needs Java 17 or later: apt-get install default-jre-headless"
        if os.environ.get("CI"):
            pytest.fail(without)
        pytest.skip(without)
    lock = ROOT / "requirements/rulebook.txt"
    return python_of(ROOT / ".cache/rulebook", sys.executable, ["-r", lock]).parent


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the collection is as the artefact has it."""
    place = tmp_path_factory.mktemp("collections")
    for path in shipped():
        target = place / "ansible_collections/ibops/gateway" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(ROOT / path)
    return place


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


class Rulebook:
    """A running ansible-rulebook; *port* is its source's, *log* has all that it says."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process, self._port, self.log = process, port, log

    def tell(self, key: str, host: str) -> Answer:
        """Send an alert as a watcher does."""
        channel = {
            "kind": "webhook",
            "url": f"http://127.0.0.1:{self._port}/alerts",
            "headers": {"Authorization": f"Bearer {TOKEN}"},
        }
        return attempt(channel, Alert(key, "gw", host, "critical", "gw is blocked", "why", "what", time.time()), 10)

    def wait_for(self, condition: Callable[[], object]) -> None:
        wait_for(condition, self._process, self.log)


Start = Callable[..., Rulebook]


@pytest.fixture
def start(programs: Path, collections: Path, tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def begin(rulebook: str, *options: str, **environment: str) -> Rulebook:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            (tmp_path / "events.yml").write_text(yaml.safe_dump({"alerts_port": port}))
            log = tmp_path / "log"
            command = [programs / "ansible-rulebook", "--rulebook", f"ibops.gateway.{rulebook}", "-vv"]
            process = stack.enter_context(
                subprocess.Popen(
                    [*command, "--vars", "events.yml", "--env-vars", "ALERTS_TOKEN", *options],
                    cwd=tmp_path,
                    env={
                        **os.environ,
                        "PATH": f"{programs}:{BIN}:{os.environ['PATH']}",
                        "PWD": str(tmp_path),
                        "TMPDIR": str(tmp_path),
                        "LC_ALL": "C.UTF-8",
                        "ANSIBLE_COLLECTIONS_PATH": str(collections),
                        "ALERTS_TOKEN": TOKEN,
                        **environment,
                    },
                    stdout=stack.enter_context(log.open("wb")),
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
            # Asked to stop, it would wait a minute for what it has launched.
            stack.callback(os.killpg, process.pid, signal.SIGKILL)

            def listens() -> bool:
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0

            wait_for(listens, process, log)
            return Rulebook(process, port, log)

        yield begin


def test_a_blocked_gateway_is_checked_once_and_alone(start: Start, tmp_path: Path) -> None:
    hosts = {name: {"ansible_host": "127.0.0.1", "ansible_port": 1} for name in ("gw-1", "gw-2")}
    live = {"hosts": hosts, "vars": {"gateway_mode": "live", "live_check_drift": False}}
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts.yml").write_text(yaml.safe_dump({"gateways": {"children": {"live": live}}}))

    rulebook = start("live_check", "--inventory", "inventory")
    sent = [rulebook.tell(key, "gw-1") for key in ("test/1", "state/degraded", "state/blocked", "state/blocked")]
    assert sent == [Answer(True, "HTTP status 202")] * 4
    rulebook.wait_for(lambda: "active actions 0" in rulebook.log.read_text())

    (report,) = (tmp_path / "reports").glob("*.json")
    assert report.name.startswith("gw-1-")
    said = rulebook.log.read_text()
    assert said.count("Calling Ansible runner") == 1
    assert TOKEN not in said


class Awx:
    """Of its API what ansible-rulebook uses: templates by name, launches, jobs (https://github.com/ansible/awx).

    Jobs go on without end. *launches* are the templates and the arguments.
    """

    def __init__(self) -> None:
        self.launches: list[tuple[str, dict[str, t.Any]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(outer.read(*urllib.parse.urlsplit(self.path)[2:4]))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind, name = self.path.strip("/").split("/")[2:4]
                outer.launches.append((name, body))
                self._say({"url": f"/api/v2/{kind}/{len(outer.launches)}/"})

            def _say(self, answer: dict[str, t.Any]) -> None:
                content = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def read(self, path: str, query: str) -> dict[str, t.Any]:
        asked = dict(urllib.parse.parse_qsl(query))
        if path.endswith("/unified_job_templates/"):
            return {"results": [self._template(asked["name"])]}
        if "id__in" in asked:
            return {"results": [{"id": int(each), "status": "running"} for each in asked["id__in"].split(",")]}
        return {"version": "24.6.1"}

    @staticmethod
    def _template(name: str) -> dict[str, t.Any]:
        kind = "workflow_job" if name == "sign_in" else "job"
        prompts = dict.fromkeys((f"ask_{each}_on_launch" for each in ("limit", "inventory", "variables")), True)
        return {
            "id": 1,
            "type": f"{kind}_template",
            "name": name,
            "summary_fields": {"organization": {"name": "Default"}},
            "related": {"launch": f"/api/v2/{kind}s/{name}/launch/"},
            "ask_labels_on_launch": False,
            **prompts,
        }


@pytest.fixture
def awx() -> Iterator[Awx]:
    made = Awx()
    with made.server as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def test_a_sign_in_that_waits_for_its_approval_holds_up_no_check(start: Start, awx: Awx) -> None:
    url = f"http://127.0.0.1:{awx.server.server_port}"
    rulebook = start("awx", EDA_CONTROLLER_URL=url, EDA_CONTROLLER_TOKEN="another-token")
    for key, host in (
        # Nobody can sign in on Saturday, and without a host there would be no limit.
        ("reminder/2026-11-28/heads_up", "gw-3"),
        ("reminder/2026-11-29/noon", ""),
        ("reminder/2026-11-29/noon", "gw-1"),
        ("state/blocked", "gw-1"),
        ("state/blocked", "gw-2"),
    ):
        assert rulebook.tell(key, host).delivered
        if key.endswith("noon") and host:
            rulebook.wait_for(lambda: awx.launches)
    rulebook.wait_for(lambda: len(awx.launches) >= 3)
    assert awx.launches == [
        ("sign_in", {"limit": "gw-1", "extra_vars": {}}),
        ("live_check", {"limit": "gw-1", "extra_vars": {}}),
        ("live_check", {"limit": "gw-2", "extra_vars": {}}),
    ]
    assert TOKEN not in rulebook.log.read_text()

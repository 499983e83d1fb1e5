"""Shared by the scenarios' tests: running a playbook on the scenario's own machine, and controlling the stand-in."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
import zoneinfo

import pytest
import testinfra
import yaml
from testinfra.host import Host

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(sys.executable).parent


class Run(t.NamedTuple):
    """A finished ansible-playbook: exit status, what it printed with blanks folded, ``changed`` of the recap."""

    status: int
    printed: str
    changed: int


def ansible_playbook(playbook: str, limit: str, *arguments: str, seconds: float = 600, **environment: str) -> Run:
    """Run a playbook; after the timeout it is killed, with all that it started here, and its status is negative."""
    command = [f"{PROGRAMS}/ansible-playbook", playbook, "-i", "inventories/sandbox", *arguments]
    command += ["-l", limit] if limit else []
    # Molecule forces colours, and a coloured recap would not parse.
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **environment}
    with tempfile.TemporaryFile("w+") as output:
        # Into a file: a child that lives on, such as ssh's master, would keep a pipe open.
        process = subprocess.Popen(
            command, cwd=ROOT, env=plain, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        printed = output.read()
    recap = printed.rpartition("PLAY RECAP")[2]
    changed = sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))
    return Run(process.returncode, " ".join(printed.split()), changed)


def ansible(name: str, module_name: str, arguments: str) -> dict[str, t.Any]:
    command = [f"{PROGRAMS}/ansible", name, "-i", "inventories/sandbox", "-m", module_name, "-a", arguments]
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    report = json.loads(run.stdout[run.stdout.index("{") :])
    return report["plays"][0]["tasks"][0]["hosts"][name]


@pytest.fixture(scope="session")
def name() -> str:
    """The inventory's name of the scenario's machine."""
    return os.environ.get("SANDBOX_HOST", "sandbox-paper")


@pytest.fixture(scope="session")
def variables(name: str) -> dict[str, t.Any]:
    """The machine's variables as Ansible resolves them; testinfra itself reads an inventory without its templates."""
    wanted = ("host", "port", "user", "ssh_private_key_file", "ssh_common_args")
    expression = ", ".join(f"'{variable}': ansible_{variable}" for variable in wanted)
    reply = ansible(
        name,
        "ansible.builtin.debug",
        "msg={{ {" + expression + ", 'image': gateway_image, 'password': gateway_password} }}",
    )
    return reply["msg"]


@pytest.fixture(scope="session")
def host(variables: dict[str, t.Any]) -> Host:
    """The machine, reached by SSH as Ansible reaches it."""
    return testinfra.get_host(
        f"ssh://{variables['user']}@{variables['host']}:{variables['port']}",
        sudo=True,
        ssh_identity_file=variables["ssh_private_key_file"],
        ssh_extra_args=variables["ssh_common_args"],
    )


@pytest.fixture(scope="session")
def module(name: str) -> t.Callable[..., dict[str, t.Any]]:
    """Run one module on the machine and return its result, also that of a failure."""

    def module(module_name: str, **arguments: object) -> dict[str, t.Any]:
        return ansible(name, module_name, " ".join(f"{key}={value}" for key, value in arguments.items()))

    return module


@pytest.fixture(scope="session")
def playbook() -> t.Callable[..., Run]:
    return ansible_playbook


@pytest.fixture
def killed_playbook() -> t.Callable[..., None]:
    """Run a playbook and kill it, with all that it started, after these seconds."""

    def run_and_kill(seconds: float, *words: str) -> None:
        process = subprocess.Popen(
            [PROGRAMS / "ansible-playbook", *words],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    return run_and_kill


@pytest.fixture
def same_container(host: Host, name: str) -> t.Iterator[None]:
    """After the test, the gateway's container is the same one, and was not restarted."""
    inspect = f"docker inspect --format '{{{{.Id}}}} {{{{.State.StartedAt}}}}' ibgw-{name.removeprefix('sandbox-')}"
    before = host.check_output(inspect)
    yield
    assert host.check_output(inspect) == before


@pytest.fixture
def standin(host: Host) -> t.Callable[..., dict[str, t.Any]]:
    """Control the stand-in in the running container: its counters and its faults."""

    def control(*words: str) -> dict[str, t.Any]:
        name = host.check_output("docker ps --filter label=ibops.gateway.name --format '{{.Names}}'")
        return json.loads(host.check_output(f"docker exec {name} standin-ctl {' '.join(words)}") or "{}")

    return control


@pytest.fixture(scope="session")
def pinned(name: str, tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], tuple[str, str]]:
    """The arguments that add an inventory which pins an image."""

    def write(image: str) -> tuple[str, str]:
        path = tmp_path_factory.mktemp("inventory") / "hosts.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": {name: {"gateway_image": image}}}}))
        return "-i", str(path)

    return write


@pytest.fixture(scope="session")
def images(host: Host, variables: dict[str, t.Any]) -> dict[str, str]:
    """Releases of the image by their digests: the one of the sandbox, one that works, one that ends at once, one for
    another user with a gateway that IBKR has not accepted for years."""

    def release(name: str, *changes: str) -> str:
        host.check_output(f"docker create --name release {variables['image']}")
        tag = f"{variables['image'].partition('@')[0]}:{name}"
        words = " ".join(f"--change '{change}'" for change in changes)
        host.check_output(f"docker commit {words} release {tag} && docker rm release")
        host.check_output(f"docker push --disable-content-trust {tag}")
        return host.check_output(f"docker inspect --format '{{{{index .RepoDigests 0}}}}' {tag}")

    return {
        "old": variables["image"],
        "good": release("good", "LABEL release=good"),
        "broken": release("broken", "ENV STANDIN_FAULT=exit_at_once"),
        "unfit": release("unfit", "USER root", "ENV IB_GATEWAY_VERSION=10.19.1 TWS_MAJOR_VRSN=10.19.1"),
    }


class Watched:
    """A gateway's record as its watcher, or another actor, has written it; without a new look."""

    def __init__(self, host: Host, gateway: str) -> None:
        self.host, self.gateway = host, gateway

    def record(self) -> dict[str, t.Any]:
        return json.loads(self.host.file(f"/var/lib/ibgw/{self.gateway}/session/state.json").content_string)

    def until(self, reached: t.Callable[[dict[str, t.Any]], bool], seconds: float = 30) -> dict[str, t.Any]:
        """The record as soon as it matches."""
        deadline = time.monotonic() + seconds
        while not reached(found := self.record()):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    def reaches(self, state: str, seconds: float) -> dict[str, t.Any]:
        """The record as soon as the gateway is in that state."""
        return self.until(lambda record: record["state"] == state, seconds)

    def alerts(self) -> list[str]:
        """The keys of all alerts that arrived, in their order."""
        return [json.loads(line)["key"] for line in self.host.run("cat /var/lib/ibgw-alerts.jsonl").stdout.splitlines()]

    def told(self, key: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while key not in self.alerts():
            assert time.monotonic() < deadline, (key, self.alerts())
            time.sleep(0.2)


class Driven(Watched):
    """A gateway whose watcher lives at the tests' time (molecule/shared/clock.yml); all times are New York's."""

    def at(self, moment: str) -> None:
        """Set the clock to *moment*, ``2027-03-07 01:20``, and wait until the watcher has looked."""
        new_york = datetime.datetime.fromisoformat(moment).replace(tzinfo=zoneinfo.ZoneInfo("America/New_York"))
        offset = new_york.timestamp() - float(self.host.check_output("date +%s.%N"))
        # In place, since processes that hold the clock open keep reading it.
        self.host.check_output(f"echo {offset:+.3f} >/etc/ibgw-clock && systemctl restart ibgw-watch@{self.gateway}")
        self.until(lambda record: 0 <= record["checked_at"] - new_york.timestamp() < 300)

    def ibgwctl(self, *words: str) -> t.Any:
        """Run ibgwctl at that time, with a password on its standard input; return testinfra's result."""
        run = "systemd-run --quiet --pipe --wait --property=EnvironmentFile=/etc/ibgw-clock.env"
        return self.host.run(f"echo any | {run} /usr/local/sbin/ibgwctl {' '.join(words)}")

    def history(self) -> list[dict[str, t.Any]]:
        return json.loads(self.ibgwctl("history", self.gateway, "--last=10000", "--json").stdout)["events"]


@pytest.fixture(scope="session")
def watched(host: Host, name: str) -> Watched:
    return Watched(host, name.removeprefix("sandbox-"))


@pytest.fixture(scope="session")
def driven(host: Host, name: str) -> Driven:
    return Driven(host, name.removeprefix("sandbox-"))


@pytest.fixture
def exposures(host: Host) -> t.Callable[[], dict[str, float]]:
    """How exposed systemd finds each of our services to be, from 0 to 10; ``systemd-analyze security``."""

    def look() -> dict[str, float]:
        ours = "'ibgw-*.service' aidecheck.service debsumscheck.service sysctl-reapply-network.service"
        orders = ("list-unit-files", "list-units --all")
        listed = host.check_output("; ".join(f"systemctl {order} --plain --no-legend {ours}" for order in orders))
        # A template is judged as its instances are.
        names = {line.split()[0].replace("@.service", "@i.service") for line in listed.splitlines()}
        levels = {}
        for name in sorted(names):
            last = host.check_output(f"systemd-analyze security --no-pager '{name}'").splitlines()[-1]
            levels[name] = float(last.rpartition(": ")[2].split()[0])
        return levels

    return look

"""Two gateways on one machine, each in the attacker's hands until the test ends, and then as it was.

The row of docs/explanation/security.md that a test plays is its name without `test_`.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import fcntl
import json
import pathlib
import shlex
import time
import typing as t

import pytest
from testinfra.host import Host

SCENARIO = pathlib.Path(__file__).resolve().parent.parent
HERE = ("-i", str(SCENARIO / "inventory"), "-e", f"@{SCENARIO / 'vars' / 'main.yml'}")
ALERTS = "/var/lib/ibgw-alerts.jsonl"

# A network namespace with a way to it, and an address in it.
NEIGHBOUR = """
set -e
ip netns add hostile
ip link add hostile0 type veth peer name hostile1 netns hostile
ip address add 198.18.77.1/30 dev hostile0
ip link set hostile0 up
for name in lo hostile1; do ip -n hostile link set $name up; done
ip -n hostile address add 198.18.77.2/30 dev hostile1
ip -n hostile address add {address}/32 dev lo
ip -n hostile route add default via 198.18.77.1
ip route add {address}/32 via 198.18.77.2
"""
# As it was when the tests began: {name} of a gateway, which is also its mode.
KEEP = "tar -cpf ~root/{name}.tar /etc/ibgw/{name} /var/lib/ibgw/{name} /etc/shadow /etc/passwd"
RESTORE = """
systemctl kill --signal=KILL ibgw-watch@{name}
systemctl stop ibgw-watch@{name}; systemctl reset-failed ibgw-watch@{name}
docker unpause ibgw-{name}; docker kill ibgw-{name}
find /var/lib/ibgw/{name} -type p -exec timeout 1 sh -c ': >"$0"' {{}} \\;
rm -rf /var/lib/ibgw/{name} /etc/ibgw/{name} && tar -xpf ~root/{name}.tar -C / etc/ibgw var/lib/ibgw
for _each in passwd shadow; do
  tar -xOf ~root/{name}.tar etc/$_each | cmp --silent - /etc/$_each || tar -xpf ~root/{name}.tar -C / etc/$_each
done
"""
BEGIN = {
    "paper": "ibgwctl start paper && ibgwctl wait-ready paper",
    "live": "echo any | ibgwctl sign-in live --password-stdin",
}

# The rest of what a running container must not lose under its feet.
RESTORE_MEMORY = """
systemctl kill --signal=KILL ibgw-watch@{name}
systemctl stop ibgw-watch@{name}; systemctl reset-failed ibgw-watch@{name}
rm -rf /var/lib/ibgw/{name}/session
tar -xpf ~root/{name}.tar -C / var/lib/ibgw/{name}/session etc/ibgw/{name}/alerts.json \\
  etc/ibgw/{name}/gateway.json etc/ibgw/{name}/session.json
systemctl start ibgw-watch@{name}
"""
CHEAP_FIRST = ["users", "network", "memory", "settings", "text", "logins", "outside", "operators", "files", "cost",
               "conversation"]  # fmt: skip


def attacked(item: pytest.Item) -> str:
    """Return the gateway that a row attacks; one that attacks the machine itself counts as paper's."""
    parameters = (
        item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    )
    return "live" if "live" in (*getattr(item, "fixturenames", ()), *parameters) else "paper"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of two workers (`-n 2 --dist worksteal`) the rows of one gateway, the cheap ones first."""
    items.sort(key=lambda item: (attacked(item), CHEAP_FIRST.index(item.path.stem.removeprefix("test_"))))


class Machine:
    """The machine, as its root."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def run(self, command: str, within: float = 60) -> t.Any:
        """Run a shell's command, which is killed after so many seconds; testinfra's result, 124 then."""
        return self.host.run(f"timeout --kill-after=1 {within} sh -c {shlex.quote(command)}")

    def out(self, command: str, within: float = 60) -> str:
        done = self.run(command, within)
        assert done.rc == 0, (command, done.rc, done.stdout, done.stderr)
        return done.stdout.strip()

    def timed(self, command: str, within: float) -> tuple[t.Any, float]:
        """Return the result and the seconds that it took."""
        began = time.monotonic()
        done = self.run(command, within)
        return done, time.monotonic() - began

    def alerts(self, since: int = 0) -> list[dict[str, t.Any]]:
        lines = self.run(f"cat {ALERTS}").stdout.splitlines()
        return [json.loads(line) for line in lines[since:]]


class Target:
    """A gateway to attack; *name* is its mode too."""

    # Seconds: gateway_stop_grace of vars/main.yml and 15; what a look may take.
    LONGEST_STOP = 5 + 15
    LONGEST_LOOK = 20

    def __init__(self, machine: Machine, name: str, deploy: c.Callable[..., t.Any]) -> None:
        self.machine, self.name, self.deploy, self.container = machine, name, deploy, f"ibgw-{name}"
        self.settings = f"/var/lib/ibgw/{name}/tws_settings"
        self.state_path = f"/var/lib/ibgw/{name}/session/state.json"
        # Whether something was done inside of the container since it was as it had been.
        self.entered = self.kept = False

    def inside(self, command: str) -> str:
        """Run a shell's command as the container's user."""
        self.entered = True
        return self.machine.out(f"docker exec {self.container} sh -c {shlex.quote(command)}")

    def attack(self, *words: str) -> None:
        self.entered = True
        program = shlex.quote((SCENARIO / "attacker.py").read_text())
        self.machine.out(
            f"printf %s {program} | docker exec -i {self.container} python3 - {shlex.join(words)}", within=120
        )

    def look(self) -> tuple[dict[str, t.Any], float]:
        """Return the output of `ibgwctl status` and its duration in seconds."""
        done, seconds = self.machine.timed(f"ibgwctl status {self.name} --json", self.LONGEST_LOOK + 10)
        assert done.stdout, (done.rc, done.stderr, seconds)
        return json.loads(done.stdout), seconds

    def record(self) -> dict[str, t.Any]:
        return json.loads(self.machine.out(f"cat {self.state_path}"))

    def until(self, reached: c.Callable[[dict[str, t.Any]], bool], seconds: float) -> dict[str, t.Any]:
        """Wait for the watcher's record to match."""
        deadline = time.monotonic() + seconds
        while not reached(found := self.record()):
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
        return found

    def running(self) -> str:
        """The container that runs, by id and start; empty when none does."""
        form = "{{if .State.Running}}{{.Id}} {{.State.StartedAt}}{{end}}"
        return self.machine.run(f"docker inspect --format {shlex.quote(form)} {self.container}").stdout.strip()

    def count(self, text: str) -> int:
        """Lines of the container's log with *text* in it."""
        return int(self.machine.run(f"docker logs {self.container} 2>&1 | grep -cF {shlex.quote(text)}").stdout)

    def watcher(self, name: str) -> str:
        """A property of the watcher's unit."""
        return self.machine.out(f"systemctl show --value --property={name} ibgw-watch@{self.name}")

    def processor_seconds(self) -> float:
        return int(self.machine.out(f"cut -d' ' -f1 /proc/{self.watcher('MainPID')}/schedstat")) / 1e9

    def peak_mebibytes(self) -> float:
        status = self.machine.out(f"grep VmHWM /proc/{self.watcher('MainPID')}/status")
        return int(status.split()[1]) / 1024

    def restore(self) -> None:
        """Restore the state from before the tests."""
        self.machine.run(RESTORE.format(name=self.name))
        self.machine.out(f"systemctl start ibgw-watch@{self.name}")
        if self.machine.run(BEGIN[self.name], 90).rc != 0:
            # The container is gone, or another one.
            assert self.deploy("site.yml", self.name, *HERE, "--tags", "gateway").status == 0
        self.entered = False

    @contextlib.contextmanager
    def attacked(self) -> c.Iterator[Target]:
        """Yield it for a row, after which it is as it was; what no row has got at is left alone."""
        if not self.kept:
            assert self.look()[0]["state"] == "ready"
            self.machine.out(KEEP.format(name=self.name))
            self.kept = True
        before = self.running()
        try:
            yield self
        finally:
            if self.entered or self.running() != before or self.look()[0]["state"] != "ready":
                self.restore()


@pytest.fixture(scope="session")
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.fixture(scope="session")
def kept(machine: Machine, playbook: c.Callable[..., t.Any]) -> dict[str, Target]:
    """Both gateways."""
    return {name: Target(machine, name, playbook) for name in BEGIN}


@pytest.fixture(scope="session")
def hold(tmp_path_factory: pytest.TempPathFactory) -> c.Callable[[str], t.ContextManager[None]]:
    """Lock a gateway against the other workers."""
    shared = tmp_path_factory.getbasetemp().parent

    @contextlib.contextmanager
    def lock(gateway: str) -> c.Iterator[None]:
        with (shared / f"{gateway}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    return lock


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest, hold: c.Callable[[str], t.ContextManager[None]]) -> c.Iterator[None]:
    """One row at a time attacks a gateway."""
    with hold(attacked(request.node)):
        yield


@pytest.fixture
def paper(alone: None, kept: dict[str, Target]) -> c.Iterator[Target]:
    with kept["paper"].attacked() as target:
        yield target


@pytest.fixture
def memory(paper: Target) -> c.Iterator[Target]:
    """The paper gateway for what damages the files of its watcher only."""
    yield paper
    paper.machine.run(RESTORE_MEMORY.format(name="paper"))


@pytest.fixture
def live(alone: None, kept: dict[str, Target]) -> c.Iterator[Target]:
    with kept["live"].attacked() as target:
        yield target


class Listener:
    """Programs of the test beside the machine or on its loopback, until the test ends."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def beside(self, address: str, port: int) -> None:
        """Have a neighbour at *address* which accepts connections: the way to it is a forwarded one for a container."""
        self.machine.out(NEIGHBOUR.format(address=address))
        self._run(address, port, "while True: server.accept()", "nsenter --net=/run/netns/hostile")

    def here(self, address: str, port: int, program: str) -> None:
        """Run *program* with a listening socket `server` at an address of the loopback."""
        self._run(address, port, program)

    def _run(self, address: str, port: int, program: str, within: str = "") -> None:
        code = f"import socket, time\nserver = socket.create_server(('{address}', {port}))\n{program}"
        run = f"systemd-run --quiet --collect --unit=hostile {within}"
        self.machine.out(f"{run} python3 -c {shlex.quote(code)}")
        self.machine.out(
            f"for _each in $(seq 50); do {self.reach(address, port)} 2>/dev/null && exit; sleep 0.1; done; exit 1"
        )

    @staticmethod
    def reach(address: str, port: int) -> str:
        """A command that succeeds where a connection is accepted."""
        return f"python3 -c 'import socket; socket.create_connection((\"{address}\", {port}), 3)'"

    def end(self) -> None:
        self.machine.run("systemctl stop hostile; ip netns delete hostile; ip link delete hostile0")


@pytest.fixture
def listener(alone: None, machine: Machine) -> c.Iterator[Listener]:
    found = Listener(machine)
    yield found
    found.end()


@pytest.fixture
def play(playbook: c.Callable[..., t.Any]) -> c.Callable[..., t.Any]:
    """Run a playbook on this scenario's machine; one that takes longer than any should is killed."""

    def run(path: str, limit: str, *arguments: str, seconds: float = 150) -> t.Any:
        return playbook(path, limit, *HERE, *arguments, seconds=seconds)

    return run

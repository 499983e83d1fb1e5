"""The desktop of a running live gateway: for one password and one user, for minutes, the gateway untouched."""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
import subprocess
import typing as t

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
PORT = 5901
DESKTOP = "playbooks/desktop.yml"
pytestmark = pytest.mark.usefixtures("same_container")
UNITS = "/run/systemd/system/ibgw-*desktop-live*"
GREETING = "import socket; print(socket.create_connection(('127.0.0.1', 5901), 5).recv(12).decode())"


class Viewer:
    """An RFB 3.8 client (RFC 6143) whose connection SSH forwards, as it does for a person's."""

    def __init__(self, ssh: list[str]) -> None:
        self.process = subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def take(self, count: int) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.read(count)

    def give(self, message: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(message)
        self.process.stdin.flush()

    def sign_in(self, password: str) -> tuple[int, int] | None:
        """Width and height of the screen; None where the password is refused."""
        assert self.take(12) == b"RFB 003.008\n"
        self.give(b"RFB 003.008\n")
        assert self.take(self.take(1)[0]) == b"\x02"  # a password is the only way in
        self.give(b"\x02")
        key = bytes(int(f"{octet:08b}"[::-1], 2) for octet in password.encode().ljust(8, b"\0"))
        encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
        self.give(encryptor.update(self.take(16)))
        if self.take(4) != bytes(4):
            return None
        self.give(b"\x01")
        screen = self.take(24)
        return int.from_bytes(screen[:2]), int.from_bytes(screen[2:4])


@pytest.fixture
def view(variables: dict[str, t.Any]) -> t.Iterator[t.Callable[[], Viewer]]:
    ssh = [
        *("ssh", *shlex.split(variables["ssh_common_args"])),
        *("-i", variables["ssh_private_key_file"], "-p", str(variables["port"])),
        *("-W", f"127.0.0.1:{PORT}", f"{variables['user']}@{variables['host']}"),
    ]
    viewers: list[Viewer] = []

    def connect() -> Viewer:
        viewers.append(Viewer(ssh))
        return viewers[-1]

    yield connect
    for viewer in viewers:
        viewer.process.kill()
        viewer.process.communicate()


def opened(playbook: Playbook, *arguments: str) -> str:
    """Open it and return the password."""
    run = playbook(DESKTOP, "live", *arguments)
    assert run.status == 0, run.printed
    found = re.search(r"password (\w{8}) ", run.printed)
    assert found, run.printed
    return found[1]


def listens(host: Host) -> bool:
    return host.run(f"ss -Hltn 'sport = :{PORT}' | grep .").rc == 0


def closed(host: Host) -> bool:
    secret = host.run("docker exec ibgw-live test -e /run/ibc/desktop").rc == 0
    viewer = host.run("docker exec ibgw-live pgrep -x x11vnc").rc == 0
    return not (listens(host) or secret or viewer or host.run(f"ls {UNITS}").rc == 0)


def test_the_password_opens_and_nothing_else_does(
    host: Host, playbook: Playbook, view: t.Callable[[], Viewer], variables: dict[str, t.Any]
) -> None:
    password = opened(playbook)
    assert view().sign_in("wrong-pw") is None
    viewer = view()
    assert viewer.sign_in(password) == (640, 480)
    for where in ("ps axww", "docker exec ibgw-live ps axww", "docker inspect ibgw-live", f"cat {UNITS}", "journalctl"):
        assert password not in host.check_output(where), where
    viewer.process.kill()

    as_other = host.run(f'setpriv --reuid=nobody --clear-groups python3 -c "{GREETING}"')
    assert "RFB" not in as_other.stdout + as_other.stderr
    assert host.check_output(f"ss -Hltn 'sport = :{PORT}'").split()[3] == f"127.0.0.1:{PORT}"
    in_container = host.check_output("docker exec ibgw-live cat /proc/net/tcp")
    assert f":{5900:04X} 00000000:0000 0A" not in in_container
    for port in (5900, PORT):
        with contextlib.suppress(OSError), socket.create_connection((variables["host"], port), 2):
            raise AssertionError(f"port {port} of the machine is reachable")


def test_opened_again_only_the_new_password_fits(playbook: Playbook, view: t.Callable[[], Viewer]) -> None:
    old, new = opened(playbook), opened(playbook)
    assert view().sign_in(old) is None
    assert view().sign_in(new)


def test_without_its_password_file_nobody_gets_in(host: Host, playbook: Playbook, view: t.Callable[[], Viewer]) -> None:
    opened(playbook)
    host.check_output("docker exec ibgw-live rm /run/ibc/desktop")
    assert view().take(12) == b""


def test_closed_by_hand(host: Host, playbook: Playbook) -> None:
    opened(playbook)
    assert not closed(host)
    assert playbook(DESKTOP, "live", "-e", "desktop=close", "--check").status == 0
    assert not closed(host)
    assert playbook(DESKTOP, "live", "-e", "desktop=close").changed == 1
    assert closed(host)
    again = playbook(DESKTOP, "live", "-e", "desktop=close")
    assert (again.status, again.changed) == (0, 0)
    assert playbook(DESKTOP, "live", "--check").status == 0
    assert closed(host)


def test_closed_by_the_machine_itself_with_somebody_looking(
    host: Host, playbook: Playbook, view: t.Callable[[], Viewer]
) -> None:
    password = opened(playbook, "-e", "desktop_minutes=1")
    viewer = view()
    assert viewer.sign_in(password)
    viewer.process.communicate(timeout=120)  # until the machine ends it
    host.check_output("systemctl start ibgw-close-desktop-live.service || true")  # wait for its last step
    assert closed(host)

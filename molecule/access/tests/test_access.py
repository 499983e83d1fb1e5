"""Every access method admits its clients and nobody else, whatever happens to engine, container, firewall or VM."""

from __future__ import annotations

import collections.abc as c
import time
import typing as t

import pytest
from docs.access_matrix import MATRIX, PICTURE, picture, printed
from sandbox.machine.common import docker
from testinfra.host import Host
from tests.sandbox.reboot import reboot
from tests.sandbox.watch import BASTION, VM, Watch


def until(reached: c.Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def tunnel_stands() -> bool:
    return "127.0.0.1:4002" in docker("exec", BASTION, "ss", "-Hltn")


def nothing(_host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    """As site.yml made it."""


def engine_restart(host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    host.check_output("systemctl restart docker.service")


def firewall_reload(host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    host.check_output("systemctl reload nftables.service && systemctl restart nftables.service")


def container_again(_host: Host, playbook: c.Callable[..., t.Any]) -> None:
    run = playbook("playbooks/restart.yml", "paper")
    assert run.status == 0, run.printed


def vm_reboot(host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    reboot(VM, "paper")
    order = "systemctl show --value --property=ActiveEnterTimestampMonotonic nftables.service docker.service"
    firewall, engine = (int(moment) for moment in host.check_output(order).split())
    assert 0 < firewall < engine


@pytest.mark.parametrize("event", [nothing, engine_restart, container_again, firewall_reload, vm_reboot])
def test_the_matrix(
    watch: Watch,
    host: Host,
    playbook: c.Callable[..., t.Any],
    event: c.Callable[[Host, c.Callable[..., t.Any]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    event(host, playbook)
    until(tunnel_stands, 30)
    # Of a VM that was away a peer knows when nothing has come back for a quarter of a minute.
    until(watch.peer_stands, 30)
    found = watch.cells()
    with capsys.disabled():
        print(f"\n{event.__name__}\n{printed(found)}")
    assert found == {(row.source, row.target): row.expected() for row in MATRIX}


def test_the_picture_shows_this_matrix() -> None:
    assert PICTURE.read_text() == picture(), "write it anew: python docs/access_matrix.py"

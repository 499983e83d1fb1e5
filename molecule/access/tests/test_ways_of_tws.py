"""Trader Workstation in the gateway's place: the same access methods for its API, and none for its desktop."""

from __future__ import annotations

import typing as t

import pytest
from docs.access_matrix import printed
from sandbox.machine.common import STATE
from sandbox.machine.setup import standin_image
from sandbox.registry import registry
from testinfra.host import Host
from tests.sandbox.watch import Watch

Playbook = t.Callable[..., t.Any]
RDP = 3389


@pytest.fixture(scope="module")
def tws(pinned: t.Callable[[str], tuple[str, str]]) -> tuple[str, ...]:
    """The arguments that deploy the stand-in of the desktop image with every access method of this scenario."""
    registry.publish(standin_image("gateway", "--program", "tws"), "tws")
    image = (STATE / "tws_image").read_text().strip()
    return (*pinned(image), "-e", "@molecule/access/vars/main.yml", "-e", "gateway_program=tws")


def test_it_is_ready_through_site_yml_and_a_second_run_changes_nothing(
    host: Host, playbook: Playbook, tws: tuple[str, ...]
) -> None:
    run = playbook("site.yml", "paper", *tws)
    assert run.status == 0, run.printed
    assert host.run("ibgwctl wait-ready paper --timeout 60").rc == 0
    assert "127.0.0.1:7497" in host.check_output("ss -Hltn")
    assert host.run("docker exec ibgw-paper grep -c :0D3D /proc/net/tcp").stdout.strip() != "0"
    again = playbook("site.yml", "paper", *tws)
    assert (again.status, again.changed) == (0, 0), again.printed


def test_its_desktop_is_open_to_nobody(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    found = watch.cells()
    with capsys.disabled():
        print(f"\n{printed(found)}")
    assert {place: ports[RDP] for place, ports in found.items() if ports[RDP] == "open"} == {}

"""Traffic that the firewall lets through, seen from the subnets around a machine, and from its containers."""

from __future__ import annotations

import json
import shlex

import pytest
from sandbox.machine.common import NETWORK, docker, labelled, machine_image
from sandbox.registry import registry
from tests.sandbox.conftest import Machine, changed

pytestmark = pytest.mark.parametrize("machine", ["trixie"], indirect=True)

TRY = """
import socket, sys
for place in sys.argv[1:]:
    address, port = place.rsplit(":", 1)
    try:
        socket.create_connection((address, int(port)), 3).close()
        print(place, "open")
    except TimeoutError:
        print(place, "dropped")
    except OSError as fault:
        print(place, fault.strerror)
"""
TAGS = ("--tags", "hardening_ssh,hardening_firewall,hardening_fail2ban")
ENGINE = "docker run --disable-content-trust --detach --rm --entrypoint python3"


@pytest.fixture(scope="module")
def firewall(machine: Machine) -> Machine:
    """A machine with an engine, behind the role's firewall; a container is published to everybody at port 8088."""
    machine.make()
    machine.play("engine.yml")
    machine.play("hardened.yml", *TAGS)
    image = machine.run("sudo docker image ls --quiet")
    machine.run(f"sudo {ENGINE} --name published --publish 0.0.0.0:8088:8000 {image} -m http.server 8000")
    ready = f"until python3 -c '{TRY}' 127.0.0.1:8088 | grep open; do sleep 0.5; done"
    machine.run(f"timeout 60 bash -c {shlex.quote(ready)}")
    return machine


def seen(answers: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in answers.strip().splitlines())


def from_outside(machine: Machine, source: str, *places: str) -> dict[str, str]:
    client = ("run", "--rm", *labelled("client"), "--network", NETWORK, "--ip", source)
    return seen(docker(*client, machine_image(machine.release), "python3", "-c", TRY, *places))


def from_container(machine: Machine, *places: str) -> dict[str, str]:
    return seen(machine.run(f"sudo docker exec published python3 -c '{TRY}' {' '.join(places)}"))


def test_docker_cannot_bypass_it(firewall: Machine) -> None:
    address = firewall.address
    found = from_outside(firewall, "10.211.2.9", f"{address}:22", f"{address}:8088", f"{address}:111")
    assert found == {f"{address}:22": "open", f"{address}:8088": "dropped", f"{address}:111": "dropped"}


def test_the_host_itself_reaches_what_it_publishes(firewall: Machine) -> None:
    places = ("127.0.0.1:8088", f"{firewall.address}:8088")
    assert set(seen(firewall.run(f"python3 -c '{TRY}' {' '.join(places)}")).values()) == {"open"}


def test_containers_reach_a_neighbour_that_is_named_and_never_the_host(firewall: Machine) -> None:
    neighbour = registry.place()
    reach = json.dumps({"hardening_firewall_containers_reach": [neighbour.partition(":")[0]]})
    places = (neighbour, f"{firewall.address}:22", "172.17.0.1:22", "169.254.169.254:80")
    assert set(from_container(firewall, *places).values()) == {"dropped"}
    firewall.play("hardened.yml", *TAGS, "-e", reach)
    found = from_container(firewall, *places)
    assert found == {**dict.fromkeys(places, "dropped"), neighbour: "open"}


def test_a_role_adds_its_own_rules(firewall: Machine) -> None:
    rule = "add rule inet ibgw access_forward ip saddr 10.211.1.0/24 ct original proto-dst 8088 accept"
    firewall.run(f"echo '{rule}' | sudo tee /etc/nftables.d/test.nft && sudo systemctl reload nftables.service")
    place = f"{firewall.address}:8088"
    assert from_outside(firewall, "10.211.1.9", place) == {place: "open"}
    assert from_outside(firewall, "10.211.2.9", place) == {place: "dropped"}
    firewall.run("sudo rm /etc/nftables.d/test.nft && sudo systemctl reload nftables.service")


def test_rules_that_somebody_flushed_come_back(firewall: Machine) -> None:
    firewall.run("sudo nft delete table inet ibgw")
    assert changed(firewall.play("hardened.yml", *TAGS, "--check")) == 1
    assert changed(firewall.play("hardened.yml", *TAGS)) == 1
    firewall.run("sudo nft list chain inet ibgw input")
    assert changed(firewall.play("hardened.yml", *TAGS)) == 0


def test_dockers_rules_survive_its_stop_and_start(firewall: Machine) -> None:
    firewall.play("hardened.yml", *TAGS, "-e", '{"hardening_firewall_containers_reach": ["10.211.3.0/24"]}')
    firewall.run("sudo systemctl restart nftables.service")
    assert "MASQUERADE" in firewall.run("sudo iptables -t nat -S POSTROUTING")
    neighbour = registry.place()
    assert from_container(firewall, neighbour) == {neighbour: "open"}


def test_the_operators_addresses_are_never_banned(firewall: Machine) -> None:
    firewall.run("sudo fail2ban-client set sshd banip 192.0.2.1")
    assert "192.0.2.1" in firewall.run("sudo nft list ruleset 2>/dev/null")
    assert "10.0.0.0/8" in firewall.run("sudo fail2ban-client get sshd ignoreip")
    assert "persourcepenaltyexemptlist 10.0.0.0/8," in firewall.run("sudo sshd -T")

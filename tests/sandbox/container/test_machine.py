"""A container machine's limits towards the kernel below it, and its network in both directions.

One machine of each release goes through all of it; the last test compares the host with what it was before.
"""

from __future__ import annotations

import pytest
from sandbox.machine import host_state
from sandbox.machine.common import NETWORK, docker, labelled, machine_image
from sandbox.registry import registry
from tests.sandbox.conftest import Machine

FORBIDDEN = {
    "SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_BOOT": 22, "SYS_RESOURCE": 24, "SYS_TIME": 25, "AUDIT_CONTROL": 30,
    "MAC_OVERRIDE": 32, "MAC_ADMIN": 33, "SYSLOG": 34, "PERFMON": 38, "BPF": 39, "CHECKPOINT_RESTORE": 40,
}  # fmt: skip

# Actions of a hardening role that must not reach the host.
HARDENING = """
sudo sysctl -w kernel.panic=61 vm.swappiness=7 fs.suid_dumpable=2 kernel.kptr_restrict=2
echo 61 | sudo tee /proc/sys/kernel/panic
sudo modprobe dccp
sudo date -s 2001-01-01
sudo hostname other
sudo dmesg --clear
sudo mount -t debugfs none /mnt
sudo iptables -A INPUT -p tcp --dport 1 -j DROP
echo 1 | sudo tee /sys/kernel/mm/ksm/run
echo 0 | sudo tee /sys/block/*/queue/read_ahead_kb
true
"""

SUBNETS = {"gateways": "10.211.0.200", "Cloud Run": "10.211.1.9", "outside": "10.211.2.9"}
LISTEN = "import socket; print(socket.create_server(('', 4002)).accept()[1][0])"
CONNECT = """
import socket, time
for _ in range(100):
    try:
        socket.create_connection(('{address}', 4002), 5)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def before(machine: Machine) -> host_state.Snapshot:
    return host_state.snapshot()


@pytest.fixture(scope="module", autouse=True)
def running(machine: Machine, before: host_state.Snapshot) -> None:
    """The machine, with an engine that has pulled the stand-in's image."""
    machine.make()
    machine.play("engine.yml")


def test_its_own_engine_pulls_by_digest_from_the_registry(machine: Machine) -> None:
    reference = machine.run("sudo docker image ls --digests --format '{{.Repository}}@{{.Digest}}'")
    assert reference.startswith(f"{registry.place()}/gnzsnz/ib-gateway@sha256:")
    # Without an exception for it: the registry is trusted by its certificate.
    assert "10.211" not in machine.run("sudo docker info --format '{{json .RegistryConfig.InsecureRegistryCIDRs}}'")


def test_capabilities_that_reach_the_hosts_kernel_are_not_there(machine: Machine) -> None:
    bounding = int(machine.run("sudo grep CapBnd /proc/1/status").split()[1], 16)
    assert [name for name, bit in FORBIDDEN.items() if bounding >> bit & 1] == []


def test_of_the_kernels_settings_only_the_networks_can_be_changed(machine: Machine) -> None:
    assert machine.ssh("sudo sysctl -w kernel.panic=61").returncode != 0
    assert machine.ssh("sudo sysctl -w vm.swappiness=7").returncode != 0
    assert machine.run("sudo sysctl -w net.ipv4.conf.all.log_martians=1").endswith("= 1")


@pytest.mark.parametrize("mount", ["/proc/sys", "/proc/irq", "/sys"])
def test_the_hosts_file_systems_are_read_only(machine: Machine, mount: str) -> None:
    assert "ro" in machine.run(f"findmnt --noheadings --output OPTIONS {mount}").split(",")


def test_its_cgroups_are_its_own(machine: Machine) -> None:
    """The root that it sees is its own branch, and it rules there."""
    assert "/docker" not in machine.run("cat /proc/1/cgroup")
    assert machine.ssh("sudo systemd-run --wait --quiet -p MemoryMax=50M true").returncode == 0


@pytest.mark.parametrize("subnet", SUBNETS)
def test_a_client_reaches_it_with_its_own_address(machine: Machine, subnet: str) -> None:
    source = SUBNETS[subnet]
    client = ["python3", "-c", CONNECT.format(address=machine.address)]
    docker("run", "--detach", "--rm", *labelled("client"), "--network", NETWORK, "--ip", source,
           machine_image(machine.release), *client)  # fmt: skip
    assert machine.run(f'timeout 20 python3 -c "{LISTEN}"') == source


def test_the_host_is_as_it_was(machine: Machine, before: host_state.Snapshot) -> None:
    machine.run(HARDENING)
    machine.remove()
    assert host_state.differences(before, host_state.snapshot()) == []

"""What a container machine may do to the kernel below it, how it is reached, and what reaches it."""

from __future__ import annotations

import pytest
from sandbox.machine import host_state
from sandbox.machine.common import LABEL, NETWORK, docker
from tests.sandbox.conftest import Machine

FORBIDDEN = {
    "SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_BOOT": 22, "SYS_RESOURCE": 24, "SYS_TIME": 25, "AUDIT_CONTROL": 30, "MAC_OVERRIDE": 32,
    "MAC_ADMIN": 33, "SYSLOG": 34, "PERFMON": 38, "BPF": 39, "CHECKPOINT_RESTORE": 40,
}  # fmt: skip

# What a hardening role would do, and what it must not reach.
HARDENING = """
sudo sysctl -w kernel.panic=61 vm.swappiness=7 fs.suid_dumpable=2 kernel.kptr_restrict=2
echo 61 | sudo tee /proc/sys/kernel/panic
sudo modprobe dccp
sudo date -s 2001-01-01
sudo hostname other
sudo dmesg --clear
sudo mount -t debugfs none /mnt
sudo nft add table inet hardening
sudo iptables -A INPUT -p tcp --dport 1 -j DROP
echo 1 | sudo tee /sys/kernel/mm/ksm/run
echo 0 | sudo tee /sys/block/*/queue/read_ahead_kb
true
"""


@pytest.fixture(scope="module")
def running(machine: Machine) -> Machine:
    machine.make()
    return machine


def test_the_host_is_as_it_was_after_a_whole_life(machine: Machine) -> None:
    before = host_state.snapshot()
    machine.remove()
    machine.make()
    machine.play("engine.yml")
    machine.run(HARDENING)
    machine.remove()
    assert host_state.differences(before, host_state.snapshot()) == []


def test_capabilities_that_reach_the_hosts_kernel_are_not_there(running: Machine) -> None:
    bounding = int(running.run("sudo grep CapBnd /proc/1/status").split()[1], 16)
    assert [name for name, bit in FORBIDDEN.items() if bounding >> bit & 1] == []


def test_of_the_kernels_settings_only_the_networks_can_be_changed(running: Machine) -> None:
    assert running.ssh("sudo sysctl -w kernel.panic=61").returncode != 0
    assert running.ssh("sudo sysctl -w vm.swappiness=7").returncode != 0
    assert running.run("sudo sysctl -w net.ipv4.conf.all.log_martians=1").endswith("= 1")


@pytest.mark.parametrize("mount", ["/proc/sys", "/sys", "/proc/sysrq-trigger"])
def test_the_hosts_file_systems_are_read_only(running: Machine, mount: str) -> None:
    if running.ssh(f"test -e {mount}").returncode == 0:
        assert "ro" in running.run(f"findmnt --noheadings --output OPTIONS {mount}").split(",")


def test_its_cgroups_are_its_own(running: Machine) -> None:
    """Its root is its own branch: there is nothing of the host's other branches to see."""
    assert "/docker" not in running.run("cat /proc/1/cgroup")
    assert running.ssh("sudo systemd-run --wait --quiet -p MemoryMax=50M true").returncode == 0


@pytest.mark.parametrize(("subnet", "source"), [("Cloud Run", "10.211.1.9"), ("outside", "10.211.2.9"), ("gateways", "10.211.0.200")])
def test_a_client_reaches_it_with_its_own_address(running: Machine, subnet: str, source: str) -> None:
    listen = "import socket; s = socket.create_server(('', 4002)); print(s.accept()[1][0])"
    connect = f"""
import socket, time
for _ in range(50):
    try:
        socket.create_connection(('{running.address}', 4002), 5)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
"""
    docker("run", "--detach", "--rm", "--label", f"{LABEL}=client", "--network", NETWORK, "--ip", source,
           f"ibgw-sandbox-machine:{running.release}", "python3", "-c", connect)  # fmt: skip
    assert running.run(f'timeout 20 python3 -c "{listen}"') == source, subnet


def test_its_own_engine_pulls_by_digest_from_the_sandboxes_registry(running: Machine) -> None:
    running.play("engine.yml")
    reference = running.run("sudo docker image ls --digests --format '{{.Repository}}@{{.Digest}}'")
    assert reference.startswith("10.211.0.2:5000/gnzsnz/ib-gateway@sha256:")
    # Without an exception for it: the registry is trusted by its certificate.
    assert "10.211.0.2" not in running.run("sudo docker info --format '{{json .RegistryConfig.InsecureRegistryCIDRs}}'")

"""A real client connects by each access method; nothing is left behind, and keys are limited.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import collections.abc as c
import os
import pathlib
import shlex
import socket
import subprocess
import time
import typing as t

import pytest
import yaml
from sandbox.machine.common import NETWORK, docker, labelled, machine_image
from testinfra.host import Host

Playbook = c.Callable[..., t.Any]
SLOT = os.environ["SANDBOX_SLOT"]
VM, BASTION = f"ibgw-sandbox-{SLOT}-paper", f"ibgw-sandbox-{SLOT}-bastion"
SETTINGS = ("-e", f"@{pathlib.Path(__file__).resolve().parents[1]}/vars/main.yml")
LOCAL = ("-e", '{"gateway_access": ["local"]}')
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
CLIENT = """
import sys
import ib_async
ib = ib_async.IB()
ib.connect(sys.argv[1], int(sys.argv[2]), clientId=int(sys.argv[3]), readonly=True, timeout=20)
print(ib.managedAccounts()[0], ib.reqCurrentTime().year)
ib.disconnect()
"""
SITE = "/opt/ibgw/client/lib/python3.13/site-packages"


def until(reached: c.Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def listening(machine: str) -> set[str]:
    """Where TCP is listened for, apart from Docker's own and from SSH."""
    lines = docker("exec", machine, "ss", "-Hltn").splitlines()
    places = {line.split()[3] for line in lines}
    return {
        place
        for place in places
        if place.rpartition(":")[2] in ("3389", "4001", "4002", "4003", "4004", "5900", "7462")
    }


def tunnel_stands() -> bool:
    return listening(BASTION) == {"127.0.0.1:4002"}


@pytest.fixture(scope="module")
def ssh_to_bastion(variables: dict[str, t.Any]) -> list[str]:
    words = ["ssh", *shlex.split(variables["ssh_common_args"]), "-i", variables["ssh_private_key_file"]]
    return [*words, f"{variables['user']}@10.211.0.{int(SLOT) * 10 + 12}"]


def test_a_client_comes_through_the_vpc(variables: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    docker("cp", f"{VM}:{SITE}", str(tmp_path / "site"))
    found = docker("run", "--rm", *labelled("client"), "--network", NETWORK, "--ip", "10.211.1.9",
                   "--volume", f"{tmp_path}/site:/site:ro", "--env", "PYTHONPATH=/site", machine_image("trixie"),
                   "python3", "-c", CLIENT, variables["host"], "4002", "31")  # fmt: skip
    assert found.startswith("DU")


def test_a_client_comes_through_the_docker_network(variables: dict[str, t.Any]) -> None:
    found = docker("exec", VM, "docker", "run", "--disable-content-trust", "--rm", "--network", "ibgw-paper",
                   "--volume", f"{SITE}:/site:ro", "--env", "PYTHONPATH=/site", "--entrypoint", "python3",
                   variables["image"], "-c", CLIENT, "ibgw-paper", "4004", "32")  # fmt: skip
    assert found.startswith("DU")


def test_a_client_comes_through_the_tunnel(ssh_to_bastion: list[str]) -> None:
    import ib_async

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*ssh_to_bastion, "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:4002"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as forward:
        try:
            until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            ib = ib_async.IB()
            ib.connect("127.0.0.1", port, clientId=33, readonly=True, timeout=20)
            assert ib.managedAccounts()[0].startswith("DU")
            ib.disconnect()
        finally:
            forward.kill()


def test_a_gateway_that_is_down_is_seen_to_be_down(host: Host, module: c.Callable[..., dict[str, t.Any]]) -> None:
    """The door accepts before it knows; what it then does must not look like a gateway."""
    host.check_output("ibgwctl stop paper")
    address = host.check_output("awk '/^ListenStream=10/ { split($0, a, /[=:]/); print a[2] }' %s",
                                "/etc/systemd/system/ibgw-vpc-paper.socket")  # fmt: skip
    found = module("ibops.gateway.gateway_info", host=address, port=4002, mode="paper")
    assert found["api_state"] == "proxy_up_gateway_down"
    host.check_output("ibgwctl start paper && ibgwctl wait-ready paper")
    found = module("ibops.gateway.gateway_info", host=address, port=4002, mode="paper")
    assert found["api_state"] == "ready"


@pytest.mark.parametrize(
    "words",
    [
        "-N -R 127.0.0.1:4001:127.0.0.1:4002",
        "-N -R 0.0.0.0:4002:127.0.0.1:4002",
        "-N -R 127.0.0.1:2222:127.0.0.1:22",
        "-W 127.0.0.1:22",
        "-W 127.0.0.1:4002",
        "-T -- id",
        "-T -s -- sftp",
    ],
)
def test_the_tunnels_key_is_good_for_nothing_else(host: Host, words: str) -> None:
    options, _dashes, command = words.partition(" -- ")
    options += " -o BatchMode=yes -o ExitOnForwardFailure=yes -o HostKeyAlias=bastion -o LogLevel=ERROR"
    files = "-i /etc/ibgw/paper/tunnel_key -o UserKnownHostsFile=/etc/ibgw/paper/tunnel_known_hosts"
    bastion = f"ibgw-tunnel@10.211.0.{int(SLOT) * 10 + 12}"
    run = host.run(f"timeout 10 ssh -F /dev/null {files} {options} {bastion} {command} || echo status $?")
    assert run.stdout in ("status 255\n", "status 1\n"), run


def test_a_cut_leaves_nothing_half_open(variables: dict[str, t.Any]) -> None:
    until(tunnel_stands)
    address = f"10.211.0.{int(SLOT) * 10 + 12}"
    docker("network", "disconnect", NETWORK, BASTION)
    try:
        until(lambda: listening(BASTION) == set())
    finally:
        docker("network", "connect", "--ip", address, NETWORK, BASTION)
    until(tunnel_stands)


def test_the_tunnel_comes_back_after_a_restart_of_the_bastion() -> None:
    docker("restart", BASTION)
    until(tunnel_stands, 60)


def container(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Id}} {{.State.StartedAt}}' ibgw-paper")


def test_a_prediction_says_what_would_go_and_changes_nothing(host: Host, playbook: Playbook) -> None:
    before = listening(VM)
    run = playbook("site.yml", "paper", *SETTINGS, *LOCAL, "--check", "--diff", "--tags", "access")
    assert run.status == 0, run.printed
    assert run.changed == 2
    assert "ibgw-vpc-paper.socket" in run.printed
    assert "BEGIN OPENSSH PRIVATE KEY" not in run.printed
    assert listening(VM) == before


@pytest.fixture
def dripping() -> c.Iterator[None]:
    """A bastion that accepts the login, and then sends one byte per second."""
    python = docker("exec", BASTION, "readlink", "/usr/bin/python3").strip()
    drip = "#!/bin/sh\nwhile :; do printf . || exit; sleep 1; done\n"
    docker("exec", BASTION, "sh", "-c", f"printf '{drip}' >/usr/bin/drip; chmod 755 /usr/bin/drip")
    docker("exec", BASTION, "ln", "-sfT", "drip", "/usr/bin/python3")
    try:
        yield
    finally:
        docker("exec", BASTION, "ln", "-sfT", python, "/usr/bin/python3")


@pytest.mark.usefixtures("dripping")
def test_a_bastion_that_drips_ends_the_run_and_is_named(host: Host, playbook: Playbook) -> None:
    before = container(host), listening(VM)
    begin = time.monotonic()
    run = playbook("site.yml", "paper", *SETTINGS, "--tags", "access")
    assert time.monotonic() - begin < 30 + 60
    assert run.status == 2, run.printed
    assert run.changed == 0
    assert "fatal: [sandbox-paper -> sandbox-bastion" in run.printed
    assert "Timed out after 30 second" in run.printed
    assert (container(host), listening(VM)) == before


def test_ways_that_are_taken_out_are_taken_off(host: Host, playbook: Playbook) -> None:
    before = container(host)
    run = playbook("site.yml", "paper", *SETTINGS, *LOCAL, "--tags", "access")
    assert run.status == 0, run.printed
    assert listening(VM) == {"127.0.0.1:4002"}
    places = "/etc/nftables.d /etc/systemd/system /etc/ibgw"
    names = " -o ".join(f"-name '*{name}*'" for name in ("access", "vpc", "ibgw-tunnel", "tunnel_", "overlay", "mtls-"))
    assert host.check_output(f"find {places} {names}") == ""
    assert not host.interface("wg-paper").exists
    assert "ibgw-paper" not in host.check_output("docker network ls --format '{{.Name}}'").split()
    assert "access_output" not in host.check_output("nft list ruleset")
    docker("exec", "--user", "operator", VM, "python3", "-c", CONNECT, "127.0.0.1", "4002")
    until(lambda: listening(BASTION) == set())
    again = playbook("site.yml", "paper", *SETTINGS, *LOCAL, "--tags", "access")
    assert (again.status, again.changed) == (0, 0), again.printed
    assert container(host) == before


def test_the_bastion_forgets_keys_that_are_not_wanted_any_more(playbook: Playbook) -> None:
    keys = ("exec", BASTION, "cat", "/etc/ssh/ibgw-tunnel.keys")
    assert docker(*keys).endswith(" paper@sandbox-paper")
    run = playbook("playbooks/bastion.yml", "bastions", *SETTINGS, *LOCAL, "--tags", "access")
    assert run.status == 0, run.printed
    assert docker(*keys) == ""


def test_they_come_back_and_the_container_was_never_touched(host: Host, playbook: Playbook) -> None:
    before = container(host)
    run = playbook("site.yml", "paper", *SETTINGS, "--tags", "access")
    assert run.status == 0, run.printed
    until(tunnel_stands)
    assert container(host) == before
    for again in (
        playbook("site.yml", "paper", *SETTINGS, "--tags", "access"),
        playbook("playbooks/bastion.yml", "bastions", *SETTINGS),
    ):
        assert (again.status, again.changed) == (0, 0), again.printed


def test_a_second_gateway_of_the_vm_has_ways_of_its_own(
    host: Host, playbook: Playbook, variables: dict[str, t.Any], tmp_path: pathlib.Path
) -> None:
    """A live gateway beside paper, with another access method, comes and goes without an effect on paper."""
    second = {
        "ansible_host": variables["host"],
        "gateway_machine_role": "",
        "gateway_user": "second",
        "sandbox_number": int(SLOT) * 10,
        "sandbox_state": str(pathlib.Path(variables["ssh_private_key_file"]).parents[1]),
        "access_vpc_addresses": [variables["host"]],
        "access_vpc_from": ["10.211.1.0/24"],
    }
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"live": {"hosts": {"sandbox-second": second}}}))
    before, places = container(host), listening(VM)
    arguments = ("-i", str(inventory), "--skip-tags", "hardening,docker_engine")
    run = playbook("site.yml", "sandbox-second", *arguments, "-e", '{"gateway_access": ["vpc"]}')
    assert run.status == 0, run.printed
    assert listening(VM) == places | {"127.0.0.1:4001", f"{variables['host']}:4001"}
    run = playbook("site.yml", "sandbox-second", *arguments, *LOCAL, "--tags", "access")
    assert run.status == 0, run.printed
    assert listening(VM) == places | {"127.0.0.1:4001"}
    assert "access_output_paper" in host.check_output("nft list ruleset")
    assert container(host) == before
    again = playbook("site.yml", "paper", *SETTINGS, "--tags", "access")
    assert (again.status, again.changed) == (0, 0), again.printed
    host.check_output("systemctl disable --now ibgw-watch@live.service && docker rm --force ibgw-live")
    host.check_output("rm -r /etc/ibgw/live /var/lib/ibgw/live")

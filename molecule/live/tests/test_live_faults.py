"""A live gateway on a machine on which something breaks: nothing is lost that need not be, and no push is sent.

Each test starts from whatever the one before it left; the last one brings everything back. The whole table is in
docs/reference/faults.md.
"""

from __future__ import annotations

import time
import typing as t

from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
StandIn = t.Callable[..., dict[str, t.Any]]
SESSION = "/var/lib/ibgw/live/session"
SIGN_IN = "echo any | ibgwctl sign-in live --password-stdin"
PUSHES = "docker logs ibgw-live 2>&1 | grep -c 'Second Factor Authentication initiated'"


def pushes(host: Host) -> int:
    return int(host.run(PUSHES).stdout)


def container(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Id}} {{.State.StartedAt}}' ibgw-live")


def killed_when(host: Host, command: str, happens: str) -> None:
    """Run a command of ibgwctl and kill it as soon as the shell's condition *happens* holds."""
    host.check_output(
        f"{command} >/dev/null 2>&1 & process=$!; "
        f"for _each in $(seq 200); do {happens} && break; sleep 0.05; done; kill -9 $process"
    )


def test_the_container_outlives_its_engine(watched: t.Any, host: Host) -> None:
    watched.reaches("ready", 75)
    before, engine = (container(host), pushes(host)), host.check_output("pidof dockerd")
    host.check_output(f"kill -9 {engine}")
    host.check_output("systemctl reset-failed docker; systemctl start docker")
    assert host.check_output("pidof dockerd") != engine
    assert host.run("ibgwctl status live").rc == 0
    watched.reaches("ready", 75)
    assert (container(host), pushes(host)) == before


def test_a_short_cut_of_the_link_is_nobodys_business(host: Host, standin: StandIn) -> None:
    before = container(host), pushes(host)
    standin("fault", "link_down")
    time.sleep(1)
    standin("clear")
    assert host.run("ibgwctl status live").rc == 0
    assert (container(host), pushes(host)) == before


def test_a_stop_outlives_its_ibgwctl(watched: t.Any, host: Host) -> None:
    host.check_output("ibgwctl status live")
    killed_when(host, "ibgwctl stop live", f'grep -q \'"stopping": "the operator"\' {SESSION}/state.json')
    found = watched.reaches("stopped", 75)
    assert (found["stopped_by"], found["blocked"]) == ("the operator", None)


def test_a_sign_in_outlives_its_ibgwctl(watched: t.Any, host: Host) -> None:
    before = pushes(host)
    killed_when(host, SIGN_IN, f"grep -q waiting_2fa {SESSION}/state.json")
    assert watched.reaches("ready", 75)["valid_until"] > time.time()
    assert pushes(host) == before + 1


def test_a_killed_process_is_noticed(watched: t.Any, host: Host) -> None:
    host.check_output("kill -9 $(docker inspect --format '{{.State.Pid}}' ibgw-live)")
    killed = float(host.check_output("date +%s.%N"))
    found = watched.reaches("blocked", 10)
    assert found["since"] - killed < 2
    assert found["blocked"] == "session_lost"


def test_two_operators_cost_one_push(watched: t.Any, host: Host) -> None:
    before = pushes(host)
    host.check_output(
        f"{SIGN_IN} >/dev/null & first=$!; {SIGN_IN} >/dev/null; second=$?; "
        'wait $first; first=$?; case "$first $second" in "0 0"|"0 4"|"4 0") ;; *) exit 1 ;; esac'
    )
    assert watched.reaches("ready", 75)["valid_until"] > time.time()
    assert pushes(host) == before + 1


def test_a_full_disk_loses_no_stop(watched: t.Any, host: Host) -> None:
    host.check_output(f"cp -a {SESSION} {SESSION}.kept && mount -t tmpfs -o size=256k tmpfs {SESSION}")
    try:
        # The service has a view of its own of what is mounted.
        host.check_output(f"cp -a {SESSION}.kept/. {SESSION}/ && systemctl restart ibgw-watch@live")
        host.run(f"dd if=/dev/zero of={SESSION}/filler bs=4k")
        stopped = host.run("ibgwctl stop live")
        assert stopped.rc == 1
        assert "No space left on device" in stopped.stderr
        assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "false"
        assert watched.record()["state"] == "ready"
        host.check_output(f"rm {SESSION}/filler && systemctl restart ibgw-watch@live")
        watched.reaches("blocked", 10)
    finally:
        host.check_output(f"umount {SESSION} && rm -r {SESSION}.kept && systemctl restart ibgw-watch@live")


def test_without_a_registry_nothing_changes(host: Host, playbook: Playbook, variables: dict[str, t.Any]) -> None:
    host.check_output(SIGN_IN)
    before = container(host)
    registry = variables["image"].partition("/")[0].rpartition(":")[0]
    address = host.check_output(f"getent ahostsv4 {registry} | head -n1 | cut -d' ' -f1")
    host.check_output(f"ip route add unreachable {address}/32")
    try:
        run = playbook("site.yml", "live")
    finally:
        host.check_output(f"ip route del unreachable {address}/32")
    assert (run.status, run.changed) == (0, 0), run.printed
    assert container(host) == before

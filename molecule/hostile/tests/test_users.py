"""Users of the machine: none has the container's uid, and none can read its data."""

from __future__ import annotations

import shlex
import typing as t

import pytest

# Without sudo, and in a group of the uid's number, as the first login of a cloud's image is.
AS_OPERATOR = "setpriv --reuid=operator --regid=$(id -u operator) --clear-groups"
INIT = "$(docker inspect --format '{{.State.Pid}}' ibgw-paper)"
METADATA = "169.254.169.254"
REACH = {
    "password_in_proc": f"cat /proc/{INIT}/root/run/secrets/tws_password",
    "settings_in_proc": f"cat /proc/{INIT}/root/run/ibc/config.ini",
    "environment": f"cat /proc/{INIT}/environ",
    "signal": f"kill -0 {INIT}",
    "settings_directory": "ls /var/lib/ibgw/paper/tws_settings/",
    "session": "cat /var/lib/ibgw/paper/session/state.json",
    "etc_ibgw": "ls /etc/ibgw/",
    "run_ibgw": "ls /run/ibgw/",
    "engine": "docker ps",
}


@pytest.mark.parametrize("what", REACH)
def test_login_user(kept: dict[str, t.Any], machine: t.Any, what: str) -> None:
    assert machine.run(REACH[what].replace("docker ps", "docker -H unix:///run/docker.sock ps")).rc == 0, "the attempt"
    command = REACH[what].replace(INIT, machine.out(f"echo {INIT}"))
    assert machine.run(f"{AS_OPERATOR} sh -c {shlex.quote(command)}").rc != 0


def test_uid_of_the_container(kept: dict[str, t.Any], machine: t.Any) -> None:
    """No login has the uid of the container's processes."""
    # A process may end meanwhile, a health check's for one.
    each = "stat --format %u /proc/$pid 2>/dev/null || :"
    uids = machine.out(f"for pid in $(docker top ibgw-paper -o pid | tail -n +2); do {each}; done")
    assert uids
    for uid in set(uids.split()):
        entry = machine.run(f"getent passwd {uid}").stdout.strip().split(":")
        if entry != [""]:
            assert entry[6].rpartition("/")[2] in ("nologin", "false"), entry
            assert machine.out(f"passwd --status {entry[0]}").split()[1] in ("L", "LK"), entry
            assert machine.run(f"test -e {shlex.quote(entry[5])}/.ssh/authorized_keys").rc == 1, entry


@pytest.mark.parametrize("user", ["operator", "nobody"])
def test_metadata_for(machine: t.Any, listener: t.Any, user: str) -> None:
    """The service account's token, and with it the password that gateway_password_secret names."""
    listener.beside(METADATA, 80)
    assert machine.run(listener.reach(METADATA, 80)).rc == 0, "root, and with it the agents that need it"
    assert machine.run(f"setpriv --reuid={user} --clear-groups {listener.reach(METADATA, 80)}").rc != 0

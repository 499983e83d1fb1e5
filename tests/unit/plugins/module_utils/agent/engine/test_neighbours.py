# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.neighbours import Candidate, Neighbour

LIVE = Candidate("live", neighbours.own_names("ibgw-live"), "live", ("Bob",), (4001,))
PAPER = Candidate("paper", neighbours.own_names("ibgw-paper"), "paper", ("alice",), (4002,))
WEB = Candidate("web", neighbours.own_names("ibgw-web"), "paper", ("alice",), (5000,), neighbours.PORTAL)
OWN = Neighbour("ibgw-live", True, "live", "tws", "live", ("bob",), (4001,))
DOWN = replace(OWN, there=False)
OTHER = Neighbour("ibgw-live2", True, "live2", "tws", "live", ("bob",), (5001,))
COMPOSE = Neighbour("old-gateway-1", True, "", "", "live", ("bob",), (4001,))


def described(
    status: str = "running", name: str = "x", mounts: Any = (), labels: Any = None, **env: str
) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "State": {"Status": status},
        "Config": {"Labels": labels, "Env": [f"{key}={value}" for key, value in env.items()] or None},
        "Mounts": list(mounts),
        "HostConfig": {"PortBindings": {"4003/tcp": [{"HostIp": "", "HostPort": "4001"}], "1/tcp": None}},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (described(TWS_USERID="Bob", TRADING_MODE="live"), COMPOSE),
        (described(TWS_USERID=" BOB ", TRADING_MODE="LIVE"), COMPOSE),
        (described(TWS_USERID="bob", TRADING_MODE="both"), COMPOSE),
        (described("paused", TWS_USERID="bob", TRADING_MODE="live"), COMPOSE),
        (described("restarting", TWS_USERID="bob", TRADING_MODE="live"), COMPOSE),
        (described("exited", TWS_USERID="bob", TRADING_MODE="live"), replace(COMPOSE, there=False)),
        (described("created", TWS_USERID="bob", TRADING_MODE="live"), replace(COMPOSE, there=False)),
        (
            described(TWS_USERID="a", TWS_USERID_PAPER="b", TRADING_MODE="both"),
            replace(COMPOSE, users=("a", "b")),
        ),
        (
            described(labels={"ibops.gateway.name": "live", "ibops.gateway.mode": "live"}, TWS_USERID="bob"),
            replace(COMPOSE, gateway="live", stack="tws"),
        ),
        # Any evidence of live counts.
        (
            described(labels={"ibops.gateway.name": "p", "ibops.gateway.mode": "paper"}, TRADING_MODE="live"),
            Neighbour("old-gateway-1", True, "p", "tws", "live", (), (4001,)),
        ),
        (
            described(labels={"ibops.gateway.name": "p", "ibops.gateway.mode": "paper"}),
            Neighbour("x", True, "p", "tws", "paper", (), (4001,)),
        ),
        (described(TRADING_MODE="paper"), Neighbour("x", True, "", "", "paper", (), (4001,))),
        (described(TRADING_MODE="simulated"), Neighbour("x", True, "", "", "", (), (4001,))),
        (
            described(labels={"ibops.gateway.name": "web", "ibops.gateway.stack": "client_portal"}),
            Neighbour("x", True, "web", "client_portal", "", (), (4001,)),
        ),
    ],
)
def test_what_a_container_says_of_itself(found: dict[str, Any], expected: Neighbour) -> None:
    assert neighbours.neighbour(found) == replace(expected, name="x")


@pytest.mark.parametrize("name", ["ibgw-web", "ibgw-web.new", "ibgw-web.old"])
def test_a_portal_of_an_earlier_release_is_known_by_its_container(name: str) -> None:
    found = neighbours.neighbour(described(name=name, labels={"ibops.gateway.stack": "client_portal"}))
    assert (found.name, found.gateway, found.stack) == (name, "web", "client_portal")


@pytest.mark.parametrize(
    ("environment", "config", "same"),
    [
        ({"TWSUSERID": " BOB "}, {}, True),
        ({"IB_USERNAME": "bob"}, {}, True),
        ({"IB_USERNAME": "bobby"}, {}, False),
        ({}, {"Cmd": ["--user", "Bob"]}, True),
        ({}, {"Cmd": ["run", "--user=bob"]}, True),
        ({}, {"Cmd": ["run", "--set=user=bob"]}, True),
        ({}, {"Entrypoint": ["/start", "bob"], "Cmd": None}, True),
        ({}, {"Cmd": ["bobby"]}, False),
    ],
)
def test_a_user_is_found_by_whatever_name(environment: dict[str, str], config: dict[str, Any], same: bool) -> None:
    found = described(name="x", **environment)
    found["HostConfig"], found["Config"] = {}, found["Config"] | config
    other = neighbours.neighbour(found)
    assert other.users == ()
    assert neighbours.objection(LIVE, [other]).startswith("gateway_user: bob of gateway live is the user of") is same


@pytest.mark.parametrize(
    ("content", "users"),
    [
        (b"[x]\nIbLoginId=Bob\nIbPassword=secret\n", ("bob",)),
        (b"  ibloginid = Bob \r\n", ("bob",)),
        (b"IbLoginId=a\nIbLoginId=b\n", ("a", "b")),
        (b"#IbLoginId=bob\nIbLoginId=\nxIbLoginId=bob\n", ()),
        (b"\n" * (1 << 16) + b"IbLoginId=bob\n", ()),
        (b"\xe9IbLoginId=bob", ()),
    ],
)
@pytest.mark.parametrize("mounted", ["file", "directory"])
def test_the_user_of_a_mounted_config_of_ibc(
    tmp_path: Path, content: bytes, users: tuple[str, ...], mounted: str
) -> None:
    (tmp_path / "config.ini").write_bytes(content)
    (tmp_path / "notes.txt").write_text("IbLoginId=eve\n")
    os.mkfifo(tmp_path / "pipe.ini")
    (tmp_path / "link.ini").symlink_to(tmp_path / "notes.txt")
    source = tmp_path / "config.ini" if mounted == "file" else tmp_path
    assert neighbours.users_of({}, [{"Source": str(source), "Destination": "/ibc"}]) == users


@pytest.mark.parametrize(("before", "users"), [(999, ("bob",)), (1000, ())])
def test_a_thousand_entries_of_a_mounted_directory_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, users: tuple[str, ...]
) -> None:
    (tmp_path / "config.ini").write_text("IbLoginId=bob")
    with os.scandir(tmp_path) as found:
        config = next(found)
    entries = [*([SimpleNamespace(name="notes.txt")] * before), config]
    monkeypatch.setattr(os, "scandir", lambda _path: contextlib.nullcontext(iter(entries)))
    assert neighbours.users_of({}, [{"Source": str(tmp_path), "Destination": "/ibc"}]) == users


@pytest.mark.parametrize("name", ["notes.txt", "config.ini\0"])
def test_a_mounted_file_of_another_name_is_no_config_of_ibc(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("IbLoginId=eve\n")
    assert neighbours.users_of({}, [{"Source": str(tmp_path / name), "Destination": "/ibc"}]) == ()


def test_what_the_engine_leaves_out_is_nothing() -> None:
    bare = {"State": {"Status": "running"}, "Config": {}}
    assert neighbours.neighbour(bare) == Neighbour("")
    for bindings in (None, {}, {"1/tcp": [{"HostIp": ""}, {"HostPort": ""}]}):
        assert neighbours.neighbour({**bare, "HostConfig": {"PortBindings": bindings}}).ports == ()


@pytest.mark.parametrize(
    ("published", "ports"),
    [
        (["4002", "4002", "4003", ""], (4002, 4003)),
        # The engine keeps a range as its text, and takes one of it at each start.
        (["7000-7003"], (7000, 7001, 7002, 7003)),
        (["7000-7000", "65535"], (7000, 65535)),
        (["7003-7000"], ()),
        (["4002", "x", "-1", "1-", "1-2-3", " 7", "7\n", "\u0664", "1" * 5000, None], (4002,)),
    ],
)
def test_every_published_port_counts_once(published: list[str | None], ports: tuple[int, ...]) -> None:
    bindings = {f"{at}/tcp": [{"HostPort": port}, {"HostPort": port}] for at, port in enumerate(published)}
    assert neighbours.neighbour({**described(), "HostConfig": {"PortBindings": bindings}}).ports == ports


def test_a_range_is_taken_as_a_whole() -> None:
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": "4000-4010"}]}
    web = neighbours.neighbour({**described(name="web"), "HostConfig": {"PortBindings": bindings}})
    assert neighbours.objection(LIVE, [web]).startswith("gateway_port: 4001 of this host is published by container web")
    assert neighbours.objection(replace(LIVE, ports=(4011,)), [web]) == ""


def test_a_containers_own_mounts_hold_its_user(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("Bob\n")
    mounts = [{"Source": str(tmp_path), "Destination": "/run/secrets"}]
    assert neighbours.neighbour(described(mounts=mounts, TWS_USERID_FILE="/run/secrets/user")).users == ("bob",)


@pytest.mark.parametrize(
    ("environment", "users"),
    [
        ({}, ()),
        ({"TWS_USERID": " "}, ()),
        ({"IBEAM_ACCOUNT": "Bob"}, ("bob",)),
        # Without that source the variable is the user himself.
        ({"IBEAM_ACCOUNT": "Bob", "IBEAM_SECRETS_SOURCE": "env"}, ("bob",)),
        ({"IBEAM_ACCOUNT": "/missing", "IBEAM_SECRETS_SOURCE": "fs"}, ()),
        ({"IBEAM_ACCOUNT": "/missing", "IBEAM_SECRETS_SOURCE": "fs", "TWS_USERID": "Ann"}, ("ann",)),
        ({"TWS_USERID": "Bob", "TWS_USERID_PAPER": "BOB", "IBEAM_ACCOUNT": "Ann"}, ("ann", "bob")),
        ({"TWS_USERID": "Ann", "TWS_USERID_FILE": "/there/user"}, ("ann", "bob")),
        ({"TWS_USERID_PAPER_FILE": "/there/user"}, ("bob",)),
        # The more exact mount is searched as well, and a name that only begins alike is another.
        ({"TWS_USERID_FILE": "/there/deep/user"}, ("carol",)),
        ({"TWS_USERID_FILE": "/there2/user"}, ()),
        ({"TWS_USERID_FILE": "/user"}, ()),
        ({"TWS_USERID_FILE": "/xX/user"}, ("bob",)),
        ({"TWS_USERID": "a=b"}, ("a=b",)),
        ({"TWS_USERID_FILE": "/slash/user"}, ("bob",)),
        ({"TWS_USERID_FILE": "/there/latin"}, ()),
        ({"TWS_USERID_FILE": "/there/no\0thing"}, ()),
        ({"TWS_USERID_FILE": "/there/long"}, ("a" * 256,)),
    ],
)
def test_the_users_that_a_container_is_told(
    tmp_path: Path, environment: dict[str, str], users: tuple[str, ...]
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "user").write_text("Bob\n")
    (tmp_path / "other" / "user").write_text("Carol")
    (tmp_path / "latin").write_bytes(b"\xe9")
    (tmp_path / "long").write_text("a" * 300)
    mounts = [
        {"Source": str(tmp_path / "other")},
        {"Destination": "/there"},
        {"Source": str(tmp_path), "Destination": "/there"},
        {"Source": str(tmp_path / "other"), "Destination": "/there/deep"},
        {"Source": str(tmp_path), "Destination": "/slash/"},
        {"Source": str(tmp_path), "Destination": "/xX"},
    ]
    assert neighbours.users_of(environment, mounts) == users


@pytest.mark.parametrize("source", [{}, {"Source": ""}, {"Source": None}])
def test_a_mount_in_memory_shows_nothing_of_the_host(tmp_path: Path, source: dict[str, Any]) -> None:
    (tmp_path / "user").write_text("bob")
    told = {"TWS_USERID_FILE": f"/memory{tmp_path}/user"}
    assert neighbours.users_of(told, [{"Type": "tmpfs", "Destination": "/memory", **source}]) == ()


def test_all_containers_of_the_engine_are_around() -> None:
    class Two(Engine):
        def containers(self) -> list[dict[str, Any]]:
            return [described(name="a"), described("exited", name="Xb", TWS_USERID="a=b")]

    found = neighbours.around(Two())
    assert [(each.name, each.there, each.users) for each in found] == [("a", True, ()), ("Xb", False, ("a=b",))]


def test_the_user_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("Bob\n")
    mounts = [{"Source": str(tmp_path), "Destination": "/run/secrets"}]
    assert neighbours.users_of({"TWS_USERID_FILE": "/run/secrets/user"}, mounts) == ("bob",)
    assert neighbours.users_of({"IBEAM_SECRETS_SOURCE": "fs", "IBEAM_ACCOUNT": "/run/secrets/user"}, mounts) == ("bob",)
    single = [{"Source": str(tmp_path / "user"), "Destination": "/run/user"}]
    assert neighbours.users_of({"TWS_USERID_FILE": "/run/user"}, single) == ("bob",)


def test_a_file_that_is_none_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root:hash")
    (tmp_path / "user").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    mounts = [{"Source": str(tmp_path), "Destination": "/run/secrets"}]
    for name in ("user", "pipe", "missing", "."):
        assert neighbours.users_of({"TWS_USERID_FILE": f"/run/secrets/{name}"}, mounts) == ()


@pytest.mark.parametrize(
    ("mine", "others", "said"),
    [
        (LIVE, [OWN], ""),
        (LIVE, [DOWN], ""),
        (LIVE, [replace(OWN, name="ibgw-live.old")], ""),
        (LIVE, [OTHER], "gateway_user: bob of gateway live is the user of container ibgw-live2 (gateway live2), which"),
        (LIVE, [replace(OTHER, there=False)], "remove that container first: docker rm ibgw-live2"),
        (LIVE, [replace(OTHER, mode="paper", there=False)], "docker rm ibgw-live2"),
        (LIVE, [COMPOSE], "docker stop old-gateway-1"),
        (LIVE, [COMPOSE], "container old-gateway-1 (not of this collection)"),
        (LIVE, [replace(COMPOSE, there=False)], ""),
        (LIVE, [replace(COMPOSE, users=())], "gateway_port: 4001 of this host is published by container old-gateway-1"),
        (LIVE, [replace(COMPOSE, users=(), there=False)], ""),
        (LIVE, [replace(COMPOSE, users=(), ports=(4002,))], ""),
        (LIVE, [replace(OTHER, users=("carol",))], ""),
        # A container that may stay, or the gateway's own, does not hide another one.
        (LIVE, [OWN, replace(OTHER, users=("carol",)), COMPOSE], "docker stop old-gateway-1"),
        (replace(LIVE, users=(" Bob ",)), [OTHER], "gateway_user: bob"),
        (replace(LIVE, users=("ann", "bob")), [replace(OTHER, users=("ann", "bob"))], "gateway_user: ann"),
        (replace(LIVE, ports=(4009, 4001)), [replace(COMPOSE, users=())], "gateway_port: 4001"),
        (PAPER, [replace(OTHER, gateway="", users=("alice",), there=False)], ""),
        (LIVE, [replace(OTHER, users=("carol",), ports=(4001,))], "gateway_port: 4001"),
        (PAPER, [replace(OTHER, mode="paper", users=("alice",))], "gateway_user: alice"),
        (PAPER, [replace(OTHER, mode="paper", users=("alice",), there=False)], ""),
        (PAPER, [replace(OTHER, mode="live", users=("alice",), there=False)], "docker rm ibgw-live2"),
        # The portal's.
        (
            PAPER,
            [Neighbour("ibgw-web", True, "web", "client_portal", "paper", ("alice",), (5000,))],
            "container ibgw-web",
        ),
    ],
)
def test_what_keeps_a_gateway_from_being_started(mine: Candidate, others: list[Neighbour], said: str) -> None:
    found = neighbours.objection(mine, others)
    assert said in found
    assert bool(said) is bool(found)


@pytest.mark.parametrize(
    ("mine", "others", "deployed", "change", "said"),
    [
        (LIVE, [], "", False, ""),
        (LIVE, [OWN], "live", False, ""),
        (PAPER, [replace(OWN, name="ibgw-paper")], "live", False, "a live gateway of that name runs"),
        (PAPER, [replace(OWN, name="ibgw-paper")], "live", True, "a live gateway of that name runs"),
        (PAPER, [replace(OWN, name="ibgw-paper")], "paper", True, "a live gateway of that name runs"),
        (PAPER, [replace(OWN, name="ibgw-paper.old")], "", True, "a live gateway of that name runs"),
        (PAPER, [replace(DOWN, name="ibgw-paper")], "live", False, "-e gateway_change_mode=true"),
        (PAPER, [replace(DOWN, name="ibgw-paper")], "live", True, ""),
        (PAPER, [], "live", False, "-e gateway_change_mode=true"),
        (PAPER, [], "live", True, ""),
        # One mode that is another suffices, whoever tells it.
        (PAPER, [replace(DOWN, name="ibgw-paper", mode="paper")], "live", False, "-e gateway_change_mode=true"),
        (PAPER, [replace(OWN, name="ibgw-paper", mode="paper")], "live", True, "a live gateway of that name runs"),
        (
            PAPER,
            [replace(DOWN, name="ibgw-paper"), replace(DOWN, name="ibgw-paper.old", mode="paper")],
            "",
            False,
            "-e gateway_change_mode=true",
        ),
        (
            PAPER,
            [replace(OWN, name="ibgw-paper"), replace(DOWN, name="ibgw-paper.new", mode="paper")],
            "",
            True,
            "a live gateway of that name runs",
        ),
        (PAPER, [replace(DOWN, name="ibgw-paper", mode="")], "paper", False, ""),
        # Those of other gateways do not count.
        (PAPER, [OWN, replace(OWN, name="ibgw-paper", mode="paper")], "paper", False, ""),
        (PAPER, [OWN, replace(DOWN, name="ibgw-paper")], "", False, "-e gateway_change_mode=true"),
        (LIVE, [replace(OWN, mode="paper")], "paper", False, "a paper gateway of that name runs"),
        (PAPER, [Neighbour("ibgw-paper", True, "", "", "live", ("bob",))], "", True, "not of this collection"),
        (PAPER, [Neighbour("ibgw-paper", False, "paper", "client_portal", "paper")], "", True, "client_portal"),
        (WEB, [Neighbour("ibgw-web", True, "web", "client_portal", "paper")], "", False, ""),
    ],
)
def test_what_is_deployed_by_that_name_counts(
    mine: Candidate, others: list[Neighbour], deployed: str, change: bool, said: str
) -> None:
    found = neighbours.mode_objection(mine, others, deployed, change)
    assert said in found
    assert bool(said) is bool(found)


def test_who_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = neighbours.listening(port)
        assert found.endswith(f"(process {os.getpid()})")
    assert neighbours.listening(port) == ""


class Proc:
    """The kernel's files on sockets and processes, in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "net").mkdir()
        (root / "self").mkdir()

    def sockets(self, table: str, *rows: tuple[str, str, str]) -> None:
        """Rows of address with port, state, inode."""
        lines = (
            f"   {number}: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1\n"
            for number, (local, state, inode) in enumerate(rows)
        )
        (self.root / "net" / table).write_text("header 0:0FA2 0 0A 0 0 0 0 0 1\n" + "".join(lines))

    def process(self, number: int, name: str, *handles: str) -> None:
        folder = self.root / str(number) / "fd"
        folder.mkdir(parents=True)
        (self.root / str(number) / "comm").write_bytes(name.encode("utf-8", "surrogateescape"))
        for at, target in enumerate(handles):
            (folder / str(at)).symlink_to(target)

    def listening(self, port: int) -> str:
        return neighbours.listening(port, str(self.root))


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.mark.parametrize("table", ["tcp", "tcp6"])
@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("0100007F", True),
        ("00000000", True),
        ("0" * 32, True),
        ("0000000000000000FFFF00000100007F", True),
        ("0200007F", False),
        ("0101A8C0", False),
        ("000080FE000000000000000001000000", False),
    ],
)
def test_an_address_that_is_in_the_way(proc: Proc, table: str, address: str, taken: bool) -> None:
    proc.sockets(table, (f"{address}:0FA2", "0A", "4711"))
    assert bool(proc.listening(4002)) is taken
    assert not proc.listening(4003)


def test_the_listener_is_named_among_other_sockets_and_processes(proc: Proc) -> None:
    proc.sockets("tcp", ("0100007F:0FA3", "0A", "1"), ("0100007F:0FA2", "01", "2"), ("0100007F:0FA2", "0A", "4711"))
    proc.process(8, "client\n", "socket:[1]", "socket:[2]", "/dev/null")
    proc.process(9, "b\x1bd\udcff\n", "/dev/null", "socket:[4711]")
    proc.process(10, "child\n", "socket:[4711]")
    (proc.root / "5").mkdir()
    assert proc.listening(4002) == "b?d\ufffd (process 9)"
    assert proc.listening(4003) == "client (process 8)"


def test_a_listener_whose_process_nobody_may_see_counts_too(proc: Proc) -> None:
    proc.sockets("tcp", ("0100007F:0FA2", "0A", "4711"))
    assert proc.listening(4002) == "a program"
    # One that has just ended, in the middle of the look.
    (proc.root / "7" / "fd").mkdir(parents=True)
    (proc.root / "7" / "fd" / "0").symlink_to("socket:[4711]")
    assert proc.listening(4002) == "a program"

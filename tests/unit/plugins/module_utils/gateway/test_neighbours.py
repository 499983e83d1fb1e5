# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.neighbours import Candidate, Neighbour

LIVE = Candidate("live", neighbours.own_names("ibgw-live"), "live", ("Bob",), (4001,))
PAPER = Candidate("paper", neighbours.own_names("ibgw-paper"), "paper", ("alice",), (4002,))
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
    ],
)
def test_what_a_container_says_of_itself(found: dict[str, Any], expected: Neighbour) -> None:
    assert neighbours.neighbour(found) == replace(expected, name="x")


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
        (LIVE, [replace(COMPOSE, there=False)], ""),
        (LIVE, [replace(COMPOSE, users=())], "gateway_port: 4001 of this host is published by container old-gateway-1"),
        (LIVE, [replace(COMPOSE, users=(), there=False)], ""),
        (LIVE, [replace(COMPOSE, users=(), ports=(4002,))], ""),
        (LIVE, [replace(OTHER, users=("carol",))], ""),
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
        (LIVE, [replace(OWN, mode="paper")], "paper", False, "a paper gateway of that name runs"),
        (PAPER, [Neighbour("ibgw-paper", True, "", "", "live", ("bob",))], "", True, "not of this collection"),
        (PAPER, [Neighbour("ibgw-paper", False, "paper", "client_portal", "paper")], "", True, "client_portal"),
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


@pytest.mark.parametrize(
    ("address", "taken"),
    [("0100007F", True), ("00000000", True), ("0" * 32, True), ("0200007F", False), ("0101A8C0", False)],
)
def test_an_address_that_is_in_the_way(tmp_path: Path, address: str, taken: bool) -> None:
    (tmp_path / "net").mkdir()
    line = f"   0: {address}:0FA2 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1\n"
    (tmp_path / "net" / "tcp").write_text("header\n" + line)
    assert bool(neighbours.listening(4002, str(tmp_path))) is taken
    assert not neighbours.listening(4003, str(tmp_path))

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.filter.access import (
    access_files,
    bastion_gateways,
    revoked_certificates,
)

VPC = {"files": [{"path": "a"}, {"path": "b", "commands": ["reload"]}], "stop": ["stop vpc"]}
MTLS = {"shared": [{"path": "user"}], "files": [{"path": "c", "content": "x"}]}


@pytest.mark.parametrize(
    ("used", "unused", "files"),
    [
        ([], [], []),
        ([{}], [{}], []),
        ([VPC], [], [{"path": "a", "commands": ["stop vpc"]}, {"path": "b", "commands": ["reload"]}]),
        ([MTLS], [], [{"path": "user"}, {"path": "c", "content": "x", "commands": []}]),
        ([], [MTLS], [{"path": "c", "state": "absent", "commands": []}]),
        ([], [VPC], [{"path": path, "state": "absent", "commands": ["stop vpc"]} for path in "ab"]),
    ],
    ids=["nothing", "empty tables", "stop or own commands", "shared", "shared stays", "removed"],
)
def test_files(used: list[dict[str, Any]], unused: list[dict[str, Any]], files: list[dict[str, Any]]) -> None:
    assert access_files(used, unused) == files


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ({"access_ssh_tunnel_bastion": "b", "gateway_access": ["ssh_tunnel"]}, ["paper@vm"]),
        ({"access_ssh_tunnel_bastion": "b", "gateway_access": ["ssh_tunnel"], "gateway_name": "x"}, ["x@vm"]),
        ({"access_ssh_tunnel_bastion": "b", "gateway_access": ["local"]}, []),
        ({"access_ssh_tunnel_bastion": "b"}, []),
        ({"access_ssh_tunnel_bastion": "other", "gateway_access": ["ssh_tunnel"]}, []),
        ({"gateway_access": ["ssh_tunnel"]}, []),
    ],
)
def test_whose_bastion_it_is(host: dict[str, Any], names: list[str]) -> None:
    assert bastion_gateways([{"inventory_hostname": "vm", "gateway_mode": "paper", **host}], "b") == names


def test_revoked_certificates() -> None:
    assert revoked_certificates(["b.crt", "a.crt"]) == [{"path": "a.crt"}, {"path": "b.crt"}]

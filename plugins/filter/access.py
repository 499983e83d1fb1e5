# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

Table = c.Mapping[str, t.Any]
File = dict[str, t.Any]


def access_files(used: c.Iterable[Table], unused: c.Iterable[Table]) -> list[File]:
    found: list[File] = []
    for method in used:
        found += method.get("shared", [])
        found += [{"commands": method.get("stop", []), **file} for file in method.get("files", [])]
    for method in unused:
        commands = method.get("stop", [])
        found += [{"path": file["path"], "state": "absent", "commands": commands} for file in method.get("files", [])]
    return found


def bastion_gateways(gateways: c.Iterable[Table], bastion: str) -> list[str]:
    return [
        f"{host.get('gateway_name') or host['gateway_mode']}@{host['inventory_hostname']}"
        for host in gateways
        if host.get("access_ssh_tunnel_bastion") == bastion and "ssh_tunnel" in (host.get("gateway_access") or [])
    ]


def revoked_certificates(paths: c.Iterable[str]) -> list[File]:
    return [{"path": path} for path in sorted(paths)]


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {
            "access_files": access_files,
            "bastion_gateways": bastion_gateways,
            "revoked_certificates": revoked_certificates,
        }

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the session of a deployed Client Portal Gateway (``/etc/ibgw/<name>/client_portal.json``)."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re
import typing as t
from dataclasses import dataclass, field

from .. import playbooks, record_file
from . import client, place

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True)
class Deployed:
    """A deployed gateway, as role `client_portal` wrote it; older releases wrote neither *name* nor *image* nor
    *revision*, which changes with everything that the container is started with."""

    name: str = ""
    host: str = "127.0.0.1"
    port: int = 5000
    ca_path: str | None = None
    mode: str = ""
    accounts: list[str] = field(default_factory=list)
    image: str = ""
    revision: str = ""

    @property
    def container(self) -> str:
        return place.container(self.name)

    def replace(self, values: c.Mapping[str, t.Any]) -> Deployed:
        return dataclasses.replace(self, **values)

    def endpoint(self) -> client.Endpoint:
        """Return the endpoint; raises ValueError for unusable values, OSError when the CA cannot be read."""
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not a TCP port: use 1 to 65535")
        return client.Endpoint(self.host, self.port, client.context_for(self.host, self.ca_path))


def load(name: str) -> Deployed:
    """Read the deployment of *name*; raises FileNotFoundError, OSError or ValueError with the fix."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"gateway_name {name!r} is not a name of a gateway: use a-z, 0-9 and '-'")
    path = place.path(name)
    try:
        found = record_file.load(Deployed, path)
        if not 0 < found.port < 65536 or found.mode not in ("paper", "live"):
            raise record_file.DamagedError("mode or port is invalid")
        return dataclasses.replace(found, name=name)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no Client Portal Gateway {name} is deployed on this host: run {playbooks.SITE}, or correct gateway_name"
        ) from None
    except PermissionError:
        raise PermissionError(f"{path} may be read by root only: run with become: true") from None
    except record_file.DamagedError as error:
        raise ValueError(f"{path} is damaged ({error}): run {playbooks.SITE} to rewrite it") from error


def keep(name: str) -> str:
    """Keep the session of gateway *name* and return the answer in one line; raises as :func:`load` does."""
    try:
        answer = client.tickle(load(name).endpoint())
    except client.NoAnswerError as error:
        return f"no session to keep: {error.reason}"
    status = record_file.part(answer.body, "iserver", "authStatus")
    told = "authenticated" if record_file.part(status, "authenticated") else "not authenticated"
    return f"HTTP {answer.status}, {told}{', competing' if record_file.part(status, 'competing') else ''}"

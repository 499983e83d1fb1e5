# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptor of a deployed gateway: ``/etc/ibgw/<name>/gateway.json``, written by role `gateway`."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any

ROOT = "/etc/ibgw"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class DescriptorError(Exception):
    """The descriptor cannot be used; the message names the file, the fault and the fix."""


class NotDeployedError(DescriptorError):
    """This host has no gateway of that name."""


@dataclass(frozen=True)
class Descriptor:
    """What role `gateway` deployed; ``revision`` changes with everything that a container is started with.

    ``password_secret`` has ``name``, ``endpoint`` and ``metadata_host`` where the VM fetches the password itself.
    ``read_only_api`` is what the inventory wants, None where an older release has written the file.
    """

    name: str
    mode: str
    container: str
    image: str
    host: str
    port: int
    client_id: int
    accounts: list[str]
    time_zone: str
    command_port: int
    settings_dir: str
    revision: str
    password_secret: dict[str, str] | None = None
    read_only_api: bool | None = None

    def endpoint(self) -> dict[str, Any]:
        """Return the arguments of :func:`.probe.probe` that this gateway has."""
        return {
            "host": self.host,
            "port": self.port,
            "client_id": self.client_id,
            "mode": self.mode,
            "accounts": self.accounts,
        }


# What an older release of the collection has not written.
_OPTIONAL = ("password_secret", "read_only_api")
_FIELDS = [field for field in Descriptor.__dataclass_fields__ if field not in _OPTIONAL]


def load(name: str) -> Descriptor:
    """Return the descriptor of gateway *name*; raises NotDeployedError or DescriptorError."""
    if not _NAME.fullmatch(name):
        raise DescriptorError(f"gateway_name {name!r} is no name of a gateway: use letters, digits, - and _")
    path = os.path.join(ROOT, name, "gateway.json")
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return Descriptor(
            **{field: found[field] for field in _FIELDS}, **{field: found.get(field) for field in _OPTIONAL}
        )
    except FileNotFoundError:
        here = ", ".join(deployed()) or "none"
        raise NotDeployedError(
            f"gateway {name} is not deployed on this host (deployed here: {here}); run site.yml or correct gateway_name"
        ) from None
    except PermissionError:
        raise DescriptorError(f"{path} may be read by root only: run with become: true") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DescriptorError(f"{path} is damaged ({error!r}): run site.yml to write it anew") from error


def deployed() -> list[str]:
    """Return the names of the gateways of this host, sorted; empty as well when they may not be read."""
    try:
        return sorted(name for name in os.listdir(ROOT) if os.path.exists(os.path.join(ROOT, name, "gateway.json")))
    except OSError:
        return []

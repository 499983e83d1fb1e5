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

    def endpoint(self) -> dict[str, Any]:
        """Return the arguments of :func:`.probe.probe` that this gateway has."""
        return {
            "host": self.host,
            "port": self.port,
            "client_id": self.client_id,
            "mode": self.mode,
            "accounts": self.accounts,
        }


_FIELDS = [field for field in Descriptor.__dataclass_fields__ if field != "password_secret"]


def path(name: str) -> str:
    """Return where the descriptor of gateway *name* is; raises DescriptorError for what is not a name."""
    if not _NAME.fullmatch(name):
        raise DescriptorError(f"gateway_name {name!r} is no name of a gateway: use letters, digits, - and _")
    return os.path.join(ROOT, name, "gateway.json")


def load(name: str) -> Descriptor:
    """Return the descriptor of gateway *name*; raises NotDeployedError or DescriptorError."""
    place = path(name)
    try:
        with open(place, encoding="utf-8") as file:
            found = json.load(file)
        # What an older release of the collection has written has no password_secret.
        return Descriptor(**{field: found[field] for field in _FIELDS}, password_secret=found.get("password_secret"))
    except FileNotFoundError:
        here = ", ".join(deployed()) or "none"
        raise NotDeployedError(
            f"gateway {name} is not deployed on this host (deployed here: {here}); run site.yml or correct gateway_name"
        ) from None
    except PermissionError:
        raise DescriptorError(f"{place} may be read by root only: run with become: true") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DescriptorError(f"{place} is damaged ({error!r}): run site.yml to write it anew") from error


def deployed() -> list[str]:
    """Return the names of the gateways of this host, sorted; empty as well when they may not be read."""
    try:
        return sorted(name for name in os.listdir(ROOT) if os.path.exists(os.path.join(ROOT, name, "gateway.json")))
    except OSError:
        return []

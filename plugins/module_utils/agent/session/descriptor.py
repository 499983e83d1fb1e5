# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptor of a deployed gateway: ``/etc/ibgw/<name>/gateway.json``, written by role `gateway`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any

from .. import playbooks, record_file
from ..api import ports
from ..controller import controllers
from ..controller.marks import Controller
from ..portal import instead
from ..portal import place as portal

ROOT = "/etc/ibgw"
FILE = "gateway.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class DescriptorError(Exception):
    """The descriptor cannot be used; the message names the file, the fault and the fix."""


class NotDeployedError(DescriptorError):
    """This host has no gateway of that name."""


class OtherStackError(DescriptorError):
    """The gateway of that name is a Client Portal Gateway."""


@dataclass(frozen=True)
class Descriptor:
    """A deployed gateway, as role `gateway` wrote it; ``revision`` changes with everything that the container is
    started with.

    ``password_secret`` has ``name``, ``endpoint`` and ``metadata_host`` where the VM fetches the password itself.
    ``read_only_api`` is the inventory's setting, None if an older release wrote the file. A broken data farm in
    ``ignored_farms`` does not degrade the gateway. ``image_accept`` are the differences of its image that the inventory
    accepts (deploy/image.py). ``controller`` is the name of the program that signs the gateway in; older releases had
    only one. ``program`` is ``gateway``, or ``tws`` for the desktop image.
    """

    name: str
    mode: str
    container: str
    image: str
    host: str
    port: int
    client_id: int
    accounts: list[str]
    command_port: int
    settings_dir: str
    revision: str
    password_secret: dict[str, str] | None = None
    read_only_api: bool | None = None
    ignored_farms: list[str] = field(default_factory=list)
    image_accept: list[str] = field(default_factory=list)
    controller: str = controllers.DEFAULT
    program: str = "gateway"

    # IBKR's week ends its sign-in.
    weekly = True

    @property
    def driver(self) -> Controller:
        """The table of its controller."""
        return controllers.by_name(self.controller)

    def endpoint(self) -> dict[str, Any]:
        """Return this gateway's arguments for :func:`.probe.probe`."""
        return {
            "host": self.host,
            "port": self.port,
            "client_id": self.client_id,
            "mode": self.mode,
            "accounts": self.accounts,
            "ignored_farms": self.ignored_farms,
        }


def path(name: str) -> str:
    """Return the path of gateway *name*'s descriptor; raises DescriptorError for an invalid name."""
    if not _NAME.fullmatch(name):
        raise DescriptorError(f"gateway_name {name!r} is not a name of a gateway: use letters, digits, - and _")
    return os.path.join(ROOT, name, FILE)


def load(name: str) -> Descriptor:
    """Return the descriptor of gateway *name*; raises OtherStackError, NotDeployedError or DescriptorError."""
    place = path(name)
    refuse_portal(name)
    try:
        return checked(record_file.load(Descriptor, place), name)
    except FileNotFoundError:
        here = ", ".join(all_deployed()) or "none"
        raise NotDeployedError(
            f"gateway {name} is not deployed on this host (deployed here: {here}); run {playbooks.SITE} or "
            "correct gateway_name"
        ) from None
    except PermissionError:
        raise DescriptorError(f"{place} may be read by root only: run with become: true") from None
    except (OSError, record_file.DamagedError) as error:
        raise DescriptorError(f"{place} is damaged ({error}): run {playbooks.SITE} to rewrite it") from error


def checked(found: Descriptor, name: str) -> Descriptor:
    """Return *found* if its values can be used; DamagedError."""
    if found.name != name:
        raise record_file.DamagedError("name is another gateway's")
    if found.mode not in ("paper", "live"):
        raise record_file.DamagedError("mode is neither paper nor live")
    if not 0 < found.port < 65536 or not 0 <= found.command_port < 65536:
        raise record_file.DamagedError("port or command_port is not a TCP port")
    if not os.path.isabs(found.settings_dir):
        raise record_file.DamagedError("settings_dir is not an absolute path")
    if found.controller not in controllers.TABLES:
        raise record_file.DamagedError("controller is none that this release knows")
    if found.program not in ports.API_OF:
        raise record_file.DamagedError("program is neither gateway nor tws")
    secret = found.password_secret
    if secret is not None and not {"name", "endpoint", "metadata_host"} <= secret.keys():
        raise record_file.DamagedError("password_secret lacks a key")
    return found


def refuse_portal(name: str, command: str = "") -> None:
    """Raise OtherStackError where gateway *name* is a Client Portal Gateway, for which *command* is not."""
    if portal.is_here(name):
        raise OtherStackError(instead.refusal(name, command))


def deployed() -> list[str]:
    """Return the names of this host's IB Gateways, sorted; empty also when they may not be read."""
    return portal.names(ROOT, FILE)


def all_deployed() -> list[str]:
    """Return the names of this host's gateways of either kind, sorted; empty also when they may not be read."""
    return sorted({*deployed(), *portal.deployed()})

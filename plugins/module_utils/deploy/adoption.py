# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take over the settings of a gateway run by hand or by Docker Compose, from its stopped container.

The engine exports them as an archive, so the kind of mount does not matter. The old container's files are not trusted:
only plain files and directories are taken, up to a size limit.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tarfile
import tempfile
import typing as t

from ..agent.controller.settings_dir import TOKEN, printable
from ..agent.engine import neighbours
from ..agent.engine.client import Engine, NotFoundError
from ..agent.session import descriptor, store

# https://github.com/gnzsnz/ib-gateway-docker: where its compose file mounts the volume; without the variable the
# gateway writes to the second, its own folder.
VARIABLE, USUAL, OWN = "TWS_SETTINGS_PATH", "/home/ibgateway/tws_settings", "/home/ibgateway/Jts"
# Limits of a settings directory: a few MiB, and the gateway's diagnostic logs.
MOST_BYTES, MOST_FILES = 256 << 20, 10_000
FOLDER = "tws_settings"


class AdoptionError(Exception):
    """The settings cannot be taken over; the message says why, and what to do."""


class Found(t.NamedTuple):
    """The old container: its name, mode, IBKR users, and the folder with its settings."""

    name: str
    mode: str
    users: tuple[str, ...]
    folder: str


def find(engine: Engine, container: str, mode: str) -> Found:
    """Inspect the old *container* for a gateway of *mode*. Raises AdoptionError and EngineError."""
    try:
        description = engine.inspect(container)
    except NotFoundError:
        names = [each.name for each in neighbours.around(engine) if each.users and not each.gateway]
        raise AdoptionError(
            f"this host has no container {container}. Gateways that are not of this collection: "
            f"{', '.join(names) or 'none'}"
        ) from None
    old = neighbours.neighbour(description)
    if old.gateway:
        raise AdoptionError(f"container {old.name} is gateway {old.gateway} of this collection already")
    if old.there:
        raise AdoptionError(
            f"container {old.name} runs. Stop it first (docker compose stop, or docker stop {old.name}; of a live "
            "gateway that ends the session) and keep it from starting again (docker update --restart no), for one user "
            "has one session"
        )
    environment = dict(each.partition("=")[::2] for each in description["Config"].get("Env") or ())
    trading = environment.get("TRADING_MODE", "").lower()
    if trading == "both" or (old.mode and old.mode != mode):
        raise AdoptionError(
            f"container {old.name} is of mode {trading or old.mode}, and this gateway is {mode}: settings of one mode "
            "are of no use to the other. Deploy this gateway without them"
        )
    folders = [environment.get(VARIABLE) or USUAL, USUAL, OWN]
    for folder in dict.fromkeys(folders):
        if engine.path_stat(container, folder):
            return Found(old.name, old.mode, old.users, folder)
    raise AdoptionError(f"container {old.name} has none of {', '.join(dict.fromkeys(folders))}: is it an IB Gateway?")


def settled(name: str) -> bool:
    """Whether gateway *name* has settings of its own. Raises AdoptionError where it is deployed, DescriptorError."""
    place = os.path.join(store.ROOT, name, FOLDER)
    if os.path.isdir(place) and os.listdir(place):
        return True
    if os.path.exists(descriptor.path(name)):
        raise AdoptionError(
            f"gateway {name} is deployed on this host without settings of its own. Remove it first "
            "(ibops.gateway.remove), then adopt, then deploy"
        )
    return False


def members(archive: bytes) -> dict[str, bytes | None]:
    """Return the archive's contents by path below the folder; None for a directory. Raises AdoptionError.

    Links, devices and FIFOs are left out, as are kept sign-ins, which are useless in another container.
    """
    found: dict[str, bytes | None] = {}
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                parts = [part for part in member.name.split("/") if part not in ("", ".")][1:]
                if not parts or ".." in parts or parts[-1] == TOKEN:
                    continue
                size += member.size
                if len(found) >= MOST_FILES or size > MOST_BYTES:
                    raise AdoptionError(
                        f"it has more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: tidy it up first"
                    )
                if member.isdir():
                    found["/".join(parts)] = None
                elif member.isreg():
                    content = tar.extractfile(member)
                    found["/".join(parts)] = content.read() if content else b""
    except tarfile.TarError as fault:
        raise AdoptionError(f"the engine's archive is damaged: {printable(str(fault))}") from fault
    return found


def write(name: str, uid: int, found: t.Mapping[str, bytes | None]) -> None:
    """Make the settings directory of gateway *name* of *found*, whole or not at all; all of it is *uid*'s."""
    state = os.path.join(store.ROOT, name)
    for path in (store.ROOT, state):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        os.chmod(path, 0o711)
    # Only root can reach it until it is complete.
    new = tempfile.mkdtemp(prefix=".adopt-", dir=state)
    try:
        inner = os.path.join(new, FOLDER)
        os.mkdir(inner, 0o700)
        for path, content in found.items():
            target = os.path.join(inner, path)
            os.makedirs(target if content is None else os.path.dirname(target), mode=0o700, exist_ok=True)
            if content is not None:
                handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
        for folder, folders, files in os.walk(inner, topdown=False):
            for each in (*folders, *files):
                os.chown(os.path.join(folder, each), uid, uid, follow_symlinks=False)
        os.chown(inner, uid, uid)
        os.rename(inner, os.path.join(state, FOLDER))
    finally:
        shutil.rmtree(new)

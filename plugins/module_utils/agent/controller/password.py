# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of a gateway on its VM: within the container's reach only while a start needs it.

The image reads it from a file in memory at each start of the container, and renders it into IBC's settings, which IBC
reads at each start of a JVM. A live gateway has it while a sign-in is granted, a paper gateway while it runs. Otherwise
the file is empty and the setting blank: a restart on the token needs no password, and a full sign-in without one gets
as far as the login window, where IBC presses nothing and no push is sent (tests/transcripts/exp-*.log).

It comes with the request to start, from Secret Manager through the VM's service account, or, for a paper gateway, which
the plan starts, from a root-only file. The token:
https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time

from .. import bounded_http, playbooks
from ..engine.client import Engine, EngineError
from ..files import Absent, Directory, Entry, Secret, reconcile
from ..session import descriptor
from ..session.descriptor import Descriptor
from . import secret_manager
from .properties import UnrepresentableError, escape

# A file system in memory on every host with systemd: nothing here outlives a reboot of the VM.
ROOT = "/run/ibgw"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
TIMEOUT = 10.0
# A password handed over for a sign-in that never began is removed after this long.
LEFT_SECONDS = 60.0
_FLAVOR = {"Metadata-Flavor": "Google"}


class PasswordError(Exception):
    """The password cannot be obtained; the message says why, and never contains it."""


def directories(root: str, name: str, group: int) -> list[Entry]:
    """The directories where the container of gateway *name* finds its password; its group may read them."""
    mine = (os.geteuid(), os.getegid())
    return [
        Directory(root, 0o711, *mine),
        Directory(f"{root}/{name}", 0o711, *mine),
        Directory(f"{root}/{name}/secrets", 0o750, os.geteuid(), group),
    ]


def make_place(name: str, group: int) -> None:
    """Make the directory that is mounted into the container of gateway *name*, without a password. OSError."""
    reconcile(directories(ROOT, name, group), check=False)


def path(name: str) -> str:
    """Where the container of gateway *name* reads the password."""
    return os.path.join(ROOT, name, "secrets", "tws_password")


def kept_path(name: str) -> str:
    """Where the password of a paper gateway is kept, for root alone."""
    return os.path.join(descriptor.ROOT, name, "password")


def provide(found: Descriptor, handed: str | None = None, asks: bool = True) -> None:
    """Put the password where the container reads it, before a start; *handed* came with a request to sign in.

    Without *asks* it is empty, for a start on a kept sign-in. Raises PasswordError.
    """
    try:
        text = _password(found, handed) if asks else ""
        group = os.stat(found.settings_dir).st_gid
        make_place(found.name, group)
        reconcile([_file(place, text, group) for place in _places(found.name)], check=False)
    except OSError as error:
        raise PasswordError(f"the password of gateway {found.name} cannot be provided: {error}") from error


def held(name: str) -> bool:
    """Whether the container of gateway *name* can read the password, or one was handed over and not used."""
    return any(map(_size, _places(name))) or _left_over(name)


def withdraw(found: Descriptor, engine: Engine, running: bool) -> None:
    """Take the password away from the container, first from the rendered settings if it is *running*. Raises
    PasswordError if it is still held.
    """
    key, settings = found.driver.password_key, found.driver.settings_file
    blank = ["sed", "-i", f"s/^{key}=.*/{key}=/", settings]
    try:
        code = engine.execute(found.container, blank, TIMEOUT)[0] if running else 0
        if code != 0:
            raise PasswordError(f"{settings} of {found.container} cannot be changed: sed exits with {code}")
        for place in filter(_size, _places(found.name)):
            reconcile([_file(place, "", os.stat(place).st_gid)], check=False)
        if _left_over(found.name):
            os.unlink(_handed_path(found.name))
    except (EngineError, OSError) as error:
        raise PasswordError(f"the password stays within the reach of {found.container}: {error}") from error


def leave_disk(name: str) -> None:
    """Remove the directory that an earlier container of gateway *name* read the password from. OSError."""
    place = os.path.join(descriptor.ROOT, name, "secrets")
    reconcile([Absent(os.path.join(place, "tws_password"))], check=False)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(place)


def hand_over(name: str, text: str) -> None:
    """Leave the password *text* for a sign-in of gateway *name* that begins now: in memory, for root alone. OSError."""
    mine = (os.geteuid(), os.getegid())
    folders = directories(ROOT, name, mine[1])[:2]
    reconcile([*folders, Secret(_handed_path(name), text, 0o600, *mine)], check=False)


def take(name: str) -> str | None:
    """Take what :func:`hand_over` left; None where there is nothing."""
    with contextlib.suppress(FileNotFoundError):
        with open(_handed_path(name), encoding="utf-8", newline="") as file:
            text = file.read()
        os.unlink(_handed_path(name))
        return text
    return None


def _handed_path(name: str) -> str:
    return os.path.join(ROOT, name, "handed")


def _places(name: str) -> list[str]:
    """Where containers read it; a container from when the file was on disk has it there until it is replaced."""
    before = os.path.join(descriptor.ROOT, name, "secrets")
    return [path(name), *([os.path.join(before, "tws_password")] if os.path.isdir(before) else [])]


def _size(place: str) -> int:
    try:
        return os.stat(place).st_size
    except OSError:
        return 0


def _left_over(name: str) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - os.stat(_handed_path(name)).st_mtime > LEFT_SECONDS
    return False


def _file(place: str, text: str, group: int) -> Secret:
    return Secret(place, text, 0o440, os.geteuid(), group)


def _password(found: Descriptor, handed: str | None) -> str:
    """The password as the gateway's controller reads it."""
    if found.password_secret:
        return _fetched(found)
    if found.mode == "paper":
        with open(kept_path(found.name), encoding="utf-8", newline="") as file:
            return file.read()
    if not handed:
        raise PasswordError(
            f"this VM does not keep the password of live gateway {found.name}: sign in by {playbooks.LIVE_SIGNIN}, "
            f"or in a terminal by `ibgwctl sign-in {found.name}`, which asks for it"
        )
    try:
        return _as_read(found, handed)
    except UnrepresentableError as error:
        raise PasswordError(f"{error}; IBC cannot read such a password") from None


def _as_read(found: Descriptor, text: str) -> str:
    """*text* for the controller: IBC reads it from a properties file, ibg-controller as it is. UnrepresentableError for
    what a properties file cannot hold, since the image writes it there whatever the controller."""
    escaped = escape(text)
    return escaped if found.driver.password_is_property else text


def _fetched(found: Descriptor) -> str:
    source = found.password_secret or {}
    try:
        token = _token(source["metadata_host"])
        text = secret_manager.access(source["name"], token, fetch, source["endpoint"], TIMEOUT).decode()
        return _as_read(found, text)
    except (secret_manager.SecretError, OSError) as error:
        raise PasswordError(f"the password of gateway {found.name} cannot be fetched: {error}") from error
    except UnicodeDecodeError:
        raise PasswordError(f"{source['name']}: holds no text (UTF-8): is it the right secret?") from None
    except UnrepresentableError as error:
        raise PasswordError(
            f"{source['name']}: {error}; IBC cannot read such a password. `printf %s … | gcloud secrets versions add "
            "NAME --data-file=-` adds a version without a line break"
        ) from None


def _token(host: str) -> str:
    """An access token of the VM's service account; OSError when the metadata server gives none."""
    try:
        status, body = fetch(f"http://{host}{TOKEN_PATH}", _FLAVOR, TIMEOUT)
        if status == 200:
            return str(json.loads(body)["access_token"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise OSError(
            f"the metadata server {host} gives no token ({error!r}): is this a VM of Google Cloud?"
        ) from error
    raise OSError(
        f"the metadata server {host} gives no token (HTTP status {status}): the VM needs a service account with the "
        "scope cloud-platform"
    )


def fetch(url: str, headers: dict[str, str], timeout: float) -> tuple[int, bytes]:
    """GET: the status and the body. OSError without an answer in *timeout* seconds."""
    try:
        return bounded_http.request("GET", url, timeout, headers)
    except http.client.HTTPException as error:
        raise OSError(repr(error)) from error

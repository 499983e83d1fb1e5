# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of a gateway whose VM fetches it: from Secret Manager, as the VM's own service account, to memory.

The token: https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
"""

from __future__ import annotations

import http.client
import json
import os

from .. import bounded_http
from ..files import Directory, Entry, Secret, reconcile
from ..session import descriptor
from ..session.descriptor import Descriptor
from . import secret_manager
from .properties import UnrepresentableError, escape

# A file system in memory on every host with systemd: what is here does not outlive the VM's next boot.
ROOT = "/run/ibgw"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
TIMEOUT = 10.0
_FLAVOR = {"Metadata-Flavor": "Google"}


class PasswordError(Exception):
    """The password cannot be had; the message says why and never what it is."""


def directories(root: str, name: str, group: int) -> list[Entry]:
    """Where the password of gateway *name* is put for the container, whose group may read it."""
    mine = (os.geteuid(), os.getegid())
    return [
        Directory(root, 0o711, *mine),
        Directory(f"{root}/{name}", 0o711, *mine),
        Directory(f"{root}/{name}/secrets", 0o750, os.geteuid(), group),
    ]


def path(found: Descriptor) -> str:
    """Where the container reads the password from."""
    root = ROOT if found.password_secret else descriptor.ROOT
    return os.path.join(root, found.name, "secrets", "tws_password")


def provide(found: Descriptor) -> None:
    """Put the password where the container reads it, at each start. Raises PasswordError.

    Does nothing for a gateway whose password role `gateway` has written.
    """
    source = found.password_secret
    if not source:
        return
    group = os.stat(found.settings_dir).st_gid
    try:
        token = _token(source["metadata_host"])
        data = secret_manager.access(source["name"], token, fetch, source["endpoint"], TIMEOUT)
        text = escape(data.decode())
        secret = Secret(path(found), text, 0o440, os.geteuid(), group)
        reconcile([*directories(ROOT, found.name, group), secret], check=False)
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

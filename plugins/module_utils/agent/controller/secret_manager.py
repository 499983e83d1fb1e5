# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret of Google's Secret Manager, by its REST API.

The API: https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
"""

from __future__ import annotations

import base64
import binascii
import collections.abc as c
import json
import re
import time
import typing as t

from ..text import printable

ENDPOINT = "https://secretmanager.googleapis.com"
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
# GET a URL with these headers, with a limit in seconds for each wait: status and body. OSError without an answer.
Fetch = c.Callable[[str, dict[str, str], float], tuple[int, bytes]]
RESOURCE = re.compile(r"projects/([a-z0-9:.-]+)/secrets/([A-Za-z0-9_-]{1,255})/versions/(latest|[A-Za-z0-9_-]+)")
_PASSING = (429, 500, 502, 503, 504)
# Castagnoli's polynomial, its bits reversed.
_POLYNOMIAL = 0x82F63B78


class SecretError(Exception):
    """The secret cannot be read; the message names it and says what to do, and never contains it."""


def resource(name: str, project: str | None, version: str = "latest") -> str:
    """The full name of a secret's version, from a full name (with its version or without) or a secret's name.

    SecretError for an invalid name, or for a short one without *project*.
    """
    found = name
    if "/" not in name:
        if not project:
            raise SecretError(f"secret {name!r} has no project: set option project, or GCP_PROJECT in the environment")
        found = f"projects/{project}/secrets/{name}"
    if "/versions/" not in found:
        found = f"{found}/versions/{version}"
    if not RESOURCE.fullmatch(found):
        raise SecretError(
            f"{found!r} is not a version of a secret: want NAME or projects/PROJECT/secrets/NAME[/versions/VERSION], "
            "the name of letters, digits, - and _, the version a number, an alias or latest"
        )
    return found


def access(name: str, token: str, fetch: Fetch, endpoint: str = ENDPOINT, timeout: float = 10.0) -> bytes:
    """The payload of the version with this full name, its checksum compared, within *timeout* seconds in all.

    Transient errors (429, 5xx, no connection) are retried; SecretError for everything else.
    """
    url, headers = f"{endpoint.rstrip('/')}/v1/{name}:access", {"Authorization": f"Bearer {token}"}
    deadline = time.monotonic() + timeout
    for attempt in range(1, ATTEMPTS + 1):
        try:
            status, body = fetch(url, headers, max(deadline - time.monotonic(), 0.1))
        except OSError as error:
            trouble = SecretError(f"{name}: no answer from {endpoint}: {error}")
        else:
            if status == 200:
                return _payload(name, body)
            trouble = _explained(name, status, body)
            if status not in _PASSING:
                break
        pause = PAUSE_SECONDS * 2 ** (attempt - 1)
        if attempt == ATTEMPTS or time.monotonic() + pause >= deadline:
            break
        time.sleep(pause)
    raise trouble


def crc32c(data: bytes) -> int:
    """The checksum that Google keeps with a payload (RFC 3720, B.4)."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum ^= byte
        for _bit in range(8):
            checksum = checksum >> 1 ^ (_POLYNOMIAL if checksum & 1 else 0)
    return checksum ^ 0xFFFFFFFF


def _payload(name: str, content: bytes) -> bytes:
    try:
        payload = json.loads(content)["payload"]
        data = base64.b64decode(payload.get("data", ""), validate=True)
        checksum = int(payload["dataCrc32c"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise SecretError(f"{name}: the answer is not Secret Manager's: is api_endpoint right?") from None
    if crc32c(data) != checksum:
        raise SecretError(f"{name}: the payload does not match its checksum (CRC32C): it was damaged on its way")
    return data


def _explained(name: str, status: int, content: bytes) -> SecretError:
    error = _error(content)
    _projects, project, _secrets, secret, _versions, version = name.split("/")
    text = printable(str(error.get("message") or f"HTTP status {status}"), 400)
    if "SERVICE_DISABLED" in str(error.get("details")):
        fix = f"run `gcloud services enable secretmanager.googleapis.com --project {project}` and wait a minute"
    elif status == 401:
        fix = "get new credentials"
    elif status == 403:
        fix = (
            "give whoever asks the role secretmanager.secretAccessor on this secret: `gcloud secrets "
            f"add-iam-policy-binding {secret} --project {project} --role roles/secretmanager.secretAccessor --member …`"
        )
    elif status == 404:
        fix = f"`gcloud secrets versions list {secret} --project {project}` lists its versions"
    elif status == 400:
        fix = f"`gcloud secrets versions enable {version} --secret {secret} --project {project}`, or another version"
    else:
        fix = "try again later"
    return SecretError(f"{name}: {text} ({fix})")


def _error(content: bytes) -> dict[str, t.Any]:
    try:
        found = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    # OAuth's errors are a word.
    return found if isinstance(found, dict) else {"message": found}

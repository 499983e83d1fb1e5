# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: pinned_image
short_description: An image by digest, which its registry is asked for once
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Returns the image that a file pins. Where the file is missing, the registry is asked which digest the tag has now,
    and the file is written, also in check mode; whoever runs next has the same image, however often the tag is rebuilt.
  - To upgrade, write another digest to the file, or remove it. Keep it under version control.
  - The registry is asked without a login, over HTTPS (one of this machine over HTTP).
options:
  _terms:
    description: The image with its tag, for example V(ghcr.io/gnzsnz/ib-gateway:stable).
    type: list
    elements: str
    required: true
  file:
    description: The file that pins it, in one line such as V(ghcr.io/gnzsnz/ib-gateway@sha256:…).
    type: path
    required: true
  digest:
    description: The digest, in place of that in the file, for example in a CI job that keeps it among its variables.
    type: str
    env: [{name: IBGW_IMAGE_DIGEST}]
  timeout:
    description: Seconds for the registry's answer in all.
    type: float
    default: 15
"""

EXAMPLES = r"""
# examples/own_vm/group_vars/gateways.yml
gateway_image: >-
  {{ lookup('ibops.gateway.pinned_image', 'ghcr.io/gnzsnz/ib-gateway:stable', file=inventory_dir ~ '/image.txt') }}
"""

RETURN = r"""
_raw:
  description: The image with its digest.
  type: list
  elements: str
"""

import hashlib
import http.client
import json
import os
import re
import tempfile
import typing as t
import urllib.error
import urllib.parse
from email.message import Message

from ansible.errors import AnsibleLookupError
from ansible.module_utils.urls import open_url
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.ibops.gateway.plugins.module_utils.agent import bounded_http
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands

_NAMED = re.compile(r"(?P<registry>[\w.-]+(?::\d+)?)/(?P<path>[a-z0-9._/-]+):(?P<tag>[\w.-]+)", re.ASCII)
_PINNED = re.compile(r"(?P<image>\S+)@sha256:[0-9a-f]{64}")
# An index of platforms comes first: its digest is good for every one of them.
_TYPES = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1", "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1", "docker.distribution.manifest.v2",
    )
)  # fmt: skip
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class _Answer(t.NamedTuple):
    status: int
    headers: Message
    body: bytes


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        if len(terms) != 1 or not (named := _NAMED.fullmatch(terms[0])):
            raise AnsibleLookupError(f"pinned_image takes one image with its registry and its tag, not {terms!r}")
        image = terms[0].rpartition(":")[0]
        if digest := self.get_option("digest"):
            return [f"{image}@{digest}"]
        file = self.get_option("file")
        try:
            if not os.path.exists(file):
                pinned = f"{image}@{_digest(named, self.get_option('timeout'))}"
                if _write(file, pinned):
                    commands.show(Display(), f"{terms[0]} is pinned in {file}: {pinned}")
            with open(file, encoding="ascii") as opened:
                text = opened.read(1000).strip()
        except (OSError, ValueError) as error:
            reason = f"its registry does not tell the digest: {printable(str(error))}"
            raise AnsibleLookupError(f"write {image}@sha256:… to {file}, since {reason}") from None
        found = _PINNED.fullmatch(text)
        if not found or found["image"] != image:
            raise AnsibleLookupError(f"{file} does not pin {image}: write {image}@sha256:<64 hex digits>, or remove it")
        return [text]


def _write(path: str, text: str) -> bool:
    """Write a new file, whole; False where another process has been faster."""
    handle, new = tempfile.mkstemp(dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(new, 0o644)
        os.link(new, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(new)
    return True


def _digest(named: re.Match[str], seconds: float) -> str:
    """Return the digest of what the registry has under the tag now. OSError or ValueError with the reason."""
    registry, path = named["registry"], named["path"]
    scheme = "http" if registry.partition(":")[0] in ("127.0.0.1", "localhost") else "https"
    url = f"{scheme}://{registry}/v2/{path}/manifests/{named['tag']}"

    def ask() -> _Answer:
        answer = _get(url, {"Accept": _TYPES}, seconds)
        if answer.status != 401:
            return answer
        said = dict(_CHALLENGE.findall(answer.headers.get("WWW-Authenticate", "")))
        if not said.get("realm", "").startswith(f"{scheme}://"):
            raise ValueError(f"{registry} asks for a login")
        query = {"service": said.get("service", ""), "scope": f"repository:{path}:pull"}
        granted = _get(f"{said['realm']}?{urllib.parse.urlencode(query)}", {}, seconds)
        if granted.status != 200:
            raise ValueError(f"{registry} gives nobody a token for it: HTTP {granted.status}")
        token = json.loads(granted.body).get("token")
        return _get(url, {"Accept": _TYPES, "Authorization": f"Bearer {token}"}, seconds)

    answer = bounded_http.within(seconds, ask)
    if answer.status != 200:
        raise ValueError(f"{registry} answers HTTP {answer.status}")
    found = "sha256:" + hashlib.sha256(answer.body).hexdigest()
    if answer.headers.get("Docker-Content-Digest", found) != found:
        raise ValueError(f"{registry} sent another manifest than the one that it names")
    return found


def _get(url: str, headers: dict[str, str], seconds: float) -> _Answer:
    """Open a URL as Ansible does, through its proxy."""
    try:
        with open_url(url, headers=headers, timeout=seconds) as reply:
            return _Answer(reply.status, reply.headers, reply.read(bounded_http.MAX_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, error.headers, error.read(bounded_http.MAX_BYTES))
    except urllib.error.URLError as error:
        # In words: Ansible tells the causes of an error as well, by Python's names and numbers.
        raise OSError(getattr(error.reason, "strerror", None) or str(error.reason)) from None
    except http.client.HTTPException as error:
        raise OSError(repr(error)) from error

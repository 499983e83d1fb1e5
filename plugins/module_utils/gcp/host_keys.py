# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin a VM's SSH host keys before the first contact.

Google's guest agent writes them to the VM's guest attributes, once, at the first boot, where ``gcloud compute ssh``
looks, too. The control node keeps one known_hosts file per VM, named by the alias that ssh knows the VM by,
``compute.<instance id>``. A recreated VM has another id, and so another file.
"""

from __future__ import annotations

import base64
import binascii
import collections.abc as c
import os
import subprocess
import tempfile
import time
import typing as t

from .api.compute import Compute
from .api.errors import GcpError

FOLDER = "~/.ibgw/known_hosts"
# ssh's own file.
SSH_FILE = "~/.ssh/known_hosts"
REFUSE, ACCEPT_NEW = "refuse", "accept_new"
# Metadata item that lets the agent publish.
SWITCH = "enable-guest-attributes"
TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
PATH = "hostkeys/"
POLL_SECONDS = 2.0

# A key's type and its base64 text.
Key = tuple[str, str]


def alias(instance_id: str) -> str:
    """The name that ssh knows a VM by; gcloud's, too."""
    return f"compute.{instance_id}"


def key(kind: str, text: str) -> Key | None:
    """A key from its type and the first word of its text; None unless it is a key of a known type."""
    word = (text.split() or [""])[0]
    try:
        blob = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return None
    # A key repeats its type, after its length.
    begins = len(kind).to_bytes(4, "big") + kind.encode()
    is_key = kind in TYPES and base64.b64encode(blob).decode() == word and blob.startswith(begins)
    return (kind, word) if is_key and len(blob) > len(begins) else None


def parsed(line: str) -> Key | None:
    """A key from a line as in ``ssh_host_ed25519_key.pub``; None for anything else."""
    kind, _blank, rest = line.strip().partition(" ")
    return key(kind, rest)


def published(compute: Compute, name: str, seconds: float) -> list[Key]:
    """The keys that the VM's agent has published, waiting up to *seconds*; empty without any."""
    ends = time.monotonic() + seconds
    while True:
        items = compute.guest_attributes(name, PATH)
        found = [one for each in items if (one := key(each.get("key", ""), each.get("value", "")))]
        if found or time.monotonic() >= ends:
            return found
        time.sleep(POLL_SECONDS)


def pinned(folder: str, name: str) -> set[Key]:
    """The keys in a VM's file, including those added by ssh; *name* is its alias."""
    try:
        with open(_path(folder, name), encoding="ascii", errors="replace") as file:
            words = [line.split() for line in file]
    except FileNotFoundError:
        return set()
    return {(each[1], each[2]) for each in words if len(each) > 2 and each[0] == name}


def pin(folder: str, name: str, keys: c.Collection[Key]) -> bool:
    """Write a VM's file unless it exists, and return whether it was written; GcpError if the existing one has other
    keys."""
    path = _path(folder, name)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(path), encoding="ascii") as file:
        file.writelines(f"{name} {kind} {text}\n" for kind, text in keys)
        file.flush()
        try:
            # Atomically, and never over an existing file.
            os.link(file.name, path)
        except FileExistsError:
            if pinned(folder, name).isdisjoint(keys):
                raise GcpError(
                    f"{path} pins other host keys than this VM's. A recreated VM is not the reason, since it has "
                    "another id: somebody has replaced the keys in its /etc/ssh, or another machine answers there. "
                    f"Compare `ssh-keygen -lf {path}` with `ssh-keygen -lf` of the VM's own files (serial console, or "
                    "its disk); if the new keys are right, delete the file and run again."
                ) from None
            return False
    return True


def ensure(
    compute: Compute, vm: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any], warn: c.Callable[[str], None]
) -> bool:
    """Pin the keys of a running VM and return whether that was new; GcpError if they are required and unavailable.

    *vm* is an Instance; *options* has ``known_hosts``, ``host_keys``, ``host_keys_timeout`` and ``unknown_host_keys``.
    *warn* is called if the first key offered will be trusted.
    """
    name, folder = alias(vm["id"]), options["known_hosts"]
    given = [one for each in options["host_keys"] if (one := parsed(each))]
    if given:
        return pin(folder, name, given)
    if pinned(folder, name):
        return False
    found = published(compute, vm["name"], options["host_keys_timeout"] if vm["guest_attributes"] else 0)
    if found:
        return pin(folder, name, found)
    if not known_to_ssh(name):
        if options["unknown_host_keys"] == REFUSE:
            raise GcpError(f"{absent(vm)} Nothing connects to it: unknown_host_keys is 'refuse'.")
        warn(absent(vm))
    return False


def absent(vm: t.Mapping[str, t.Any]) -> str:
    """Explain why a VM's keys are unknown, and how to fix that."""
    reason = (
        "its image has no guest agent, or an organization policy forbids guest attributes"
        if vm["guest_attributes"]
        else f"its metadata has no {SWITCH}=TRUE; set now, it publishes nothing: the agent does so at the first boot"
    )
    return (
        f"VM {vm['name']} ({alias(vm['id'])}) has published no SSH host keys: {reason}. Read them from its serial "
        "console or disk and name them in host_keys, or accept whatever key answers first with "
        "`unknown_host_keys: accept_new`."
    )


def known_to_ssh(name: str) -> bool:
    """Whether the user's own known_hosts has the alias, hashed or not: from an earlier contact, or from gcloud."""
    command = ["ssh-keygen", "-F", name, "-f", os.path.expanduser(SSH_FILE)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def ssh_arguments(folder: str, instance_id: str, unknown: str) -> str:
    """Return the arguments for ssh that verify the VM by its pinned keys.

    Once it trusts the server, it follows later key changes, such as hardening's (``UpdateHostKeys``).
    """
    name = alias(instance_id)
    strict = {REFUSE: "yes", ACCEPT_NEW: "accept-new"}[unknown]
    files = f'"{_path(folder, name)}" {SSH_FILE}'
    return (
        f"-o HostKeyAlias={name} -o StrictHostKeyChecking={strict} -o 'UserKnownHostsFile={files}' "
        "-o UpdateHostKeys=yes -o HashKnownHosts=no -o CheckHostIP=no"
    )


def _path(folder: str, name: str) -> str:
    return os.path.join(os.path.expanduser(folder), name)

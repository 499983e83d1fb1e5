# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of a VM must not say. Each problem names the variable, its value, the rule and the fix."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

from . import host_keys
from .errors import GcpError
from .kinds import MARK_LABEL
from .rules import NAME, REGION, between, labels, named, place
from .vm_wanted import MODE_LABEL, SAFE_METADATA, text

Options = t.Mapping[str, t.Any]
Body = t.Mapping[str, t.Any]

MACHINE_TYPE = r"[a-z][a-z0-9]*(-[a-z0-9]+)+"
IMAGE = r"(https://\S+/)?projects/[^/ ]+/global/images/(family/)?[a-z0-9-]+|[a-z][a-z0-9.:-]*/[a-z][a-z0-9-]*"
ACCOUNT = r"[a-z0-9.-]+@[a-z0-9.-]+\.[a-z]+"
SCOPE = r"(https://www\.googleapis\.com/auth/)?[a-z_.-]+"
METADATA_KEY = r"[A-Za-z0-9_-]{1,128}"
# With OS Login nobody's, and a way in if that is ever off.
KEYS_OF_PERSONS = ("ssh-keys", "sshKeys")
LEAST_MEMORY_MB = 2048
SMALL = ("e2-micro", "f1-micro", "g1-small")


def problems(options: Options) -> list[str]:
    """Everything that is wrong with the options of a VM; empty when nothing is."""
    found = [*where(options), *_machine(options), *_identity(options), *_addresses(options), *_host_keys(options)]
    return [*found, *_metadata(options["metadata"] or {}), *_schedules(options)]


def where(options: Options) -> c.Iterator[str]:
    """What is wrong with project, region, zone and name."""
    yield from place(options)
    yield from named("", options)
    zone, region = options["zone"], options["region"]
    if not re.fullmatch(rf"{REGION}-[a-z]", zone):
        yield f"zone is {zone!r}: no zone is called so. Write one that `gcloud compute zones list` shows."
    elif zone[:-2] != region:
        yield f"zone is {zone!r}: it is one of {zone[:-2]}, and region is {region!r}. Make them fit."


def missing_addresses(options: Options, present: t.Container[str]) -> c.Iterator[str]:
    """Which addresses that the options name are not reserved."""
    for variable in ("network_ip", "external_address"):
        name = options[variable]
        if is_name(name) and name not in present:
            yield (
                f"{variable} is {name!r}: no such address is reserved in {options['region']}. Reserve it with "
                "gcp_network, or mend the name."
            )


def addresses(options: Options, present: t.Mapping[str, Body]) -> c.Iterator[str]:
    """Whether the reserved addresses that the options name are of the right type, and nobody else's."""
    ours = f"/zones/{options['zone']}/instances/{options['name']}"
    for variable, kind in (("network_ip", "INTERNAL"), ("external_address", "EXTERNAL")):
        name = options[variable]
        found = present.get(name)
        if found is None:
            continue
        if found["addressType"] != kind:
            yield f"{variable} is {name!r}: that address is {found['addressType']}. Name one that is {kind}."
        for user in found.get("users", []):
            if not user.endswith(ours):
                yield (
                    f"{variable} is {name!r}: {user.rpartition('/projects/')[2]} has it. Name one that is free, "
                    "or take it away there."
                )


def machine_type(name: str, zone: str, found: Body | None) -> c.Iterator[str]:
    """Whether a machine type is there, and large enough."""
    if found is None:
        yield (
            f"machine_type is {name!r}: {zone} has no such type. Choose one that `gcloud compute machine-types list "
            f"--zones {zone}` shows."
        )
    elif found["memoryMb"] < LEAST_MEMORY_MB:
        yield _too_small(name, f"{found['memoryMb']} MB")


def is_name(given: str | None) -> bool:
    """Whether an address is given by its name, and is no address itself."""
    return bool(given) and not str(given)[0].isdigit()


def _too_small(name: str, memory: str) -> str:
    return (
        f"machine_type is {name!r}: {memory} of memory, and a gateway with its Java takes up to 1.7 GB. Choose "
        "e2-small, or e2-medium for live."
    )


def _machine(options: Options) -> c.Iterator[str]:
    name, disk = options["machine_type"], options["disk"] or {}
    if name is not None and not re.fullmatch(MACHINE_TYPE, name):
        yield f"machine_type is {name!r}: no type is called so. Write it as e2-medium or e2-custom-2-4096."
    elif name in SMALL:
        yield _too_small(name, "less than 2 GB")
    if not re.fullmatch(IMAGE, options["image"]):
        yield (
            f"image is {options['image']!r}: write a family as debian-cloud/debian-12, or a path as "
            "projects/debian-cloud/global/images/family/debian-12."
        )
    yield from between("disk.size", disk.get("size"), 10, 65536)
    kind = disk.get("type")
    if kind is not None and not re.fullmatch(NAME, kind):
        yield f"disk.type is {kind!r}: no type is called so. Write it as pd-balanced."
    for variable, given in (("labels", options["labels"]), ("disk.labels", disk.get("labels"))):
        yield from labels(variable, given)
        for key in sorted({MARK_LABEL, MODE_LABEL} & set(given or {})):
            yield f"{variable} has {key!r}: the module sets that label by name and mode. Remove it."
    if options["stop_for_update"] and options["state"] == "present":
        yield (
            "stop_for_update is true and state is 'present': a run that is broken off after the stop would leave the "
            "VM stopped. Write state running or stopped."
        )


def _identity(options: Options) -> c.Iterator[str]:
    account = options["service_account"]
    if account and not re.fullmatch(ACCOUNT, account):
        yield (
            f"service_account is {account!r}: that is no e-mail address of an account. Write it as `gcloud iam "
            "service-accounts list` shows it."
        )
    for scope in options["scopes"] or []:
        if not re.fullmatch(SCOPE, scope):
            yield f"scopes has {scope!r}: write it as cloud-platform, or as https://www.googleapis.com/auth/cloud-platform."
    if options["scopes"] == []:
        yield "scopes is []: an account without scopes may do nothing. Clear service_account instead."
    for tag in options["tags"] or []:
        if not re.fullmatch(NAME, tag):
            yield f"tags has {tag!r}: Google wants lower case letters, digits and dashes, a letter first. Write it so."


def _addresses(options: Options) -> c.Iterator[str]:
    inside, outside, subnet = options["network_ip"], options["external_address"], options["subnet"]
    for variable, value in (("network_ip", inside), ("external_address", outside), ("subnet", subnet)):
        if value and not re.fullmatch(NAME, value) and not (variable == "network_ip" and _is_private(value)):
            rule = "an address in a private range, or the name of a reserved one" if value is inside else "a name"
            yield f"{variable} is {value!r}: it has to be {rule}. Write it so."


def _host_keys(options: Options) -> c.Iterator[str]:
    try:
        host_keys.parsed(options["host_keys"] or [])
    except GcpError as error:
        yield str(error)


def _is_private(value: str) -> bool:
    try:
        return ipaddress.IPv4Address(value).is_private
    except ValueError:
        return False


def _metadata(metadata: Options) -> c.Iterator[str]:
    for key, value in metadata.items():
        safe = {name.lower(): value for name, value in SAFE_METADATA.items()}.get(key.lower())
        if safe and text(value).upper() != safe:
            yield f"metadata.{key} is {value!r}: it is {safe} for every gateway, to keep strangers out. Remove it."
        elif key in KEYS_OF_PERSONS:
            yield (
                f"metadata has {key!r}: with OS Login it lets nobody in. Remove it, and give people the role "
                "compute.osAdminLogin."
            )
        elif not re.fullmatch(METADATA_KEY, key):
            yield f"metadata has {key!r}: Google wants at most 128 letters, digits, dashes and underscores. Write so."


def _schedules(options: Options) -> c.Iterator[str]:
    seconds = (options["scheduling"] or {}).get("max_run_duration")
    if seconds:
        yield from between("scheduling.max_run_duration", seconds, 30, 120 * 86400)
    snapshots = options["snapshots"] or {}
    time = snapshots.get("start_time")
    if time is not None and not re.fullmatch(r"([01]\d|2[0-3]):00", time):
        yield f"snapshots.start_time is {time!r}: Google begins at full hours, in UTC. Write it as '04:00'."
    yield from between("snapshots.every_days", snapshots.get("every_days"), 1, 365)
    yield from between("snapshots.keep_days", snapshots.get("keep_days"), 1, 65535)

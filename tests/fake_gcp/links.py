"""How resources name one another: `projects/...` inside, full URLs outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

HOST = "https://www.googleapis.com/compute/v1/"
# Fields that hold links to resources which have to exist, by collection; `[]` is each item of a list.
FIELDS = {
    "subnetworks": ("network",),
    "addresses": ("subnetwork", "network"),
    "routers": ("network", "nats[].natIps[]", "nats[].drainNatIps[]", "nats[].subnetworks[].name"),
    "firewalls": ("network",),
    "instances": ("networkInterfaces[].network", "networkInterfaces[].subnetwork", "disks[].source"),
    "disks": ("resourcePolicies[]",),
    "forwardingRules": ("network", "subnetwork"),
    "interconnectAttachments": ("router",),
    "networkEndpointGroups": ("network", "subnetwork"),
    "routes": ("network",),
    "targetVpnGateways": ("network",),
    "vpnGateways": ("network",),
    "vpnTunnels": ("router",),
}


def path(link: str, project: str) -> str:
    """`projects/...` of a full URL, of a path with or without the project."""
    found = re.sub(r"^https?://[^/]+/(?:compute/)?v1/", "", link).lstrip("/")
    return found if found.startswith("projects/") else f"projects/{project}/{found}"


def places(collection: str, body: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every link that a resource's body holds."""
    for field in FIELDS.get(collection, ()):
        yield from _walk(body, field.split("."))


def _walk(node: dict[str, Any], parts: list[str]) -> Iterator[tuple[Any, Any]]:
    name = parts[0].removesuffix("[]")
    if name not in node:
        return
    if not parts[0].endswith("[]"):
        yield node, name
    elif parts[1:]:
        for item in node[name]:
            yield from _walk(item, parts[1:])
    else:
        yield from ((node[name], index) for index in range(len(node[name])))


def targets(collection: str, body: dict[str, Any], project: str) -> set[str]:
    """The paths of the resources that a body refers to."""
    return {path(container[key], project) for container, key in places(collection, body)}


def expand(collection: str, body: dict[str, Any], project: str) -> None:
    """Write every link of a body as Google answers it: as a full URL."""
    for container, key in places(collection, body):
        container[key] = HOST + path(container[key], project)


def addresses(instance: dict[str, Any]) -> set[str]:
    """The addresses that a VM has."""
    interfaces = instance.get("networkInterfaces", [])
    configs = [config for interface in interfaces for config in interface.get("accessConfigs", [])]
    return {each["networkIP"] for each in interfaces} | {each["natIP"] for each in configs if "natIP" in each}

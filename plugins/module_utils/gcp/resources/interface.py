# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's network interface: subnet, internal address, and the access config that holds a public one."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized, last, link, without_none
from ..api.resource import Body, Call, Options
from ..rules import NAME, named
from .address import ADDRESS
from .subnet import SUBNET

# An ephemeral address, which the VM has until it stops.
EPHEMERAL = "ephemeral"
INTERFACE = {"network_interface": "nic0"}
_problem = table(
    {
        "gcp-internal-address": (
            "neither an address in a private range nor the name of a reserved one",
            "write one of the two",
        ),
        "gcp-external-address": ("not the name of a reserved address", "reserve one, and write its name"),
        "gcp-address-missing": (
            "no address of this name is reserved in {region}",
            "reserve it with gcp_network, or correct the name",
        ),
        "gcp-address-kind": ("this address is {found}", "name one that is {wanted}"),
        "gcp-address-used": ("{user} has this address", "name a free one, or release it there"),
        "gcp-vm-interfaces": (
            "the VM has {count} network interfaces, and nothing would manage more than one",
            "remove the VM (state: absent) and create it again, or choose another name",
        ),
        "gcp-vm-ipv6": (
            "interface {interface} of the VM has a public IPv6 address, which no option asks for",
            "run `gcloud compute instances network-interfaces update {name} --zone {zone} --project {project} "
            "--network-interface {interface} --stack-type IPV4_ONLY`",
        ),
    }
)


def normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    interface, config = _interface(body), _access_config(body)
    return {
        "subnetwork": link(interface.get("subnetwork", "")),
        "networkIP": interface.get("networkIP", ""),
        # A VM without a public address has an empty one.
        "natIP": config.get("natIP", EPHEMERAL) if config else "",
        "networkTier": config.get("networkTier", ""),
    }


def _interface(body: t.Mapping[str, t.Any]) -> Body:
    interfaces: list[Body] = body.get("networkInterfaces", [])
    return interfaces[0] if interfaces else {}


def _access_config(body: t.Mapping[str, t.Any]) -> Body:
    configs: list[Body] = _interface(body).get("accessConfigs", [])
    return configs[0] if configs else {}


def new(desired: Normalized) -> Body:
    """The interface of a new VM."""
    return {
        "subnetwork": desired["subnetwork"],
        "nicType": "GVNIC",
        "stackType": "IPV4_ONLY",
        **({"networkIP": desired["networkIP"]} if desired["networkIP"] else {}),
        **({"accessConfigs": [_access(desired)]} if desired["natIP"] else {}),
    }


def change(found: Body, desired: Normalized) -> c.Iterator[Call]:
    """Remove the public address and add the desired one: an access config's address cannot change."""
    lost = ""
    for config in found["networkInterfaces"][0].get("accessConfigs", []):
        yield Call("deleteAccessConfig", None, {**INTERFACE, "access_config": config["name"]})
        name, where = found["name"], f"--zone {last(found['zone'])} --project {link(found['selfLink']).split('/')[1]}"
        lost = (
            f"VM {name} has no public address: `gcloud compute instances add-access-config {name} {where} --address "
            f"{config.get('natIP', '')}` gives it the former one, if that is reserved."
        )
    if desired["natIP"]:
        yield Call("addAccessConfig", _access(desired), INTERFACE, lost, "deleteAccessConfig")


def _access(desired: Normalized) -> Body:
    return {
        "name": "External NAT",
        "type": "ONE_TO_ONE_NAT",
        "natIP": desired["natIP"],
        "networkTier": desired["networkTier"],
    }


def desired(options: Options, reserved: t.Mapping[str, Body]) -> Normalized:
    """The desired state of the options given. *reserved* are the existing addresses that they name."""
    nat_ip = _address(options, reserved, options["external_address"] or "")
    tier = reserved.get(options["external_address"] or "", {}).get("networkTier", "PREMIUM")
    inside, subnet = options["network_ip"], options["subnet"]
    return {
        **without_none(
            {
                "subnetwork": SUBNET.path(options, subnet) if subnet else None,
                "networkIP": _address(options, reserved, inside) if inside else None,
            }
        ),
        "natIP": nat_ip,
        "networkTier": tier if nat_ip else "",
    }


def _address(options: Options, reserved: t.Mapping[str, Body], given: str) -> str:
    """The reserved address's IP; its link if it does not exist yet, in check mode."""
    if not given or given[0].isdigit():
        return given
    return str(reserved[given]["address"]) if given in reserved else ADDRESS.path(options, given)


def problems(options: Options) -> c.Iterator[Problem]:
    """Validate subnet and addresses."""
    inside, outside = options["network_ip"], options["external_address"]
    if inside and not re.fullmatch(NAME, inside) and not _is_private(inside):
        yield _problem("gcp-internal-address", "network_ip", inside)
    if outside and not re.fullmatch(NAME, outside):
        yield _problem("gcp-external-address", "external_address", outside)
    if options["subnet"]:
        yield from named("subnet", options["subnet"])


def _is_private(value: str) -> bool:
    try:
        return ipaddress.IPv4Address(value).is_private
    except ValueError:
        return False


def is_name(given: str | None) -> bool:
    """Whether an address is given by its name."""
    return bool(given) and not str(given)[0].isdigit()


def missing_addresses(options: Options, present: t.Container[str]) -> c.Iterator[Problem]:
    """Refuse names of addresses that are not reserved."""
    for variable in ("network_ip", "external_address"):
        name = options[variable]
        if is_name(name) and name not in present:
            yield _problem("gcp-address-missing", variable, name, region=options["region"])


def addresses(options: Options, present: t.Mapping[str, Body]) -> c.Iterator[Problem]:
    """Refuse a reserved address that has the wrong type or is in use elsewhere."""
    ours = f"/zones/{options['zone']}/instances/{options['name']}"
    for variable, kind in (("network_ip", "INTERNAL"), ("external_address", "EXTERNAL")):
        name = options[variable]
        found = present.get(name)
        if found is None:
            continue
        if found["addressType"] != kind:
            yield _problem("gcp-address-kind", variable, name, found=found["addressType"], wanted=kind)
        for user in found.get("users", []):
            if not user.endswith(ours):
                yield _problem("gcp-address-used", variable, name, user=user.rpartition("/projects/")[2])


def impossible(options: Options, found: Body) -> c.Iterator[Problem]:
    """Refuse a VM whose network interfaces have features beyond the options."""
    name, existing = options["name"], found.get("networkInterfaces", [])
    if len(existing) > 1:
        yield _problem("gcp-vm-interfaces", "name", name, count=len(existing))
    for each in existing:
        if each.get("ipv6AccessConfigs"):
            place = {"zone": options["zone"], "project": options["project"]}
            yield _problem("gcp-vm-ipv6", "name", name, name=name, interface=each["name"], **place)

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of resources that there are, and the methods that change them."""

from __future__ import annotations

import dataclasses
import re

# What has no labels in GCE (networks, subnets, routers, rules, policies) says in its text that the collection made it.
MARK = "[ibops.gateway]"
# Everything else has labels; this one's value is the network, or the VM, that it is for.
MARK_LABEL = "ibops-gateway"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A collection of the API: its message, what a request calls the name, and what a resource of it is of.

    That is C(region), C(zone) or, for the project's, empty.
    """

    collection: str
    message: str
    key: str
    scope: str = ""

    @property
    def service(self) -> str:
        """The library's module."""
        return re.sub("([A-Z])", r"_\1", self.collection).lower()

    @property
    def client(self) -> str:
        return f"{self.collection[0].upper()}{self.collection[1:]}Client"

    def path(self, project: str, place: str, name: str) -> str:
        """How other resources refer to one of this kind; *place* is its region or zone."""
        where = f"{self.scope}s/{place}" if self.scope else "global"
        return f"projects/{project}/{where}/{self.collection}/{name}"


NETWORK = Kind("networks", "Network", "network")
SUBNET = Kind("subnetworks", "Subnetwork", "subnetwork", "region")
ADDRESS = Kind("addresses", "Address", "address", "region")
ROUTER = Kind("routers", "Router", "router", "region")
FIREWALL = Kind("firewalls", "Firewall", "firewall")
KINDS = (NETWORK, SUBNET, ADDRESS, ROUTER, FIREWALL)

INSTANCE = Kind("instances", "Instance", "instance", "zone")
DISK = Kind("disks", "Disk", "disk", "zone")
POLICY = Kind("resourcePolicies", "ResourcePolicy", "resource_policy", "region")
MACHINE_TYPE = Kind("machineTypes", "MachineType", "machine_type", "zone")
VM_KINDS = (INSTANCE, DISK, POLICY)


@dataclasses.dataclass(frozen=True)
class Verb:
    """How google-cloud-compute has a method: its function, the body's message, what the request calls the name.

    C({key}) and C({message}) are the kind's. Where *message* is empty there is no body.
    """

    function: str
    message: str = "{message}"
    key: str = "{key}"

    def field(self, kind: Kind) -> str:
        """The request's field for the body: the message's name, in small letters."""
        words = re.sub("(?<=[a-z])([A-Z])", r"_\1", self.message.format(message=kind.message))
        return f"{words.lower()}_resource"


VERBS = {
    "delete": Verb("delete_unary", ""),
    "insert": Verb("insert_unary", key=""),
    "patch": Verb("patch_unary"),
    "update": Verb("update_unary"),
    "addresses.setLabels": Verb("set_labels_unary", "RegionSetLabelsRequest", "resource"),
    "disks.addResourcePolicies": Verb("add_resource_policies_unary", "DisksAddResourcePoliciesRequest"),
    "disks.removeResourcePolicies": Verb("remove_resource_policies_unary", "DisksRemoveResourcePoliciesRequest"),
    "disks.resize": Verb("resize_unary", "DisksResizeRequest"),
    "disks.setLabels": Verb("set_labels_unary", "ZoneSetLabelsRequest", "resource"),
    "instances.addAccessConfig": Verb("add_access_config_unary", "AccessConfig"),
    "instances.deleteAccessConfig": Verb("delete_access_config_unary", ""),
    "instances.setDeletionProtection": Verb("set_deletion_protection_unary", "", "resource"),
    "instances.setDiskAutoDelete": Verb("set_disk_auto_delete_unary", ""),
    "instances.setLabels": Verb("set_labels_unary", "InstancesSetLabelsRequest"),
    "instances.setMachineType": Verb("set_machine_type_unary", "InstancesSetMachineTypeRequest"),
    "instances.setMetadata": Verb("set_metadata_unary", "Metadata"),
    "instances.setScheduling": Verb("set_scheduling_unary", "Scheduling"),
    "instances.setServiceAccount": Verb("set_service_account_unary", "InstancesSetServiceAccountRequest"),
    "instances.setTags": Verb("set_tags_unary", "Tags"),
    "instances.start": Verb("start_unary", ""),
    "instances.stop": Verb("stop_unary", ""),
    "instances.updateShieldedInstanceConfig": Verb("update_shielded_instance_config_unary", "ShieldedInstanceConfig"),
    "subnetworks.expandIpCidrRange": Verb("expand_ip_cidr_range_unary", "SubnetworksExpandIpCidrRangeRequest"),
    "subnetworks.setPrivateIpGoogleAccess": Verb(
        "set_private_ip_google_access_unary", "SubnetworksSetPrivateIpGoogleAccessRequest"
    ),
}


def verb(kind: Kind, name: str) -> Verb:
    """The method of a kind."""
    return VERBS.get(f"{kind.collection}.{name}") or VERBS[name]

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of resources that a network is made of, and the methods that change them."""

from __future__ import annotations

import dataclasses

# A network, a subnet, a router and a rule have no labels in GCE: those that the collection made say so in their text.
MARK = "[ibops.gateway]"
# Addresses have labels; this one's value is the network that they are for.
MARK_LABEL = "ibops-gateway"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A collection of the API: its message, what a request calls the name, and whether it is one region's."""

    collection: str
    message: str
    key: str
    regional: bool

    @property
    def client(self) -> str:
        return f"{self.collection.capitalize()}Client"

    def path(self, project: str, region: str, name: str) -> str:
        """How other resources refer to one of this kind."""
        place = f"regions/{region}" if self.regional else "global"
        return f"projects/{project}/{place}/{self.collection}/{name}"


NETWORK = Kind("networks", "Network", "network", False)
SUBNET = Kind("subnetworks", "Subnetwork", "subnetwork", True)
ADDRESS = Kind("addresses", "Address", "address", True)
ROUTER = Kind("routers", "Router", "router", True)
FIREWALL = Kind("firewalls", "Firewall", "firewall", False)
KINDS = (NETWORK, SUBNET, ADDRESS, ROUTER, FIREWALL)


@dataclasses.dataclass(frozen=True)
class Verb:
    """How google-cloud-compute has a method: its function, the request's field for the body, the body's message.

    C({key}) and C({message}) are the kind's.
    """

    function: str
    field: str = "{key}_resource"
    message: str = "{message}"
    key: str = "{key}"


VERBS = {
    "delete": Verb("delete_unary", field=""),
    "expandIpCidrRange": Verb(
        "expand_ip_cidr_range_unary",
        "subnetworks_expand_ip_cidr_range_request_resource",
        "SubnetworksExpandIpCidrRangeRequest",
    ),
    "insert": Verb("insert_unary", key=""),
    "patch": Verb("patch_unary"),
    "setLabels": Verb(
        "set_labels_unary", "region_set_labels_request_resource", "RegionSetLabelsRequest", key="resource"
    ),
    "setPrivateIpGoogleAccess": Verb(
        "set_private_ip_google_access_unary",
        "subnetworks_set_private_ip_google_access_request_resource",
        "SubnetworksSetPrivateIpGoogleAccessRequest",
    ),
    "update": Verb("update_unary"),
}

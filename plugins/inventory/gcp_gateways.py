# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: gcp_gateways
short_description: The gateways among a project's VMs, by their labels
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Lists the VMs of a project that have the labels asked for, in one request for all zones.
  - Hosts have the VMs' names. All are in group C(gateways), and in C(live) or C(paper) by a label.
  - Any file that names the plugin is read, whatever its name.
requirements:
  - google-cloud-compute >= 1.56
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: V(ibops.gateway.gcp_gateways).
    type: str
    required: true
    choices: [ibops.gateway.gcp_gateways]
  project:
    description: The id of the project.
    type: str
    required: true
    env: [{name: GCP_PROJECT}]
  labels:
    description:
      - The labels, and their values, of the VMs that are gateways.
      - At least one; without any, a playbook for gateways would reach every VM of the project.
    type: dict
    required: true
  mode_label:
    description: The label whose value, V(live) or V(paper), is the gateway's mode and its group.
    type: str
    default: ibgw-mode
  zones:
    description: Only VMs of these zones; of all when not given.
    type: list
    elements: str
  stopped:
    description: Whether VMs that do not run are listed too, for a playbook that starts them.
    type: bool
    default: false
  connect:
    description:
      - The way to a VM; V(internal) is its internal address, from within the VPC or over a VPN.
      - V(iap) is Google's identity-aware proxy, through the command C(gcloud) on the control node.
      - Either way the host's key is known as C(compute.ID), as gcloud knows it, so that a new VM of the same name or
        address is not a surprise.
    type: str
    default: internal
    choices: [internal, iap]
  known_hosts:
    description:
      - Folder of the pinned host keys, a known_hosts file for each VM, as M(ibops.gateway.gcp_vm) has it.
      - The keys of a VM that has no file there, runs, and has C(enable-guest-attributes=TRUE) are read from its guest
        attributes and pinned when the inventory is read. A file that is there is never replaced.
    type: path
    default: ~/.ibgw/known_hosts
  unknown_host_keys:
    description:
      - Behaviour for a VM whose keys are neither there nor in the user's own C(~/.ssh/known_hosts).
      - V(refuse) does not connect. V(accept_new) takes the key that answers first, and refuses another one later.
    type: str
    default: refuse
    choices: [refuse, accept_new]
  access_token:
    description:
      - An OAuth 2 access token.
      - Without it and O(credentials_file) the application default credentials are used.
    type: str
    env: [{name: GCP_ACCESS_TOKEN}]
  credentials_file:
    description: The JSON file of a service account's key.
    type: path
    env: [{name: GCP_SERVICE_ACCOUNT_FILE}]
  api_endpoint:
    description: Another address of the Compute Engine API, with C(/compute/v1/) at its end or without.
    type: str
    env: [{name: GCP_COMPUTE_ENDPOINT}]
  timeout:
    description: How long the listing may take, in seconds.
    type: float
    default: 60
notes:
  - A host has the variables C(gcp_project), C(gcp_zone), C(gcp_id), C(gcp_status) (for example C(RUNNING)),
    C(gcp_labels), C(gcp_machine_type), C(gcp_internal_address), C(gcp_external_address), which is empty without one,
    and C(gcp_guest_attributes), whether it may publish its host keys.
"""

EXAMPLES = r"""
# examples/gcp/gateways.yml
plugin: ibops.gateway.gcp_gateways
project: my-project
labels: {role: ib-gateway, env: prod}
connect: iap
# for playbooks that start VMs
stopped: true
keyed_groups:
  - {key: gcp_zone, prefix: zone}
"""

import concurrent.futures
import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import host_keys, instances
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import credentials
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.compute import Compute
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources.instance import INSTANCE, RUNNING, SETTLING

MODES = ("live", "paper")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "ibops.gateway.gcp_gateways"

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        key = self.get_cache_key(path)
        kept = self._cache.get(key) if cache and self.get_option("cache") else None
        try:
            found = self._list() if kept is None else kept
            wanted = self._checked(found)
            self._pin(wanted)
        except GcpError as error:
            raise AnsibleParserError(f"{path}: {error}") from error
        if self.get_option("cache"):
            self._cache[key] = found
        inventory.add_group("gateways")
        for group in MODES:
            inventory.add_group(group)
            inventory.add_child("gateways", group)
        for instance in wanted:
            self._add(instance)

    def _list(self) -> list[instances.Instance]:
        labels = self.get_option("labels")
        if not labels:
            raise GcpError("labels is empty: name at least one label that only gateways have, as in {role: ib-gateway}")
        return instances.labelled(
            self.get_option("project"),
            {str(key): str(value) for key, value in labels.items()},
            self._credentials,
            self.get_option("api_endpoint"),
            self.get_option("timeout"),
        )

    def _credentials(self) -> t.Any:
        return credentials.find(self.get_option("access_token"), self.get_option("credentials_file"))

    def _checked(self, found: list[instances.Instance]) -> list[instances.Instance]:
        """The VMs to list; GcpError for one whose mode or name is unclear."""
        label, zones, stopped = (self.get_option(name) for name in ("mode_label", "zones", "stopped"))
        wanted = [
            each
            for each in found
            if (zones is None or each["zone"] in zones)
            and (stopped or SETTLING.get(each["status"], each["status"]) == RUNNING)
        ]
        seen: dict[str, str] = {}
        for each in wanted:
            name, zone, mode = each["name"], each["zone"], each["labels"].get(label)
            if mode not in MODES:
                raise GcpError(
                    f"VM {name} in {zone} has label {label}={mode or ''}: want live or paper. Set it: gcloud compute "
                    f"instances update {name} --zone {zone} --update-labels {label}=paper"
                )
            if name in seen:
                raise GcpError(f"two VMs are called {name}, in {seen[name]} and {zone}: narrow zones or labels")
            seen[name] = zone
        return wanted

    def _pin(self, wanted: list[instances.Instance]) -> None:
        """Pin the host keys of VMs that are new to this control node; GcpError for one known by other keys."""
        folder = self.get_option("known_hosts")
        new = [
            each
            for each in wanted
            # A cache may be older than the field.
            if each.get("guest_attributes")
            and each["status"] == "RUNNING"
            and not host_keys.pinned(folder, host_keys.alias(each["id"]))
        ]
        zones = {each["zone"]: self._compute(each["zone"]) for each in new}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for each, keys in zip(new, pool.map(lambda vm: self._published(zones[vm["zone"]], vm), new), strict=True):
                if keys:
                    host_keys.pin(folder, host_keys.alias(each["id"]), keys)

    def _compute(self, zone: str) -> Compute:
        project, endpoint = self.get_option("project"), self.get_option("api_endpoint")
        return Compute(project, "", self._credentials, endpoint, self.get_option("timeout"), (INSTANCE,), zone)

    def _published(self, compute: Compute, vm: instances.Instance) -> list[host_keys.Key]:
        try:
            found = host_keys.published(compute, vm["name"], 0)
        except GcpError as error:
            self.display.warning(f"The host keys of {vm['name']} are not known: {error}")
            return []
        if not found:
            self.display.warning(host_keys.absent(vm))
        return found

    def _add(self, instance: instances.Instance) -> None:
        name = instance["name"]
        self.inventory.add_host(name, group=instance["labels"][self.get_option("mode_label")])
        variables = {f"gcp_{key}": value for key, value in instance.items() if key != "name"}
        variables |= {"gcp_project": self.get_option("project"), **self._way(instance)}
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)

    def _way(self, instance: instances.Instance) -> dict[str, str]:
        folder, unknown = self.get_option("known_hosts"), self.get_option("unknown_host_keys")
        arguments = host_keys.ssh_arguments(folder, instance["id"], unknown)
        if self.get_option("connect") == "internal":
            return {"ansible_host": instance["internal_address"], "ansible_ssh_common_args": arguments}
        tunnel = (
            f"gcloud compute start-iap-tunnel {instance['name']} %p --listen-on-stdin --verbosity=warning "
            f"--zone={instance['zone']} --project={self.get_option('project')}"
        )
        return {
            "ansible_host": instance["name"],
            "ansible_ssh_common_args": f"{arguments} -o ProxyCommand='{tunnel}'",
        }

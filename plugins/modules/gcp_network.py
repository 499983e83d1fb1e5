#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_network
short_description: Make a network of Google Cloud what one document says
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Brings a VPC network in custom mode with its subnets, static addresses, Cloud NAT and firewall rules to the state
    of one document, in one process. What does not wait for one another is done at the same time.
  - Comparison is exact both ways. A firewall rule with more sources than asked for is narrowed.
  - An option that is not given leaves alone what is there; an empty one clears it.
  - What the collection makes carries its mark, C([ibops.gateway]) at the end of the description, or the label
    C(ibops-gateway) with the network's name for an address. Nothing else is ever deleted.
  - What Google cannot change is an error that names the field, unless O(recreate) allows to recreate the resource.
  - What would be removed is looked at first. Where a VM, a forwarding rule, a peering, Cloud Run or a connector uses
    it, the module fails with their names, and nothing is touched. A public address goes last.
  - A run that was broken off at any point is completed by the next one.
extends_documentation_fragment:
  - ibops.gateway.gcp
  - ibops.gateway.gcp.region
  - ibops.gateway.gcp.compute
attributes:
  check_mode:
    description: Reads only, and reports what would change.
    support: full
  diff_mode:
    description: Shows the fields of what changes, in the API's words. The same in check mode.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  state:
    description:
      - V(present) makes the network as the document says.
      - V(absent) removes everything in the region that the collection has made for the network, and then the network,
        if the collection has made that. Of the other options only O(removed_before) is looked at.
    type: str
    choices: [absent, present]
    default: present
  recreate:
    description: Delete and recreate what differs in a field that Google cannot change, where it carries the mark.
    type: bool
    default: false
  removed_before:
    description:
      - VMs that another task removes before, as V(zones/ZONE/instances/NAME), for a prediction.
      - Only check mode looks at this. Otherwise a VM that is there keeps its network.
    type: list
    elements: str
    default: []
  run_endpoint:
    description: Another address of the Cloud Run API. Defaults to the environment's C(GCP_RUN_ENDPOINT).
    type: str
  vpcaccess_endpoint:
    description:
      - Another address of the API of Serverless VPC Access. Defaults to the environment's C(GCP_VPCACCESS_ENDPOINT).
    type: str
  network:
    description: The network.
    type: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      routing_mode:
        description: Whether routes are for one region or for all. A new network has V(REGIONAL).
        type: str
        choices: [GLOBAL, REGIONAL]
      mtu:
        description: The largest packet, in bytes.
        type: int
  subnets:
    description: Subnets of the region. One that is not listed is left alone.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      range:
        description: Its IPv4 range, private. It can be widened later, never narrowed.
        type: str
        required: true
      use:
        description:
          - What it is for, which decides how large it has to be.
          - V(cloud_run) is for Direct VPC egress and has to be /26 or larger, V(connector) for a Serverless VPC
            connector and has to be /28, V(gateway) is for machines.
        type: str
        choices: [cloud_run, connector, gateway]
      private_google_access:
        description: Whether machines without an external address reach Google's APIs. A new subnet has V(true).
        type: bool
      flow_logs:
        description: The log of its traffic. A new subnet has none.
        type: dict
        suboptions:
          enabled:
            description: Whether there is one.
            type: bool
          aggregation_interval:
            description: How much time one entry stands for.
            type: str
            choices:
              - INTERVAL_5_SEC
              - INTERVAL_30_SEC
              - INTERVAL_1_MIN
              - INTERVAL_5_MIN
              - INTERVAL_10_MIN
              - INTERVAL_15_MIN
          sampling:
            description: The share of the traffic that is looked at, from 0 to 1.
            type: float
          metadata:
            description: Whether entries say more than addresses and sizes.
            type: str
            choices: [EXCLUDE_ALL_METADATA, INCLUDE_ALL_METADATA]
  addresses:
    description: Static addresses of the region. One that is not listed is left alone.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      type:
        description: Whether it is one of the internet or one of a subnet. A new address is V(EXTERNAL).
        type: str
        choices: [EXTERNAL, INTERNAL]
      tier:
        description: The network tier of an external address. A new one has V(PREMIUM).
        type: str
        choices: [PREMIUM, STANDARD]
      subnet:
        description: The subnet of an internal address, by its name.
        type: str
      address:
        description: The address itself. Google chooses one if it is not given.
        type: str
      labels:
        description: Its labels, all of them but the collection's mark.
        type: dict
  router:
    description: The Cloud Router of the network, which carries its NATs.
    type: dict
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      nats:
        description:
          - Its NATs. Others are removed from a router that carries the mark, and kept on one that does not.
        type: list
        elements: dict
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          addresses:
            description:
              - The static addresses that it uses, by their names. With an empty list Google chooses addresses, as it
                does for a new NAT where this is not given.
            type: list
            elements: str
          draining:
            description:
              - Static addresses that it gives up. Connections over them last until they end, and no new one begins.
              - An address that is in neither list is taken away at once, with the gateway's session over it.
            type: list
            elements: str
          subnets:
            description: The subnets whose machines it is for, by their names.
            type: list
            elements: str
            required: true
          tcp_established_idle_timeout:
            description: After how many idle seconds a connection is forgotten. A new NAT has V(7200).
            type: int
          min_ports_per_vm:
            description: How many ports each machine has at least.
            type: int
          log:
            description: What it logs. A new NAT has V(errors).
            type: str
            choices: [all, errors, none, translations]
  firewalls:
    description:
      - The firewall rules of the network. Another one that carries the mark is removed, any other is left alone.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      description:
        description: Its purpose.
        type: str
      direction:
        description: Whether it is about what comes in or what goes out.
        type: str
        choices: [EGRESS, INGRESS]
        default: INGRESS
      action:
        description: The action on matching traffic.
        type: str
        choices: [allow, deny]
        default: allow
      priority:
        description: Its rank; the lowest number wins. A new rule has V(1000).
        type: int
      rules:
        description: The protocols and ports that it matches.
        type: list
        elements: dict
        required: true
        suboptions:
          protocol:
            description: V(tcp), V(udp), V(icmp), V(all) and so on, or a number.
            type: str
            required: true
          ports:
            description: Ports and ranges of ports, for example V(4001) or V(4000-4010); all of them without.
            type: list
            elements: str
      source_ranges:
        description:
          - Where traffic comes from. Required for a rule that lets something in.
          - Where it is given, sources of another kind that are not given are removed.
          - For ports V(4001) to V(4004), V(7496) to V(7499), V(3389) and V(5900) only private ranges, and
            never V(0.0.0.0/0). The clients of Cloud Run come from the range of its whole subnet.
        type: list
        elements: str
      source_tags:
        description:
          - Tags of the machines that traffic comes from. Refused for the gateway's ports; Cloud Run has none.
          - Where they are given, sources of another kind that are not given are removed.
        type: list
        elements: str
      destination_ranges:
        description: Where traffic goes to.
        type: list
        elements: str
      target_tags:
        description: Tags of the machines that it is for.
        type: list
        elements: str
      target_service_accounts:
        description: Service accounts of the machines that it is for; safer than tags.
        type: list
        elements: str
      log:
        description: Whether what it matches is logged. A new rule does.
        type: bool
      disabled:
        description: Whether it is out of force.
        type: bool
seealso:
  - module: ibops.gateway.gcp_network_info
"""

EXAMPLES = r"""
- name: A network where the gateway has one stable address, and only Cloud Run reaches its API
  ibops.gateway.gcp_network:
    project: my-project
    region: europe-west1
    network: {name: ibgw}
    subnets:
      - {name: ibgw-gateway, range: 10.10.0.0/28}
      - {name: ibgw-run, range: 10.10.1.0/26, use: cloud_run}
    addresses:
      - {name: ibgw-nat}
      - {name: ibgw-paper, type: INTERNAL, subnet: ibgw-gateway}
    router:
      name: ibgw
      nats:
        - {name: ibgw, addresses: [ibgw-nat], subnets: [ibgw-gateway]}
    firewalls:
      - name: ibgw-allow-iap-ssh
        rules: [{protocol: tcp, ports: ["22"]}]
        source_ranges: [35.235.240.0/20]
        target_tags: [ib-gateway]
      - name: ibgw-allow-api-paper
        rules: [{protocol: tcp, ports: ["4002"]}]
        source_ranges: [10.10.1.0/26]
        target_tags: [ib-gateway-paper]
      - name: ibgw-deny-ingress
        action: deny
        priority: 65534
        rules: [{protocol: all}]
        source_ranges: [0.0.0.0/0]

- name: Remove it again
  ibops.gateway.gcp_network:
    project: my-project
    region: europe-west1
    network: {name: ibgw}
    state: absent
"""

RETURN = r"""
actions:
  description: The calls that were made, in the order in which they were done; in check mode, those that would be.
  returned: always
  type: list
  elements: str
  sample: [firewalls.update ibgw-allow-api-paper]
kept:
  description: With O(state=absent), what belongs to the network and is left, as the collection has not made it.
  returned: success
  type: list
  elements: str
  sample: [addresses/nat]
resources:
  description:
    - C(network), and C(subnets), C(addresses), C(routers) and C(firewalls) by their names, as the API has them now.
    - In check mode, as they are before the change.
  returned: success
  type: dict
  sample: {network: {name: ibgw}, subnets: {}, addresses: {ibgw-nat: {address: 203.0.113.1}}}
unfinished:
  description:
    - The calls of which it is open what becomes of them, as no answer came or Google still goes on with them.
    - The message has the commands that show it.
  returned: on failure
  type: list
  elements: str
  sample: [instances.insert ibgw-paper]
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import network, rules
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import plan
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError

INTERVALS = ["INTERVAL_5_SEC", "INTERVAL_30_SEC", "INTERVAL_1_MIN", "INTERVAL_5_MIN", "INTERVAL_10_MIN"]
TEXT = {"type": "str"}
TEXTS = {"type": "list", "elements": "str"}
NAME = {"type": "str", "required": True}

NETWORK = {"name": NAME, "routing_mode": {"type": "str", "choices": ["GLOBAL", "REGIONAL"]}, "mtu": {"type": "int"}}
FLOW_LOGS = {
    "enabled": {"type": "bool"},
    "aggregation_interval": {"type": "str", "choices": [*INTERVALS, "INTERVAL_15_MIN"]},
    "sampling": {"type": "float"},
    "metadata": {"type": "str", "choices": ["EXCLUDE_ALL_METADATA", "INCLUDE_ALL_METADATA"]},
}
SUBNET = {
    "name": NAME,
    "range": NAME,
    "use": {"type": "str", "choices": ["cloud_run", "connector", "gateway"]},
    "private_google_access": {"type": "bool"},
    "flow_logs": {"type": "dict", "options": FLOW_LOGS},
}
ADDRESS = {
    "name": NAME,
    "type": {"type": "str", "choices": ["EXTERNAL", "INTERNAL"]},
    "tier": {"type": "str", "choices": ["PREMIUM", "STANDARD"]},
    "subnet": TEXT,
    "address": TEXT,
    "labels": {"type": "dict"},
}
NAT = {
    "name": NAME,
    "addresses": TEXTS,
    "draining": TEXTS,
    "subnets": {**TEXTS, "required": True},
    "tcp_established_idle_timeout": {"type": "int"},
    "min_ports_per_vm": {"type": "int"},
    "log": {"type": "str", "choices": ["all", "errors", "none", "translations"]},
}
ROUTER = {"name": NAME, "nats": {"type": "list", "elements": "dict", "options": NAT}}
RULE = {"protocol": NAME, "ports": TEXTS}
FIREWALL = {
    "name": NAME,
    "description": TEXT,
    "direction": {"type": "str", "choices": ["EGRESS", "INGRESS"], "default": "INGRESS"},
    "action": {"type": "str", "choices": ["allow", "deny"], "default": "allow"},
    "priority": {"type": "int"},
    "rules": {"type": "list", "elements": "dict", "required": True, "options": RULE},
    "source_ranges": TEXTS,
    "source_tags": TEXTS,
    "destination_ranges": TEXTS,
    "target_tags": TEXTS,
    "target_service_accounts": TEXTS,
    "log": {"type": "bool"},
    "disabled": {"type": "bool"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=_gcp.argument_spec(
            state={"type": "str", "choices": ["absent", "present"], "default": "present"},
            recreate={"type": "bool", "default": False},
            removed_before={"type": "list", "elements": "str", "default": []},
            run_endpoint={"type": "str", "fallback": (env_fallback, ["GCP_RUN_ENDPOINT"])},
            vpcaccess_endpoint={"type": "str", "fallback": (env_fallback, ["GCP_VPCACCESS_ENDPOINT"])},
            network={"type": "dict", "required": True, "options": NETWORK},
            subnets={"type": "list", "elements": "dict", "options": SUBNET},
            addresses={"type": "list", "elements": "dict", "options": ADDRESS},
            router={"type": "dict", "options": ROUTER},
            firewalls={"type": "list", "elements": "dict", "options": FIREWALL},
        ),
        supports_check_mode=True,
    )
    options, is_present = module.params, module.params["state"] == "present"
    if not module.check_mode:
        options["removed_before"] = []
    _gcp.refuse(module, network.problems(options) if is_present else rules.place(options))
    try:
        with _gcp.interruptible():
            compute = _gcp.connect(module, network.RESOURCES)
            found = network.Observed(compute, options["network"]["name"])
            changes, kept = (network.changes(options, found), []) if is_present else network.removal(options, found)
    except GcpError as error:
        module.fail_json(msg=f"{error} Nothing was changed.", actions=[], problems=_gcp.listed(error.problems))
    name = options["network"]["name"]

    def inspect() -> network.Observed:
        after = network.Observed(compute, name)
        network.check_done(options, after)
        return after

    actions, found = _gcp.carry_out(module, compute, changes, found, inspect)
    named = {each.key for each in network.desired(options)} if is_present else set()
    module.exit_json(
        changed=bool(actions),
        actions=actions,
        kept=kept,
        resources=found.report(named),
        diff=plan.diff(changes),
    )


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_vm
short_description: Make a gateway's VM in Google Cloud what its options say
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Brings one VM of Compute Engine with its disk and the schedule of its snapshots to the state of the options, in one
    process.
  - A new VM is a Shielded VM with OS Login, without a public address, without the project's SSH keys and without a
    serial console.
  - An option that is not given leaves alone what is there; an empty one clears it. A new VM has what each option says.
  - What the collection makes carries its label C(ibops-gateway), and a snapshot schedule, which has no labels, the mark
    C([ibops.gateway]) at the end of its description. Nothing else is ever deleted.
  - The VM has the labels that inventory P(ibops.gateway.gcp_gateways#inventory) looks for, C(role=ib-gateway) and
    C(ibgw-mode).
  - A VM that runs is stopped only by O(state=stopped), by O(state=absent), or where O(stop_for_update) or O(recreate)
    allows it.
  - What Google cannot change is an error that names the field, unless O(recreate) allows to recreate the VM.
  - A run that was broken off at any point is completed by the next one.
  - Before the first contact with a running VM, its SSH host keys are pinned on the control node, from the
    guest attributes that its agent publishes at the first boot. A new VM has C(enable-guest-attributes=TRUE) for that.
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
  name:
    description: The VM's name, which its disk and its snapshot schedule have too.
    type: str
    required: true
  zone:
    description: The zone that it is in, one of O(region).
    type: str
    required: true
  state:
    description:
      - V(running) and V(stopped) make it so. V(present) leaves a VM that is there as it is; a new one runs.
      - V(absent) removes the VM with its disk, and its snapshot schedule. The other options are not looked at.
    type: str
    choices: [absent, present, running, stopped]
    default: running
  recreate:
    description:
      - Delete and recreate, with an empty disk, a VM that differs in a field that Google cannot change, where it
        carries the collection's label.
    type: bool
    default: false
  stop_for_update:
    description:
      - Stop a running VM for a change that Google makes only while it is stopped, and start it again. That is one of
        O(machine_type), O(service_account), O(scopes), O(scheduling) and O(shielded).
      - Without it such a change is an error, since a live gateway that is stopped has to be signed in to again.
    type: bool
    default: false
  mode:
    description:
      - Which gateway it is for, or that it is a bastion; the value of label C(ibgw-mode). Required unless
        O(state=absent).
      - A bastion has the label C(role=ib-bastion), so that no inventory takes it for a gateway.
    type: str
    choices: [live, paper, bastion]
  machine_type:
    description:
      - Its machine type, with at least 2 GB of memory. A new VM has V(e2-medium).
      - It has to fit the image's processor and the type of the disk, which is looked at before the first write.
      - V(e2-small) does for one gateway with a swap file. What is smaller is refused.
    type: str
  image:
    description:
      - The image for the disk of a new VM. Existing VMs are never compared with it.
      - The family of a project, as V(debian-cloud/debian-12), or the path of an image or a family, as
        V(projects/debian-cloud/global/images/family/debian-12).
    type: str
    default: debian-cloud/debian-12
  disk:
    description: Its boot disk, which is deleted together with the VM.
    type: dict
    suboptions:
      size:
        description: Its size in GB, which can only grow. A new disk has V(20).
        type: int
      type:
        description: A new disk is V(pd-balanced), or V(hyperdisk-balanced) where O(machine_type) has only that.
        type: str
      labels:
        description: Its labels, all of them but the collection's.
        type: dict
      snapshot:
        description:
          - The snapshot that a new disk is made from instead of O(image), by its name. V(latest) is the newest of this
            VM's disk, and O(image) where there is none. C(sourceSnapshot) or C(sourceImage) of the resulting disk tells
            which it was.
          - An existing disk is never compared with it.
        type: str
  subnet:
    description: The subnet that it is in, by its name. Required for a new VM.
    type: str
  network_ip:
    description:
      - Its internal address, as the name of a reserved internal address of O(region) or as the address itself.
      - Google chooses one for a new VM if it is not given.
    type: str
  external_address:
    description:
      - Its public address, by the name of a reserved external address of O(region).
      - Without one the VM has no public address, and one that it has is taken away.
    type: str
    default: ""
  labels:
    description:
      - Its labels, all of them but those that the collection sets, which are C(ibops-gateway), C(ibgw-mode) and, if
        it is not given, C(role=ib-gateway) or C(role=ib-bastion).
    type: dict
  tags:
    description: The network tags by which firewall rules know it.
    type: list
    elements: str
  service_account:
    description: The e-mail address of the service account that its programs are, empty for none. A new VM has none.
    type: str
  scopes:
    description:
      - The upper limit of its programs' permissions. A new account has V(cloud-platform), which leaves it to IAM.
    type: list
    elements: str
  metadata:
    description:
      - Its metadata, all of it but the keys that keep it safe, which are C(enable-oslogin=TRUE),
        C(block-project-ssh-keys=TRUE) and C(serial-port-enable=FALSE).
      - Users who may view the VM can read it, so keep secrets out of it.
    type: dict
  shielded:
    description: The checks of a Shielded VM. They change only while the VM is stopped.
    type: dict
    suboptions:
      secure_boot:
        description: Boot only what is signed. A new VM does.
        type: bool
      vtpm:
        description: Have a virtual TPM. A new VM has.
        type: bool
      integrity_monitoring:
        description: Compare each boot with the first. A new VM does.
        type: bool
  scheduling:
    description: Google's own actions on the VM. They change only while the VM is stopped.
    type: dict
    suboptions:
      automatic_restart:
        description: Start it again after a failure of its host. A new VM has V(true).
        type: bool
      on_host_maintenance:
        description: The action during host maintenance. A new VM has V(MIGRATE), which it does not notice.
        type: str
        choices: [MIGRATE, TERMINATE]
      max_run_duration:
        description:
          - After how many seconds Google stops it, from each start on; V(0) for never, as for a new VM.
          - The safety net for a paper VM that a pipeline has forgotten.
        type: int
  deletion_protection:
    description: Whether Google refuses to delete it, by this module too. A new VM can be deleted.
    type: bool
  known_hosts:
    description:
      - Folder of the pinned host keys on the control node, a known_hosts file for each VM, named C(compute.ID).
      - A file that is there is never replaced. Keys that the VM adds or removes later, ssh takes over.
    type: path
    default: ~/.ibgw/known_hosts
  host_keys:
    description:
      - Host keys to pin instead of those that the VM publishes, as in its C(/etc/ssh/ssh_host_ed25519_key.pub).
      - Other ones than are pinned already are an error.
    type: list
    elements: str
    default: []
  host_keys_timeout:
    description: For how many seconds after its start the VM is given to publish its keys.
    type: float
    default: 180
  unknown_host_keys:
    description:
      - Behaviour where the VM has published no keys, because of an organization policy, an image without Google's
        guest agent, or because it was made without C(enable-guest-attributes).
      - V(refuse) is an error, unless the user's own C(~/.ssh/known_hosts) knows the VM. V(accept_new) takes the key
        that answers first, and refuses another one later.
    type: str
    choices: [refuse, accept_new]
    default: refuse
  snapshots:
    description: The schedule of its disk's snapshots. A new VM has none.
    type: dict
    suboptions:
      enabled:
        description: Whether there is one.
        type: bool
        default: true
      start_time:
        description: When a snapshot is begun, in UTC and at a full hour. A new schedule has V(04:00).
        type: str
      every_days:
        description: After how many days the next one is made. A new schedule has V(1).
        type: int
      keep_days:
        description: For how many days one is kept. A new schedule has V(14).
        type: int
      keep_after_disk:
        description:
          - Whether those of a disk that is deleted are kept without limit.
          - Without, as for a new schedule, for O(snapshots.keep_days).
        type: bool
seealso:
  - module: ibops.gateway.gcp_vm_info
  - module: ibops.gateway.gcp_network
  - plugin: ibops.gateway.gcp_gateways
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: The paper gateway's VM, with the internal address that the pipeline knows
  ibops.gateway.gcp_vm:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    name: ibgw-paper
    mode: paper
    machine_type: e2-small
    subnet: ibgw-gateway
    network_ip: ibgw-paper
    tags: [ib-gateway, ib-gateway-paper]
    service_account: gateway-vm@my-project.iam.gserviceaccount.com
    scheduling: {max_run_duration: 14400}
    snapshots: {keep_days: 7}

- name: Stop it, and leave everything else as it is
  ibops.gateway.gcp_vm:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    name: ibgw-paper
    mode: paper
    state: stopped

- name: Give it more memory, for which it is stopped and started
  ibops.gateway.gcp_vm:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    name: ibgw-paper
    mode: paper
    machine_type: e2-medium
    stop_for_update: true

- name: Remove it
  ibops.gateway.gcp_vm:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    name: ibgw-paper
    state: absent
"""

RETURN = r"""
actions:
  description: The calls that were made, in the order in which they were done; in check mode, those that would be.
  returned: always
  type: list
  elements: str
  sample: [instances.stop ibgw-paper]
kept:
  description: With O(state=absent), what belongs to the VM and is left, as the collection has not made it.
  returned: success
  type: list
  elements: str
  sample: [disks/ibgw-paper]
removed:
  description: What is deleted, as paths below the project; in check mode, what would be.
  returned: success
  type: list
  elements: str
  sample: [zones/europe-west1-b/instances/ibgw-paper]
pinned:
  description: Whether this run has pinned the VM's host keys.
  returned: success
  type: bool
ssh_arguments:
  description: Arguments for ssh that verify the VM by its pinned keys; empty without a VM.
  returned: success
  type: str
  sample: -o HostKeyAlias=compute.4000000001 -o StrictHostKeyChecking=yes
vm:
  description:
    - The VM in short, as the inventory has it; null when there is none. An address is empty where there is none.
    - In check mode, as it is before the change.
  returned: success
  type: dict
  sample:
    name: ibgw-paper
    id: "4000000001"
    zone: europe-west1-b
    status: RUNNING
    labels: {role: ib-gateway, ibgw-mode: paper, ibops-gateway: ibgw-paper}
    machine_type: e2-small
    internal_address: 10.10.0.2
    external_address: ""
    guest_attributes: true
resources:
  description:
    - C(instance), C(disk) and C(snapshots), as the API has them now, each null when there is none.
    - In check mode, as they are before the change.
  returned: success
  type: dict
  sample: {instance: {name: ibgw-paper}, disk: {name: ibgw-paper, sizeGb: "20"}, snapshots: null}
unfinished:
  description:
    - The calls of which it is open what becomes of them, as no answer came or Google still goes on with them.
    - The message has the commands that show it.
  returned: on failure
  type: list
  elements: str
  sample: [instances.insert ibgw-paper]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import host_keys, vm
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import plan
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import instance

NAME = {"type": "str", "required": True}
FLAG = {"type": "bool"}
TEXT = {"type": "str"}
TEXTS = {"type": "list", "elements": "str"}

OPTIONS: dict[str, dict[str, t.Any]] = {
    "name": NAME,
    "zone": NAME,
    "state": {"type": "str", "choices": ["absent", "present", "running", "stopped"], "default": "running"},
    "recreate": {"type": "bool", "default": False},
    "stop_for_update": {"type": "bool", "default": False},
    "mode": {"type": "str", "choices": ["live", "paper", "bastion"]},
    "machine_type": TEXT,
    "image": {"type": "str", "default": "debian-cloud/debian-12"},
    "disk": {
        "type": "dict",
        "options": {"size": {"type": "int"}, "type": TEXT, "labels": {"type": "dict"}, "snapshot": TEXT},
    },
    "subnet": TEXT,
    "network_ip": TEXT,
    "external_address": {"type": "str", "default": ""},
    "labels": {"type": "dict"},
    "tags": TEXTS,
    "service_account": TEXT,
    "scopes": TEXTS,
    "metadata": {"type": "dict"},
    "shielded": {
        "type": "dict",
        "options": {"secure_boot": FLAG, "vtpm": FLAG, "integrity_monitoring": FLAG},
    },
    "scheduling": {
        "type": "dict",
        "options": {
            "automatic_restart": FLAG,
            "on_host_maintenance": {"type": "str", "choices": ["MIGRATE", "TERMINATE"]},
            "max_run_duration": {"type": "int"},
        },
    },
    "deletion_protection": FLAG,
    "known_hosts": {"type": "path", "default": host_keys.FOLDER},
    "host_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "host_keys_timeout": {"type": "float", "default": 180},
    "unknown_host_keys": {
        "type": "str",
        "choices": [host_keys.REFUSE, host_keys.ACCEPT_NEW],
        "default": host_keys.REFUSE,
        "no_log": False,
    },
    "snapshots": {
        "type": "dict",
        "options": {
            "enabled": {"type": "bool", "default": True},
            "start_time": TEXT,
            "every_days": {"type": "int"},
            "keep_days": {"type": "int"},
            "keep_after_disk": FLAG,
        },
    },
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=_gcp.argument_spec(**OPTIONS),
        required_if=[("state", state, ["mode"]) for state in ("present", "running", "stopped")],
        supports_check_mode=True,
    )
    options, is_present = module.params, module.params["state"] != "absent"
    _gcp.refuse(module, vm.problems(options) if is_present else instance.where(options))
    warn = module.warn if module.check_mode else None
    try:
        with _gcp.interruptible():
            compute = _gcp.connect(module, vm.RESOURCES)
            found = vm.Observed(compute, options["name"])
            changes, kept = (vm.changes(options, found, warn), []) if is_present else vm.removal(found)
    except GcpError as error:
        module.fail_json(msg=f"{error} Nothing was changed.", actions=[], problems=_gcp.listed(error.problems))

    def inspect() -> vm.Observed:
        after = vm.Observed(compute, options["name"])
        vm.check_done(options, after)
        return after

    actions, found = _gcp.carry_out(module, compute, changes, found, inspect)
    pinned = False
    if is_present and not module.check_mode:
        try:
            with _gcp.interruptible():
                found = vm.settled(found)
                machine = found.short()
                if machine and machine["status"] == instance.RUNNING:
                    pinned = host_keys.ensure(compute, machine, options, module.warn)
        except GcpError as error:
            _gcp.fail(module, str(error), compute.client.journal, vm=found.short())
    module.exit_json(
        changed=bool(actions),
        actions=actions,
        kept=kept,
        removed=[change.path(compute.place) for change in changes if change.deletes and change.desired is None],
        pinned=pinned,
        ssh_arguments=_ssh_arguments(found.short(), options),
        vm=found.short(),
        resources=found.report(),
        diff=plan.diff(changes),
    )


def _ssh_arguments(machine: t.Mapping[str, t.Any] | None, options: t.Mapping[str, t.Any]) -> str:
    if machine is None:
        return ""
    return host_keys.ssh_arguments(options["known_hosts"], machine["id"], options["unknown_host_keys"])


if __name__ == "__main__":
    main()

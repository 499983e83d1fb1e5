# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's VM and what belongs to it: what is there, and what has to change."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import dataclasses
import typing as t

from . import plan, views, vm_rules, vm_views
from .compute import Compute
from .errors import GcpError
from .host_keys import SWITCH
from .instances import Instance
from .kinds import ADDRESS, DISK, INSTANCE, MACHINE_TYPE, POLICY, SUBNET, Kind
from .plan import Change
from .vm_wanted import NEW_MACHINE_TYPE, Wishes, check_removable
from .wanted import Options
from .ways import Body

KINDS = (INSTANCE, DISK, POLICY, ADDRESS, SUBNET, MACHINE_TYPE)


class Present:
    """What is there: the VM, its boot disk or one that is in a new one's way, and the schedule of its name."""

    def __init__(self, compute: Compute, name: str) -> None:
        self.compute, self.name = compute, name
        self.instance = compute.get(INSTANCE, name)
        source = vm_views.boot_disk(self.instance).get("source", name) if self.instance else name
        # The first call has fetched a token, which the others use.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            self.disk, self.policy = pool.map(compute.get, (DISK, POLICY), (vm_views.last(source), name))
        if self.disk and not self.instance:
            # Another run may have made both in between.
            self.instance = compute.get(INSTANCE, name)

    def report(self) -> dict[str, Body | None]:
        """Everything as the API has it."""
        return {"instance": self.instance, "disk": self.disk, "snapshots": self.policy}

    def short(self) -> Instance | None:
        """The VM as the inventory has it."""
        body = self.instance
        if body is None:
            return None
        view = vm_views.instance(body)
        return Instance(
            name=self.name,
            id=str(body["id"]),
            zone=vm_views.last(body["zone"]),
            status=body["status"],
            labels=view["labels"],
            machine_type=view["machineType"],
            internal_address=view["networkIP"],
            external_address=view["natIP"],
            guest_attributes=view["metadata"].get(SWITCH, "").upper() == "TRUE",
        )


def present(options: Options, found: Present, warn: c.Callable[[str], None] | None = None) -> list[Change]:
    """The changes that bring what is *found* to the options; GcpError with everything that is in the way.

    What the options refer to has to be there. In check mode it may come before the VM: *warn* is told that it is not.
    """
    named = sorted(name for name in (options["network_ip"], options["external_address"]) if vm_rules.is_name(name))
    addresses = {name: body for name in named if (body := found.compute.get(ADDRESS, name))}
    wrong = [*vm_rules.addresses(options, addresses), *_impossible(options, found)]
    for each in (*vm_rules.missing_addresses(options, addresses), *_missing_subnet(options, found)):
        (warn or wrong.append)(each)
    wishes = Wishes(options, addresses)
    if wrong:
        raise GcpError(" ".join(wrong))
    changes = [_policy(wishes, found), *_machine(wishes, found, options["recreate"])]
    return [change for change in changes if change]


def check_done(options: Options, found: Present) -> None:
    """GcpError when what Google has answered to be done is not."""
    left = [action for change in present(options, found) for action in change.actions]
    if left:
        raise GcpError(f"Google has answered that all is done, and a second look asks for {', '.join(left)}.")


def absent(found: Present) -> tuple[list[Change], list[str]]:
    """The changes that remove what the collection has made, and what is left, as C(disks/x)."""
    changes: list[Change] = []
    kept: list[tuple[Kind, Body]] = []
    disk_goes = False
    if found.instance and plan.is_marked(found.instance):
        before = vm_views.instance(found.instance)
        check_removable(found.name, before)
        changes.append(plan.removal(INSTANCE, found.instance, frozenset()))
        disk_goes = before["autoDelete"]
    elif found.instance:
        kept.append((INSTANCE, found.instance))
    if found.disk and disk_goes:
        # Together with the VM, without a call of its own.
        changes.append(dataclasses.replace(plan.removal(DISK, found.disk, frozenset()), calls=()))
    elif found.disk:
        kept.append((DISK, found.disk))
    if found.policy:
        used = found.disk and not disk_goes and _has_policy(found.disk, found.policy)
        if plan.is_marked(found.policy) and not used:
            changes.append(plan.removal(POLICY, found.policy, frozenset({(INSTANCE.collection, found.name)})))
        else:
            kept.append((POLICY, found.policy))
    return changes, [f"{kind.collection}/{body['name']}" for kind, body in kept]


def _has_policy(disk: Body, policy: Body) -> bool:
    return views.link(policy["selfLink"]) in vm_views.disk(disk)["resourcePolicies"]


def _policy(wishes: Wishes, found: Present) -> Change | None:
    """The change of the schedule; where there shall be none, it goes once nothing has it any more."""
    if wishes.wants_policy:
        return plan.change(wishes.policy(), found.policy, False)
    if wishes.options["snapshots"] is None or not found.policy or not plan.is_marked(found.policy):
        return None
    users = {(INSTANCE.collection, found.name), (DISK.collection, found.disk["name"] if found.disk else "")}
    return plan.removal(POLICY, found.policy, frozenset(users))


def _machine(wishes: Wishes, found: Present, recreate: bool) -> list[Change | None]:
    """The changes of the VM and its disk. A VM is made anew together with its disk, whichever of the two it is for."""
    instance = plan.change(wishes.instance(), found.instance, recreate)
    if found.instance is None or found.disk is None or _deletes(instance):
        return [instance]
    renews = recreate and plan.is_marked(found.instance)
    disk = plan.change(wishes.disk(found.disk["name"]), found.disk, renews)
    return [plan.renewal(wishes.instance(), found.instance)] if _deletes(disk) else [instance, disk]


def _deletes(change: Change | None) -> bool:
    return change is not None and any(call.verb == "delete" for call in change.calls)


def _impossible(options: Options, found: Present) -> t.Iterator[str]:
    """What keeps a new VM from being made, or one from having a new machine type."""
    present = found.instance and vm_views.instance(found.instance)
    name, zone = options["machine_type"] or NEW_MACHINE_TYPE, options["zone"]
    if not present or options["machine_type"] not in (None, present["machineType"]):
        yield from vm_rules.machine_type(name, zone, found.compute.get(MACHINE_TYPE, name))
    if present:
        return
    if found.disk:
        yield (
            f"name is {options['name']!r}: there is a disk of that name in {zone}, and no VM. Choose another name, or "
            f"delete it if nothing on it is needed: gcloud compute disks delete {options['name']} --zone {zone}"
        )
    if not options["subnet"]:
        yield f"subnet is {options['subnet']!r}: a new VM is in a subnet. Name one of {options['region']}."


def _missing_subnet(options: Options, found: Present) -> t.Iterator[str]:
    if not found.instance and options["subnet"] and not found.compute.get(SUBNET, options["subnet"]):
        yield (
            f"subnet is {options['subnet']!r}: there is no such subnet in {options['region']}. Make it with "
            "gcp_network, or mend the name."
        )

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's VM with its disk and the schedule of its snapshots: inspect it, and plan its changes or its removal."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import functools
import typing as t

from ..agent.problem import Problem, table
from . import users
from .api import plan
from .api.client import start
from .api.compute import Compute
from .api.errors import GcpError, RefusedError
from .api.normal import last, link
from .api.plan import Change
from .api.resource import Body, Options, Resource, is_marked
from .host_keys import SWITCH
from .instances import Instance
from .resources import disk, instance, interface, machine_type, recovery, snapshots
from .resources.address import ADDRESS
from .resources.disk import DISK
from .resources.instance import INSTANCE
from .resources.machine_type import MACHINE_TYPE
from .resources.snapshots import POLICY
from .resources.subnet import SUBNET

RESOURCES = (INSTANCE, DISK, POLICY, ADDRESS, SUBNET, MACHINE_TYPE)

# How often to inspect a VM that starts or stops.
SETTLE_SECONDS = 2.0
_problem = table(
    {
        "gcp-disk-exists": (
            "{zone} has a disk of this name, and no VM",
            "choose another name, or, if nothing on the disk is needed, run `gcloud compute disks delete {name} "
            "--zone {zone}`",
        ),
        "gcp-vm-subnet": ("a new VM needs a subnet", "name one in {region}"),
        "gcp-vm-subnet-missing": ("{region} has no such subnet", "create it with gcp_network, or correct the name"),
        "gcp-vm-disks": (
            "Google would delete disks with the VM that the collection has not made: {disks}",
            "keep such a disk with `{keeps}`, or delete it yourself",
        ),
    }
)


class Observed:
    """The VM, its boot disk or a disk already using that name, and the schedule with its name."""

    def __init__(self, compute: Compute, name: str) -> None:
        self.compute, self.name = compute, name
        self.instance = compute.get(INSTANCE, name)
        source = instance.boot_disk(self.instance).get("source", name) if self.instance else name
        # The first call has fetched a token, which the others use.
        wanted = ((DISK, last(source)), (POLICY, name))
        self.disk, self.policy = [
            future.result() for future in [start(functools.partial(compute.get, *each)) for each in wanted]
        ]
        if bool(self.disk) is not bool(self.instance):
            # Another run may have created or deleted both meanwhile.
            seen, self.instance = self.instance, compute.get(INSTANCE, name)
            if seen and not self.instance:
                raise GcpError(f"instances {name}: it was deleted while this run inspected it. Run again")

    def report(self) -> dict[str, Body | None]:
        """Everything in the API's form."""
        return {"instance": self.instance, "disk": self.disk, "snapshots": self.policy}

    def short(self) -> Instance | None:
        """The VM as the inventory shows it."""
        body = self.instance
        if body is None:
            return None
        found = instance.normalized(body)
        return Instance(
            name=self.name,
            id=str(body["id"]),
            zone=last(body["zone"]),
            status=body["status"],
            labels=found["labels"],
            machine_type=found["machineType"],
            internal_address=found["networkIP"],
            external_address=found["natIP"],
            guest_attributes=found["metadata"].get(SWITCH, "").upper() == "TRUE",
        )


def settled(found: Observed) -> Observed:
    """Wait until the VM has left a transitional state; GcpError at the deadline."""
    while found.instance and found.instance["status"] in instance.PASSING:
        status = found.instance["status"]
        found.compute.client.pause(SETTLE_SECONDS, f"instances {found.name}: it is still {status}")
        found = Observed(found.compute, found.name)
    return found


def problems(options: Options) -> list[Problem]:
    """Validate the options of gcp_vm; empty when nothing is wrong."""
    return [*instance.problems(options), *snapshots.problems(options["snapshots"] or {})]


def changes(options: Options, found: Observed, warn: c.Callable[[str], None] | None = None) -> list[Change]:
    """The changes from what is *found* to the options; RefusedError with everything that prevents them.

    Resources that the options refer to must exist. In check mode they may be missing so far: *warn* is called instead.
    """
    named = sorted(name for name in (options["network_ip"], options["external_address"]) if interface.is_name(name))
    reserved = {name: body for name in named if (body := found.compute.get(ADDRESS, name))}
    snapshot = _snapshot(options, found)
    wrong = [*interface.addresses(options, reserved), *_impossible(options, found, snapshot)]
    missing = [*interface.missing_addresses(options, reserved), *_missing_subnet(options, found)]
    if warn:
        for each in missing:
            warn(str(each))
    else:
        wrong += missing
    if wrong:
        raise RefusedError(wrong)
    planned = [_schedule(options, found), *_machine(options, reserved, found, snapshot)]
    made = [change for change in planned if change]
    _check_goes_alone(found, made)
    _check_schedule_unused(found, made)
    return made


def _check_schedule_unused(found: Observed, planned: c.Sequence[Change]) -> None:
    """RefusedError when another disk uses the schedule that the changes delete."""
    if not any(change.resource is POLICY and change.deletes for change in planned):
        return
    own = {link(found.disk["selfLink"])} if found.disk else set()
    uses = [
        (link(body["selfLink"]), {link(each) for each in body.get("resourcePolicies", [])})
        for body in found.compute.list_everywhere(DISK)
        if link(body["selfLink"]) not in own
    ]
    users.check_removable(planned, uses, found.compute.place)


def check_done(options: Options, found: Observed) -> None:
    """GcpError when what Google has answered to be done is not."""
    planned = removal(found)[0] if options["state"] == "absent" else changes(options, found)
    left = [action for change in planned for action in change.actions]
    if left:
        raise GcpError(f"Google has answered that all is done, and a second look asks for {', '.join(left)}.")


def removal(found: Observed) -> tuple[list[Change], list[str]]:
    """The changes that remove the resources created by the collection, and those kept, as C(disks/x)."""
    planned: list[Change] = []
    kept: list[tuple[Resource, Body]] = []
    disk_goes = False
    if found.instance and is_marked(found.instance):
        before = instance.normalized(found.instance)
        instance.check_removable(found.name, before)
        planned.append(plan.removal(INSTANCE, found.instance, frozenset()))
        disk_goes = before["autoDelete"]
    elif found.instance:
        kept.append((INSTANCE, found.instance))
    if found.disk and disk_goes:
        # Together with the VM, without a call of its own.
        planned.append(dataclasses.replace(plan.removal(DISK, found.disk, frozenset()), calls=()))
    elif found.disk:
        kept.append((DISK, found.disk))
    if found.policy:
        used = found.disk and not disk_goes and _has_policy(found.disk, found.policy)
        if is_marked(found.policy) and not used:
            planned.append(plan.removal(POLICY, found.policy, frozenset({(INSTANCE.collection, found.name)})))
        else:
            kept.append((POLICY, found.policy))
    _check_goes_alone(found, planned)
    _check_schedule_unused(found, planned)
    return planned, [f"{resource.collection}/{body['name']}" for resource, body in kept]


def _check_goes_alone(found: Observed, planned: c.Iterable[Change]) -> None:
    """RefusedError when Google would delete other disks together with the VM."""
    if not found.instance or not any(change.resource is INSTANCE and change.deletes for change in planned):
        return
    attached = [each for each in found.instance["disks"] if each.get("autoDelete") and each.get("source")]
    others = [last(each["source"]) for each in attached if not each.get("boot")]
    if others:
        where = "--zone {zone} --project {project}".format(**found.compute.place)
        keeps = (
            f"gcloud compute instances set-disk-auto-delete {found.name} --no-auto-delete --disk {others[0]} {where}"
        )
        raise RefusedError(
            [_problem("gcp-vm-disks", f"{INSTANCE.collection}/{found.name}", disks=", ".join(others), keeps=keeps)]
        )


def _has_policy(body: Body, policy: Body) -> bool:
    return link(policy["selfLink"]) in DISK.normalized(body)["resourcePolicies"]


def _schedule(options: Options, found: Observed) -> Change | None:
    """The change of the schedule. An unwanted one is removed once nothing uses it."""
    if snapshots.is_wanted(options):
        return plan.change(snapshots.desired(options), found.policy, False)
    if options["snapshots"] is None or not found.policy or not is_marked(found.policy):
        return None
    users = {(INSTANCE.collection, found.name), (DISK.collection, found.disk["name"] if found.disk else "")}
    return plan.removal(POLICY, found.policy, frozenset(users))


def _snapshot(options: Options, found: Observed) -> Body | None:
    """The snapshot that a new disk is made from."""
    if not recovery.wanted(options) or (found.instance and not options["recreate"]):
        return None
    return recovery.chosen(options, found.compute.fetch_global("snapshots"))


def _machine(
    options: Options, reserved: t.Mapping[str, Body], found: Observed, snapshot: Body | None
) -> list[Change | None]:
    """The changes of the VM and its disk. A VM is recreated together with its disk, whichever of the two it is for."""
    needs = frozenset({(POLICY.collection, options["name"])} if snapshots.is_wanted(options) else ())
    machine, recreate = instance.desired(options, reserved, needs, snapshot), options["recreate"]
    change = plan.change(machine, found.instance, recreate)
    if found.instance is None or found.disk is None or (change and change.deletes):
        return [change]
    recreates = recreate and is_marked(found.instance)
    disk_change = plan.change(disk.desired(options, found.disk["name"], needs), found.disk, recreates)
    if disk_change and disk_change.deletes:
        return [plan.recreation(machine, found.instance)]
    return [change, disk_change]


def _impossible(options: Options, found: Observed, snapshot: Body | None) -> t.Iterator[Problem]:
    """Refuse a VM that cannot be created, or a machine type that it cannot have."""
    existing = found.instance and instance.normalized(found.instance)
    name, zone = options["machine_type"] or instance.NEW_MACHINE_TYPE, options["zone"]
    if not existing or options["machine_type"] not in (None, existing["machineType"]):
        machine = found.compute.get(MACHINE_TYPE, name)
        yield from machine_type.impossible(name, zone, machine)
        yield from _unfit(options, found, name, machine, snapshot)
    if existing:
        yield from instance.interruptible(options, existing)
    if found.instance:
        yield from interface.impossible(options, found.instance)
        return
    if found.disk:
        yield _problem("gcp-disk-exists", "name", options["name"], zone=zone, name=options["name"])
    if recovery.wanted(options):
        yield from recovery.impossible(options, snapshot)
    if not options["subnet"]:
        yield _problem("gcp-vm-subnet", "subnet", region=options["region"])


def _unfit(
    options: Options, found: Observed, name: str, machine: Body | None, snapshot: Body | None
) -> t.Iterator[Problem]:
    """Refuse a machine type that cannot boot from the VM's present or future disk."""
    body = found.disk or {}
    given, before = (options["disk"] or {}).get("type"), last(body.get("type", ""))
    recreates = options["recreate"] and given not in (None, before)
    if found.instance and not recreates:
        what, kind = "its disk", before
    else:
        what, kind = f"image {options['image']!r}", given or machine_type.usual_disk(name)
        if snapshot:
            what, body = f"snapshot {snapshot['name']!r}", snapshot
        else:
            body = found.compute.image(instance.image(options["image"])) or {}
    yield from machine_type.unfit_disk(name, kind, what == "its disk")
    yield from machine_type.unfit_image(name, machine, what, body.get("architecture", ""))


def _missing_subnet(options: Options, found: Observed) -> t.Iterator[Problem]:
    if not found.instance and options["subnet"] and not found.compute.get(SUBNET, options["subnet"]):
        yield _problem("gcp-vm-subnet-missing", "subnet", options["subnet"], region=options["region"])

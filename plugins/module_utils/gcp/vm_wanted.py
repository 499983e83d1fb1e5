# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of a VM ask for, in the API's words: a Wish for its schedule, its disk and itself."""

from __future__ import annotations

import typing as t

from . import views
from .errors import GcpError
from .host_keys import SWITCH
from .kinds import ADDRESS, DISK, INSTANCE, MARK_LABEL, POLICY, SUBNET, Kind
from .plan import Change, Key, Wish, constant
from .vm_views import RUNNING, SHIELDS, TERMINATED
from .vm_ways import WHILE_STOPPED
from .wanted import Options, without_none

# What inventory gcp_gateways looks for.
MODE_LABEL = "ibgw-mode"
ROLE = {"role": "ib-gateway"}
SAFE_METADATA = {"enable-oslogin": "TRUE", "block-project-ssh-keys": "TRUE", "serial-port-enable": "FALSE"}
STATES = {"running": {"status": RUNNING}, "stopped": {"status": TERMINATED}}
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
NEW_DISK = {"diskSizeGb": 20, "diskType": "pd-balanced"}
NEW_MACHINE_TYPE = "e2-medium"
NEW_INSTANCE = {
    "machineType": NEW_MACHINE_TYPE,
    "status": RUNNING,
    "networkIP": "",
    "labels": {},
    "tags": [],
    "metadata": {},
    "serviceAccounts": [],
    "shieldedInstanceConfig": dict.fromkeys(SHIELDS, True),
    "scheduling": {
        "automaticRestart": True,
        "onHostMaintenance": "MIGRATE",
        "maxRunDuration": 0,
        "instanceTerminationAction": "",
    },
    "deletionProtection": False,
}
NEW_POLICY = {
    "startTime": "04:00",
    "daysInCycle": 1,
    "maxRetentionDays": 14,
    "onSourceDiskDelete": "APPLY_RETENTION_POLICY",
}

Addresses = t.Mapping[str, t.Mapping[str, t.Any]]


class Wishes:
    """The wishes of the options; *addresses* are the reserved ones that they name, as far as they are there."""

    def __init__(self, options: Options, addresses: Addresses) -> None:
        self.options, self.name, self._addresses = options, options["name"], addresses
        snapshots = options["snapshots"]
        self.wants_policy = bool(snapshots and snapshots["enabled"])
        self._needs: frozenset[Key] = frozenset({(POLICY.collection, self.name)} if self.wants_policy else ())

    def _path(self, kind: Kind, name: str) -> str:
        return kind.path(self.options["project"], self.options[kind.scope], name)

    @property
    def _policies(self) -> list[str]:
        return [self._path(POLICY, self.name)] if self.wants_policy else []

    def policy(self) -> Wish:
        snapshots = self.options["snapshots"]
        keep = {None: None, True: "KEEP_AUTO_SNAPSHOTS", False: "APPLY_RETENTION_POLICY"}
        given = without_none(
            {
                "startTime": snapshots["start_time"],
                "daysInCycle": snapshots["every_days"],
                "maxRetentionDays": snapshots["keep_days"],
                "onSourceDiskDelete": keep[snapshots["keep_after_disk"]],
            }
        )
        return Wish(POLICY, self.name, constant(given), NEW_POLICY)

    def disk(self, name: str) -> Wish:
        """That of the boot disk of a VM that is there."""
        options = self.options["disk"] or {}

        def given(before: views.View | None, marked: bool) -> views.View:
            found = without_none({"sizeGb": options.get("size"), "type": options.get("type")})
            if options.get("labels") is not None:
                found["labels"] = self._labels(options["labels"], marked)
            if self.options["snapshots"] is not None:
                found["resourcePolicies"] = self._policies
            return found

        return Wish(DISK, name, given, {}, self._needs)

    def instance(self) -> Wish:
        options = self.options
        nat_ip = self._address(options["external_address"] or "")
        tier = self._addresses.get(options["external_address"] or "", {}).get("networkTier", "PREMIUM")
        fixed = {
            **STATES.get(options["state"], {}),
            **without_none(
                {
                    "machineType": options["machine_type"],
                    "subnetwork": self._path(SUBNET, options["subnet"]) if options["subnet"] else None,
                    "networkIP": self._address(options["network_ip"]) if options["network_ip"] else None,
                    "tags": None if options["tags"] is None else sorted(set(options["tags"])),
                    "shieldedInstanceConfig": _shielded(options["shielded"]),
                    "scheduling": _scheduling(options["scheduling"]),
                    "deletionProtection": options["deletion_protection"],
                }
            ),
            "natIP": nat_ip,
            "networkTier": tier if nat_ip else "",
        }

        def given(before: views.View | None, marked: bool) -> views.View:
            found = {**fixed, "labels": self._instance_labels(before, marked), "metadata": self._metadata(before)}
            found |= self._service_account(before)
            return {**found, "autoDelete": True} if before and marked else found

        return Wish(INSTANCE, self.name, given, self._new(), self._needs, self._check)

    def _new(self) -> views.View:
        options = self.options
        disk = options["disk"] or {}
        disk_given = without_none({"diskSizeGb": disk.get("size"), "diskType": disk.get("type")})
        return {
            **NEW_INSTANCE,
            "zone": f"projects/{options['project']}/zones/{options['zone']}",
            "disk": {
                **NEW_DISK,
                **disk_given,
                "sourceImage": image(options["image"]),
                "labels": self._labels(disk.get("labels") or {}, True),
                "resourcePolicies": self._policies,
            },
        }

    def _address(self, given: str) -> str:
        """The address itself of a reserved one's name; where check mode has none yet, its link."""
        if not given or given[0].isdigit():
            return given
        found = self._addresses.get(given)
        return found["address"] if found else self._path(ADDRESS, given)

    def _labels(self, given: Options, marked: bool) -> dict[str, str]:
        return {**{key: str(value) for key, value in given.items()}, **({MARK_LABEL: self.name} if marked else {})}

    def _instance_labels(self, before: views.View | None, marked: bool) -> dict[str, str]:
        given = self.options["labels"]
        base = before["labels"] if before and given is None else given or {}
        return {**ROLE, **self._labels(base, marked), MODE_LABEL: self.options["mode"]}

    def _metadata(self, before: views.View | None) -> dict[str, str]:
        given = self.options["metadata"]
        # A VM that is there has published its host keys, or never will.
        switch = {SWITCH: before["metadata"][SWITCH]} if before and SWITCH in before["metadata"] else {}
        switch = switch if before else {SWITCH: "TRUE"}
        base = before["metadata"] if before and given is None else {**switch, **(given or {})}
        return {**{key: text(value) for key, value in base.items()}, **SAFE_METADATA}

    def _service_account(self, before: views.View | None) -> views.View:
        email, scopes = self.options["service_account"], self.options["scopes"]
        if email is None and scopes is None:
            return {}
        present = before["serviceAccounts"][0] if before and before["serviceAccounts"] else {}
        email = present.get("email", "") if email is None else email
        scopes = present.get("scopes", [CLOUD_PLATFORM]) if scopes is None else sorted({scope(each) for each in scopes})
        return {"serviceAccounts": [{"email": email, "scopes": scopes}] if email else []}

    def _check(self, change: Change) -> None:
        """Refuse to stop a VM that runs, or to delete one, where the options do not allow it."""
        verbs, before = [call.verb for call in change.calls], change.before or {}
        if "delete" in verbs:
            check_removable(self.name, before)
        wanted = change.wanted or {}
        if before and before["status"] not in (RUNNING, TERMINATED) and before["status"] != wanted["status"]:
            raise GcpError(
                f"instances {self.name}: it is {before['status']}, from which it is neither started nor stopped. "
                "Resume it, or wait for what happens to it, and run again."
            )
        if "stop" in verbs and before and self.options["state"] != "stopped" and not self.options["stop_for_update"]:
            fields = [name for name in sorted(WHILE_STOPPED) if before[name] != wanted[name]]
            details = ", ".join(f"{name} is {before[name]!r} and should be {wanted[name]!r}" for name in fields)
            raise GcpError(
                f"instances {self.name}: {details}. Google changes that only while the VM is stopped, and it runs: set "
                "`stop_for_update: true` to have it stopped and started again, or ask for what is there."
            )


def check_removable(name: str, before: views.View) -> None:
    """GcpError for a VM that Google would not delete, or not as a whole."""
    if before["deletionProtection"]:
        raise GcpError(
            f"instances {name}: it is protected against deletion. Run once with `deletion_protection: false` "
            "if it is to go."
        )


def image(given: str) -> str:
    """The path of an image from V(project/family), or from the path itself."""
    project, _slash, family = given.partition("/")
    return views.link(given) if "/" in family else f"projects/{project}/global/images/family/{family}"


def scope(given: str) -> str:
    """A scope as Google has it, of its last word."""
    return given if "/" in given else f"https://www.googleapis.com/auth/{given}"


def text(value: t.Any) -> str:
    """A value of the metadata: YAML's true and false as Google writes them."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def _shielded(options: Options | None) -> views.View | None:
    names = {
        "secure_boot": "enableSecureBoot",
        "vtpm": "enableVtpm",
        "integrity_monitoring": "enableIntegrityMonitoring",
    }
    return without_none({theirs: options[ours] for ours, theirs in names.items()}) if options else None


def _scheduling(options: Options | None) -> views.View | None:
    if options is None:
        return None
    seconds = options["max_run_duration"]
    return without_none(
        {
            "automaticRestart": options["automatic_restart"],
            "onHostMaintenance": options["on_host_maintenance"],
            "maxRunDuration": seconds,
            "instanceTerminationAction": None if seconds is None else "STOP" if seconds else "",
        }
    )

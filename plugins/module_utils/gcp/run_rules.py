# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a job of Cloud Run from being executed, or from reaching the gateway."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

from .cloud_run import last, running, told
from .rules import PRIVATE, place

Options = t.Mapping[str, t.Any]
Body = t.Mapping[str, t.Any]

JOB = r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?"
# https://cloud.google.com/run/quotas
TASKS, TASK_SECONDS = range(1, 10_001), range(1, 7 * 86_400 + 1)


def problems(options: Options) -> c.Iterator[str]:
    """Everything that is wrong with the options, one sentence each."""
    yield from place(options)
    if not re.fullmatch(JOB, options["job"]):
        yield (
            f"job is {options['job']!r}: a job's name has up to 49 of a-z, 0-9 and -, and begins with a letter. Write "
            "the name alone, as `gcloud run jobs list` shows it."
        )
    for name, allowed in (("task_count", TASKS), ("task_timeout", TASK_SECONDS)):
        if options[name] is not None and options[name] not in allowed:
            yield f"{name} is {options[name]}: Cloud Run takes {allowed[0]} to {allowed[-1]}."
    if options["timeout"] <= 0:
        yield f"timeout is {options['timeout']:g}: say for how many seconds the execution may run, more than 0."
    for name in options["env"] or {}:
        if not re.fullmatch(r"[^=\0]+", str(name)):
            yield f"env has {name!r}: a variable's name is not empty and has no =. Rename it."
    address = _address(options["gateway_address"])
    if address and (address.is_loopback or address.is_unspecified):
        yield (
            f"gateway_address is {options['gateway_address']!r}: no job reaches that. Offer the API at the "
            "VM's internal address (gateway_access: [vpc]), and name that."
        )


def obstacles(job: Body, options: Options) -> tuple[list[str], list[str]]:
    """What keeps the job from being executed now or from reaching the gateway, and what to look at besides."""
    task = job["template"]["template"]
    access = task.get("vpcAccess", {})
    interfaces = access.get("networkInterfaces", [])
    refused: list[str] = []
    warned: list[str] = []
    update = f"`gcloud run jobs update {options['job']} --region {options['region']} --project {options['project']}"
    ready = job.get("terminalCondition", {})
    if ready.get("state") == "CONDITION_FAILED":
        refused.append(f"job {options['job']} is not ready: {told(ready)} Mend it first.")
    if not interfaces and not access.get("connector"):
        found = (
            f"job {options['job']} has no way into a VPC (vpcAccess), so that it reaches no private address. "
            f"{update} --network NETWORK --subnet SUBNET --vpc-egress private-ranges-only` gives it one; the subnet is "
            "its own, /26 or larger."
        )
        (refused if options["gateway_address"] else warned).append(found)
    elif not _routed(access.get("egress", ""), options["gateway_address"]):
        refused.append(
            f"gateway_address is {options['gateway_address']!r}: the job's egress is private-ranges-only, which sends "
            f"no public address into the VPC. Name the VM's internal address, or {update} --vpc-egress all-traffic`."
        )
    if (busy := running(job)) and not options["allow_parallel"]:
        refused.append(
            f"job {options['job']}: execution {last(busy)} still runs. Wait for its end, cancel it, or set "
            "allow_parallel: true."
        )
    if any(each.get("tags") for each in interfaces):
        warned.append(
            f"job {options['job']} has network tags: they are for egress rules. A firewall rule that lets the job in "
            "names its subnet's range; one with source_tags never matches it."
        )
    if retries := task.get("maxRetries", 0):
        warned.append(
            f"job {options['job']} tries a failed task again, up to {retries} times: one that has sent orders may send "
            f"them again. {update} --max-retries 0` makes it one try."
        )
    return refused, warned


def summary(job: Body, options: Options) -> dict[str, t.Any]:
    """What an execution with the options would be."""
    template = job["template"]
    task = template["template"]
    containers = task["containers"]
    main = next((each for each in containers if each.get("name") == options["container"]), containers[0])
    access = task.get("vpcAccess", {})
    interface = (access.get("networkInterfaces") or [{}])[0]
    return {
        "image": main.get("image"),
        "args": main.get("args", []) if options["args"] is None else options["args"],
        "env": sorted({each["name"] for each in main.get("env", [])} | set(options["env"] or {})),
        "tasks": options["task_count"] or template.get("taskCount", 1),
        "task_timeout": f"{options['task_timeout']}s" if options["task_timeout"] else task.get("timeout"),
        "max_retries": task.get("maxRetries", 0),
        "service_account": task.get("serviceAccount"),
        "connector": access.get("connector"),
        "network": interface.get("network"),
        "subnet": interface.get("subnetwork"),
        "egress": access.get("egress"),
    }


def _address(value: str | None) -> ipaddress.IPv4Address | None:
    """A name is not looked up: its address is another one in the VPC."""
    try:
        return ipaddress.IPv4Address(value or "")
    except ValueError:
        return None


def _routed(egress: str, value: str | None) -> bool:
    address = _address(value)
    return address is None or egress == "ALL_TRAFFIC" or any(address in each for each in PRIVATE)

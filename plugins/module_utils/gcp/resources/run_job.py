# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Cloud Run job: validate its options, read it, execute it, follow the execution to its end, cancel it."""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import ipaddress
import re
import time
import typing as t

from ...agent.problem import Problem, table
from ..api.client import Api, Client
from ..api.errors import GcpError, InterruptedRunError, NoAnswerError, NotFoundError
from ..api.journal import State
from ..api.library import Body, load, message, plain
from ..api.normal import last
from ..api.resource import Options
from ..rules import PRIVATE, between, place

RUN = Api(
    "run.googleapis.com",
    "On the job, role run.viewer allows reading it and its executions, role run.jobsExecutor executing and cancelling, "
    "role run.jobsExecutorWithOverrides that with args, env, task_count or task_timeout as well.",
)
LIBRARY = "google.cloud.run_v2"
JOB = r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?"
# https://cloud.google.com/run/quotas
TASKS, TASK_SECONDS = range(1, 10_001), range(1, 7 * 86_400 + 1)
# An execution is inspected after this time, then each time after 1.5 times as long, up to the longest.
POLL_SECONDS, LONGEST_POLL_SECONDS = 2.0, 10.0
# How long a cancelled execution may take to end.
CANCEL_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Ended:
    """How an execution ended, or C(running); its last observed state; why it failed."""

    how: str
    body: Body
    reason: str = ""

    def counts(self) -> dict[str, int]:
        """How many tasks there were, and how they ended."""
        names = {"tasks": "task", "succeeded": "succeeded", "failed": "failed", "cancelled": "cancelled"}
        found = {name: int(self.body.get(f"{field}Count", 0)) for name, field in names.items()}
        return {**found, "retried": int(self.body.get("retriedCount", 0))}


class Job:
    """A job by its name. Every method raises GcpError."""

    def __init__(self, client: Client, region: str, name: str) -> None:
        self._client = client
        (self._library,) = load("google-cloud-run", LIBRARY)
        self._jobs, self._executions = map(client.build, (self._library.JobsClient, self._library.ExecutionsClient))
        self._place = f"projects/{client.project}/locations/{region}"
        self._short, self._region = name, region

    @property
    def name(self) -> str:
        return f"{self._place}/jobs/{self._short}"

    def read(self) -> Body:
        """The job in the API's own form; GcpError if it does not exist."""
        try:
            found = self._client.ask(
                f"jobs.get {self._short}",
                lambda timeout: self._client.whole(
                    self._jobs.get_job(request={"name": self.name}, timeout=timeout, retry=None)
                ),
            )
        except NotFoundError as error:
            where = f"--region {self._region} --project {self._client.project}"
            raise GcpError(
                f"job is {self._short!r}: {self._place} has no such job. `gcloud run jobs list {where}` shows those "
                "that there are."
            ) from error
        return plain(found)

    def start(self, before: Body, overrides: Body) -> tuple[str, bool]:
        """Execute the job, last read as *before*; return the execution's name, and whether the answer was lost.

        The request is sent once: sending it twice could start two executions. If its answer is lost, the job's newer
        execution is taken for this one.
        """
        request = message(self._library.RunJobRequest, {"name": self.name, "overrides": overrides})
        journal = self._client.journal
        entry = journal.send(f"jobs.run {self._short}")
        try:
            begun = self._client.ask(
                f"jobs.run {self._short}",
                lambda timeout: self._client.whole(
                    self._jobs.run_job(request=request, timeout=timeout, retry=None).metadata
                ),
                repeat=False,
            )
        except NotFoundError as error:
            journal.end(entry, State.REFUSED)
            raise GcpError(f"job {self._short!r} was deleted meanwhile.") from error
        except (NoAnswerError, InterruptedRunError) as error:
            seen = "The job has no new execution so far, but may still get one"
            try:
                newest = latest(self.read())
            except NoAnswerError:
                newest, seen = "", "Whether the job has a new execution is not known"
            if newest and newest != latest(before):
                journal.end(entry, State.DONE)
                if isinstance(error, NoAnswerError):
                    return newest, True
                seen = f"Execution {last(newest)} has begun, and goes on"
            raise GcpError(
                f"{error} {seen}: look at `gcloud run jobs executions list --job {self._short} --region "
                f"{self._region} --project {self._client.project}` before you run it again."
            ) from error
        except GcpError:
            journal.end(entry, State.REFUSED)
            raise
        journal.end(entry, State.DONE)
        return str(begun.name), False

    def follow(self, execution: str, seconds: float) -> Ended:
        """Wait for the end of an execution, *seconds* at most."""
        ends, pause = time.monotonic() + seconds, POLL_SECONDS
        seen: Body = {"name": execution}
        while True:
            # It keeps running without us: only the deadline ends this loop.
            with contextlib.suppress(NoAnswerError):
                seen = self._inspect(execution)
            if seen.get("completionTime"):
                return _judged(seen)
            left = ends - time.monotonic()
            if left <= 0:
                return Ended("running", seen)
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, LONGEST_POLL_SECONDS)

    def cancel(self, execution: str) -> Ended:
        """Cancel an execution and wait until it has ended, for a while."""
        entry = self._client.journal.send(f"executions.cancel {last(execution)}")
        try:
            self._client.ask(
                f"executions.cancel {last(execution)}",
                lambda timeout: self._executions.cancel_execution(
                    request={"name": execution}, timeout=timeout, retry=None
                ),
            )
        except InterruptedRunError:
            raise
        except GcpError as error:
            if not error.unknown:
                self._client.journal.end(entry, State.REFUSED)
            # It may just have ended by itself.
            if not self._inspect(execution).get("completionTime"):
                raise
        else:
            self._client.journal.end(entry, State.DONE)
        ended = self.follow(execution, CANCEL_SECONDS)
        return dataclasses.replace(ended, how="timed_out") if ended.how in ("cancelled", "running") else ended

    def _inspect(self, execution: str) -> Body:
        try:
            found = self._client.ask(
                f"executions.get {last(execution)}",
                lambda timeout: self._client.whole(
                    self._executions.get_execution(request={"name": execution}, timeout=timeout, retry=None)
                ),
            )
        except NotFoundError as error:
            raise GcpError(f"execution {last(execution)} is gone: somebody has deleted it while it ran.") from error
        return plain(found)


def latest(job: c.Mapping[str, t.Any]) -> str:
    """The name of a job's newest execution, empty when it has none."""
    return str(job.get("latestCreatedExecution", {}).get("name", ""))


def running(job: c.Mapping[str, t.Any]) -> str:
    """The name of a job's newest execution if it is still running."""
    status = job.get("latestCreatedExecution", {}).get("completionStatus")
    return latest(job) if status in ("EXECUTION_RUNNING", "EXECUTION_PENDING") else ""


def overrides(options: c.Mapping[str, t.Any]) -> Body:
    """Return the overrides for one execution in the API's form; empty if the options change nothing."""
    container: Body = {}
    if options["args"] is not None:
        container |= {"args": options["args"]} if options["args"] else {"clearArgs": True}
    if options["env"]:
        container["env"] = [{"name": name, "value": str(value)} for name, value in options["env"].items()]
    if container and options["container"]:
        container["name"] = options["container"]
    found: Body = {"containerOverrides": [container]} if container else {}
    if options["task_count"] is not None:
        found["taskCount"] = options["task_count"]
    if options["task_timeout"] is not None:
        found["timeout"] = f"{options['task_timeout']}s"
    return found


def _judged(execution: Body) -> Ended:
    completed: Body = next((each for each in execution.get("conditions", []) if each.get("type") == "Completed"), {})
    if completed.get("state") == "CONDITION_SUCCEEDED":
        return Ended("succeeded", execution)
    how = "cancelled" if completed.get("executionReason") == "CANCELLED" else "failed"
    return Ended(how, execution, told(completed))


def told(condition: c.Mapping[str, t.Any]) -> str:
    """The reason and the text of a condition."""
    reason = condition.get("executionReason") or condition.get("reason")
    return ": ".join(filter(None, (reason, condition.get("message"))))


_problem = table(
    {
        "gcp-run-job": (
            "not the name of a job, which has up to 49 of a-z, 0-9 and -, and begins with a letter",
            "write the name alone, as `gcloud run jobs list` shows it",
        ),
        "gcp-run-timeout": (
            "not a time in which an execution can end",
            "write a number of seconds that is more than 0",
        ),
        "gcp-run-env": ("the name of a variable is not empty and has no =", "rename it"),
        "gcp-run-loopback": (
            "no job reaches this address",
            "offer the API at the VM's internal address (gateway_access: [vpc]), and name that",
        ),
        "gcp-run-not-ready": ("the job is not ready: {why}", "repair the job first"),
        "gcp-run-no-vpc": (
            "the job has no access to a VPC (vpcAccess), so that it reaches no private address",
            "run `{update} --network NETWORK --subnet SUBNET --vpc-egress private-ranges-only` with a subnet for Cloud "
            "Run, /26 or larger",
        ),
        "gcp-run-egress": (
            "the job's egress is private-ranges-only, which sends no public address into the VPC",
            "name the VM's internal address, or run `{update} --vpc-egress all-traffic`",
        ),
        "gcp-run-busy": (
            "execution {execution} is still running",
            "wait for its end, cancel it, or set allow_parallel: true",
        ),
    }
)


def problems(options: Options) -> c.Iterator[Problem]:
    """Validate the options of a job's execution."""
    yield from place(options)
    if not re.fullmatch(JOB, options["job"]):
        yield _problem("gcp-run-job", "job", options["job"])
    for name, allowed in (("task_count", TASKS), ("task_timeout", TASK_SECONDS)):
        yield from between(name, options[name], allowed[0], allowed[-1])
    if options["timeout"] <= 0:
        yield _problem("gcp-run-timeout", "timeout", options["timeout"])
    for name in options["env"] or {}:
        if not re.fullmatch(r"[^=\0]+", str(name)):
            yield _problem("gcp-run-env", f"env.{name}")
    address = _address(options["gateway_address"])
    if address and (address.is_loopback or address.is_unspecified):
        yield _problem("gcp-run-loopback", "gateway_address", options["gateway_address"])


def obstacles(job: c.Mapping[str, t.Any], options: Options) -> tuple[list[Problem], list[str]]:
    """Return the obstacles to running the job or reaching the gateway, and the warnings."""
    task = job["template"]["template"]
    access = task.get("vpcAccess", {})
    interfaces = access.get("networkInterfaces", [])
    refused: list[Problem] = []
    warned: list[str] = []
    update = f"gcloud run jobs update {options['job']} --region {options['region']} --project {options['project']}"
    ready = job.get("terminalCondition", {})
    if ready.get("state") == "CONDITION_FAILED":
        refused.append(_problem("gcp-run-not-ready", "job", options["job"], why=told(ready).rstrip(".")))
    if not interfaces and not access.get("connector"):
        found = _problem("gcp-run-no-vpc", "job", options["job"], update=update)
        if options["gateway_address"]:
            refused.append(found)
        else:
            warned.append(str(found))
    elif not _routed(access.get("egress", ""), options["gateway_address"]):
        refused.append(_problem("gcp-run-egress", "gateway_address", options["gateway_address"], update=update))
    if (busy := running(job)) and not options["allow_parallel"]:
        refused.append(_problem("gcp-run-busy", "job", options["job"], execution=last(busy)))
    if any(each.get("tags") for each in interfaces):
        warned.append(
            f"job {options['job']} has network tags: they are for egress rules. A firewall rule that lets the job in "
            "names its subnet's range; one with source_tags never matches it."
        )
    if retries := task.get("maxRetries", 0):
        warned.append(
            f"job {options['job']} tries a failed task again, up to {retries} times: one that has sent orders may send "
            f"them again. `{update} --max-retries 0` makes it one try."
        )
    return refused, warned


def summary(job: c.Mapping[str, t.Any], options: Options) -> dict[str, t.Any]:
    """An execution with the options, in short."""
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
    """The address; None for a name, which is not resolved, since it may have another address in the VPC."""
    try:
        return ipaddress.IPv4Address(value or "")
    except ValueError:
        return None


def _routed(egress: str, value: str | None) -> bool:
    address = _address(value)
    return address is None or egress == "ALL_TRAFFIC" or any(address in each for each in PRIVATE)

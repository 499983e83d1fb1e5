# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job of Cloud Run: read it, execute it, follow the execution to its end, cancel it."""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import time
import typing as t

from .errors import GcpError
from .library import plain
from .service import Body, Connection, NoAnswerError, Service, message

RUN = Service(
    "run.googleapis.com",
    "google.cloud.run_v2",
    "google-cloud-run",
    "On the job, role run.viewer allows reading it and its executions, role run.jobsExecutor executing and cancelling, "
    "role run.jobsExecutorWithOverrides that with args, env, task_count or task_timeout as well.",
)
# An execution is looked at after this time, then after half as much again, up to the longest.
POLL_SECONDS, LONGEST_POLL_SECONDS = 2.0, 10.0
# How long a cancelled execution may take to end.
CANCEL_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Ended:
    """How an execution ended, or C(running); the execution as it was seen last; why it failed."""

    how: str
    body: Body
    reason: str = ""

    def counts(self) -> dict[str, int]:
        """How many tasks there were, and what became of them."""
        names = {"tasks": "task", "succeeded": "succeeded", "failed": "failed", "cancelled": "cancelled"}
        found = {name: int(self.body.get(f"{field}Count", 0)) for name, field in names.items()}
        return {**found, "retried": int(self.body.get("retriedCount", 0))}


class Job:
    """A job by its name. Every method raises GcpError."""

    def __init__(self, connection: Connection, region: str, name: str) -> None:
        self._connection = connection
        self._jobs, self._executions = connection.client("JobsClient"), connection.client("ExecutionsClient")
        self._place = f"projects/{connection.project}/locations/{region}"
        self._short, self._region = name, region

    @property
    def name(self) -> str:
        return f"{self._place}/jobs/{self._short}"

    def read(self) -> Body:
        """The job in the API's own form; GcpError when there is none."""
        found = self._connection.ask(
            f"jobs.get {self._short}", lambda **how: self._jobs.get_job(request={"name": self.name}, **how)
        )
        if found is None:
            where = f"--region {self._region} --project {self._connection.project}"
            raise GcpError(
                f"job is {self._short!r}: {self._place} has no such job. `gcloud run jobs list {where}` shows those "
                "that there are."
            )
        return plain(found)

    def start(self, before: Body, overrides: Body) -> tuple[str, bool]:
        """Execute the job, which was read as *before*; the execution's name, and whether the answer was lost.

        The request is sent once: twice could be two executions. Where its answer is lost, the execution that the job
        has since is taken for this one.
        """
        request = message(self._connection.types.RunJobRequest, {"name": self.name, "overrides": overrides})
        try:
            operation = self._connection.ask(
                f"jobs.run {self._short}", lambda **how: self._jobs.run_job(request=request, **how), repeat=False
            )
        except NoAnswerError as error:
            newest = latest(self.read())
            if newest and newest != latest(before):
                return newest, True
            raise GcpError(
                f"{error}. The job has no new execution so far, but may still get one: look at `gcloud run jobs "
                f"executions list --job {self._short} --region {self._region} --project {self._connection.project}` "
                "before you run it again."
            ) from error
        if operation is None:
            raise GcpError(f"job {self._short!r} was deleted meanwhile.")
        return str(operation.metadata.name), False

    def follow(self, execution: str, seconds: float) -> Ended:
        """Wait for the end of an execution, *seconds* at most."""
        ends, pause = time.monotonic() + seconds, POLL_SECONDS
        seen: Body = {"name": execution}
        while True:
            # It runs on, whoever looks: only the deadline ends this.
            with contextlib.suppress(NoAnswerError):
                seen = self._look(execution)
            if seen.get("completionTime"):
                return _judged(seen)
            left = ends - time.monotonic()
            if left <= 0:
                return Ended("running", seen)
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, LONGEST_POLL_SECONDS)

    def cancel(self, execution: str) -> Ended:
        """Cancel an execution and wait until it has ended, for a while."""
        try:
            self._connection.ask(
                f"executions.cancel {last(execution)}",
                lambda **how: self._executions.cancel_execution(request={"name": execution}, **how),
            )
        except GcpError:
            # What has ended by itself just now cannot be cancelled.
            if not self._look(execution).get("completionTime"):
                raise
        ended = self.follow(execution, CANCEL_SECONDS)
        return dataclasses.replace(ended, how="timed_out") if ended.how in ("cancelled", "running") else ended

    def _look(self, execution: str) -> Body:
        found = self._connection.ask(
            f"executions.get {last(execution)}",
            lambda **how: self._executions.get_execution(request={"name": execution}, **how),
        )
        if found is None:
            raise GcpError(f"execution {last(execution)} is gone: somebody has deleted it while it ran.")
        return plain(found)


def latest(job: c.Mapping[str, t.Any]) -> str:
    """The name of a job's newest execution, empty when it has none."""
    return str(job.get("latestCreatedExecution", {}).get("name", ""))


def running(job: c.Mapping[str, t.Any]) -> str:
    """The name of a job's newest execution if that has not ended."""
    status = job.get("latestCreatedExecution", {}).get("completionStatus")
    return latest(job) if status in ("EXECUTION_RUNNING", "EXECUTION_PENDING") else ""


def overrides(options: c.Mapping[str, t.Any]) -> Body:
    """What the options change for one execution, in the API's own form; empty when they change nothing."""
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


def last(name: str) -> str:
    """The short form of a name."""
    return name.rpartition("/")[2]

"""Cloud Run's jobs: `with FakeRun() as fake`. Executions run until told how they end, or end by themselves."""

from __future__ import annotations

import copy
import itertools
import re
import time
from dataclasses import dataclass
from typing import Any

from tests.fake_gcp.errors import ApiError, not_found
from tests.fake_gcp.platform import Asked, Body, FakePlatform

TYPES = "type.googleapis.com/google.cloud.run.v2."
STAMP = "2026-11-20T09:00:00.000000Z"
JOB_NAME = r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?"
MAX_TASKS, MAX_RETRIES, MAX_SECONDS = 10_000, 10, 7 * 86_400


@dataclass
class Execution:
    """An execution, and when it ends by itself (None: not before it is told)."""

    body: Body
    ends: float | None
    outcome: str

    @property
    def done(self) -> bool:
        return "completionTime" in self.body


@dataclass
class Operation:
    """A long-running operation: done at *due*, or with its execution."""

    name: str
    type: str
    target: str
    due: float
    execution: Execution | None = None
    error: Body | None = None


class FakeRun(FakePlatform):
    """Its *jobs*, *executions* and operations by name.

    New executions end after *execution_seconds* (None: when `end` says so) as *outcome* says: succeeded or failed.
    A cancelled one ends after *cancel_seconds*, any other operation after *operation_seconds*.
    """

    document = "run.v2"
    service = "run.googleapis.com"

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token, port)
        self.jobs: dict[str, Body] = {}
        self.executions: dict[str, Execution] = {}
        self.operations: dict[str, Operation] = {}
        self.execution_seconds: float | None = 0.0
        self.outcome = "succeeded"
        self.operation_seconds = self.cancel_seconds = 0.0
        self._numbers = itertools.count(1)
        self.services: list[Body] = []
        self.handlers = {
            "jobs.create": self._create,
            "jobs.delete": self._delete,
            "jobs.get": self._get,
            "jobs.list": lambda asked: {"jobs": [self._shown(name) for name in _below(self.jobs, asked.name)]},
            "services.list": lambda asked: {"services": copy.deepcopy(self.services)},
            "jobs.patch": self._patch,
            "jobs.run": self._run,
            "jobs.executions.cancel": self._cancel,
            "jobs.executions.get": lambda asked: copy.deepcopy(self._execution(asked.name).body),
            "jobs.executions.list": self._list_executions,
            "operations.get": lambda asked: self._operation_body(asked.name),
            "operations.wait": self._wait,
        }

    def end(self, outcome: str, name: str = "") -> None:
        """End an execution (the newest where none is named): succeeded, failed or cancelled."""
        with self._lock:
            self._end(self.executions[name or list(self.executions)[-1]], outcome)

    # Methods

    def _create(self, asked: Asked) -> Body:
        short = asked.query.get("jobId", "")
        if not re.fullmatch(JOB_NAME, short):
            raise ApiError(400, "badRequest", f"job_id: {short!r} is no name for a job.")
        name = f"{asked.name}/jobs/{short}"
        if name in self.jobs:
            raise ApiError(409, "alreadyExists", f"Resource '{short}' already exists.")
        body = _checked(asked.body)
        if asked.query.get("validateOnly") == "true":
            return self._started("Job", name)
        self.jobs[name] = body | {"name": name, "uid": f"uid-{short}", "generation": "1", "createTime": STAMP}
        return self._started("Job", name)

    def _get(self, asked: Asked) -> Body:
        self._settle()
        return self._shown(asked.name)

    def _patch(self, asked: Asked) -> Body:
        if asked.name not in self.jobs and asked.query.get("allowMissing") == "true":
            place, _, short = asked.name.rpartition("/jobs/")
            return self._create(Asked("jobs.create", place, {"jobId": short}, asked.body))
        before = self._job(asked.name)
        if asked.body.get("etag", _etag(before)) != _etag(before):
            raise ApiError(409, "aborted", "The etag is not that of the present job.")
        served = {key: before[key] for key in ("name", "uid", "createTime")}
        self.jobs[asked.name] = _checked(asked.body) | served | {"generation": str(int(before["generation"]) + 1)}
        return self._started("Job", asked.name)

    def _delete(self, asked: Asked) -> Body:
        self._job(asked.name)
        operation = self._started("Job", asked.name)
        del self.jobs[asked.name]
        return operation

    def _run(self, asked: Asked) -> Body:
        job = self._job(asked.name)
        template = copy.deepcopy(job["template"])
        task = template["template"]
        overrides = asked.body.get("overrides", {})
        for override in overrides.get("containerOverrides", []):
            _override(task["containers"], override)
        if "timeout" in overrides:
            task["timeout"] = overrides["timeout"]
        tasks = overrides.get("taskCount", template["taskCount"])
        _limit("task_count", tasks, 1, MAX_TASKS)
        name = f"{asked.name}/executions/{asked.name.split('/')[-1]}-{next(self._numbers):05}"
        ends = None if self.execution_seconds is None else time.monotonic() + self.execution_seconds
        log = f"https://console.cloud.google.com/logs/viewer?execution={name.split('/')[-1]}"
        body = {"name": name, "job": asked.name, "taskCount": tasks, "template": task, "createTime": STAMP}
        body |= {"runningCount": tasks, "startTime": STAMP, "logUri": log}
        execution = self.executions[name] = Execution(body, ends, self.outcome)
        return self._started("Execution", name, execution)

    def _cancel(self, asked: Asked) -> Body:
        execution = self._execution(asked.name)
        if execution.done:
            raise ApiError(400, "failedPrecondition", "The execution has completed.")
        execution.ends, execution.outcome = time.monotonic() + self.cancel_seconds, "cancelled"
        return self._started("Execution", asked.name, execution)

    def _list_executions(self, asked: Asked) -> Body:
        self._settle()
        names = _below(self.executions, asked.name)
        return {"executions": [copy.deepcopy(self.executions[name].body) for name in reversed(names)]}

    # Resources

    def _job(self, name: str) -> Body:
        if name not in self.jobs:
            raise not_found(name)
        return self.jobs[name]

    def _shown(self, name: str) -> Body:
        body = copy.deepcopy(self._job(name))
        found = [self.executions[each] for each in _below(self.executions, name)]
        body |= {"etag": _etag(body), "executionCount": len(found), "observedGeneration": body["generation"]}
        body.setdefault("terminalCondition", {"type": "Ready", "state": "CONDITION_SUCCEEDED"})
        if found:
            newest = found[-1]
            status = f"EXECUTION_{newest.outcome if newest.done else 'running'}".upper()
            body["latestCreatedExecution"] = {"name": newest.body["name"], "completionStatus": status}
        return body

    def _execution(self, name: str) -> Execution:
        self._settle()
        if name not in self.executions:
            raise not_found(name)
        return self.executions[name]

    def _settle(self) -> None:
        for execution in self.executions.values():
            if execution.ends is not None and time.monotonic() >= execution.ends:
                self._end(execution, execution.outcome)

    def _end(self, execution: Execution, outcome: str) -> None:
        if execution.done:
            return
        tasks = execution.body.pop("runningCount")
        counted = {"succeeded": "succeededCount", "failed": "failedCount", "cancelled": "cancelledCount"}[outcome]
        condition: Body = {"type": "Completed", "state": "CONDITION_SUCCEEDED"}
        if outcome == "failed":
            reason, text = "NON_ZERO_EXIT_CODE", "Task demo-task0 failed with message: The container exited with 1."
            condition |= {"state": "CONDITION_FAILED", "executionReason": reason, "message": text}
        elif outcome == "cancelled":
            text = "Execution was cancelled."
            condition |= {"state": "CONDITION_FAILED", "executionReason": "CANCELLED", "message": text}
        execution.body |= {counted: tasks, "completionTime": STAMP, "conditions": [condition]}
        execution.outcome = outcome

    # Operations

    def _started(self, kind: str, target: str, execution: Execution | None = None) -> Body:
        place = "/".join(target.split("/")[:4])
        name = f"{place}/operations/op-{next(self._numbers)}"
        due = time.monotonic() + self.operation_seconds
        self.operations[name] = Operation(name, kind, target, due, execution)
        return self._operation_body(name)

    def _operation_body(self, name: str) -> Body:
        self._settle()
        if name not in self.operations:
            raise not_found(name)
        operation = self.operations[name]
        execution = operation.execution
        shown = copy.deepcopy(execution.body) if execution else {"name": operation.target}
        shown = {"@type": TYPES + operation.type, **shown}
        body: Body = {"name": name, "metadata": shown}
        if not (execution.done if execution else time.monotonic() >= operation.due):
            return body
        if execution and execution.outcome == "failed":
            return body | {"done": True, "error": {"code": 10, "message": "The execution failed."}}
        return body | {"done": True, "response": shown}

    def _wait(self, asked: Asked) -> Body:
        # Google's wait may end before the operation does: here it does so at once.
        return self._operation_body(asked.name)


def _below(names: Any, parent: str) -> list[str]:
    return [name for name in names if name.startswith(parent + "/")]


def _etag(body: Body) -> str:
    return f'"{body["uid"]}-{body["generation"]}"'


def _limit(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ApiError(400, "badRequest", f"{field}: {value} is not from {least} to {most}.")


def _checked(given: Body) -> Body:
    """A job's body with Google's defaults; ApiError for what Google does not take."""
    body = copy.deepcopy(given)
    template = body.get("template", {})
    task = template.get("template", {})
    if len(task.get("containers", [])) < 1 or not all(each.get("image") for each in task["containers"]):
        raise ApiError(400, "badRequest", "template.template.containers: a container with an image is required.")
    access = task.get("vpcAccess", {})
    interfaces = access.get("networkInterfaces", [])
    if access and bool(interfaces) == bool(access.get("connector")):
        raise ApiError(400, "badRequest", "vpc_access: either a connector or network_interfaces has to be set.")
    if len(interfaces) > 1 or not all(each.get("network") or each.get("subnetwork") for each in interfaces):
        raise ApiError(400, "badRequest", "vpc_access.network_interfaces: one, with a network or a subnetwork.")
    task.setdefault("maxRetries", 3)
    task.setdefault("timeout", "600s")
    _limit("max_retries", task["maxRetries"], 0, MAX_RETRIES)
    _limit("timeout", int(float(task["timeout"].removesuffix("s"))), 1, MAX_SECONDS)
    _limit("task_count", template.setdefault("taskCount", 1), 1, MAX_TASKS)
    return body


def _override(containers: list[Body], override: Body) -> None:
    names = [each.get("name", "") for each in containers]
    wanted = override.get("name", "") or names[0]
    if wanted not in names:
        raise ApiError(400, "badRequest", f"container_overrides: the job has no container {wanted!r}.")
    container = containers[names.index(wanted)]
    if "args" in override or override.get("clearArgs"):
        container["args"] = override.get("args", [])
    kept = {each["name"]: each for each in container.get("env", [])}
    kept |= {each["name"]: each for each in override.get("env", [])}
    if kept:
        container["env"] = list(kept.values())

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of Cloud Scheduler that start and stop one VM: as they are, as they should be, and the way there."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re
import typing as t

from .errors import GcpError
from .kinds import MARK
from .library import plain
from .service import Body, Connection, Service, message

SCHEDULER = Service(
    "cloudscheduler.googleapis.com",
    "google.cloud.scheduler_v1",
    "google-cloud-scheduler",
    "Role cloudscheduler.admin allows it, with role iam.serviceAccountUser on the account that the jobs run as.",
)
SCOPE = "https://www.googleapis.com/auth/compute"
# What a job's caller writes, in the order of the API; the state has verbs of its own.
FIELDS = ("description", "schedule", "timeZone", "httpTarget", "retryConfig", "attemptDeadline")
INSTANCE = re.compile(r"^https://compute\.googleapis\.com/compute/v1/projects/.+/instances/([^/]+)/(?:start|stop)$")

Options = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """The verbs that take a job from one view to another; None stands for a job that is not there."""

    name: str
    verbs: tuple[str, ...]
    before: Body | None
    after: Body | None

    @property
    def actions(self) -> list[str]:
        return [f"jobs.{verb} {self.name}" for verb in self.verbs]


class Jobs:
    """The jobs of one region. Every method raises GcpError."""

    def __init__(self, connection: Connection, region: str) -> None:
        self._connection, self._types = connection, connection.types
        self._client = connection.client("CloudSchedulerClient")
        self._parent = f"projects/{connection.project}/locations/{region}"

    def read(self) -> dict[str, Body]:
        """The region's jobs by their short names, in the API's own form."""
        request = {"parent": self._parent, "page_size": 500}
        found = self._connection.ask(
            "jobs.list", lambda **how: [plain(each) for each in self._client.list_jobs(request=request, **how)]
        )
        return {body["name"].rpartition("/")[2]: body for body in found or []}

    def carry_out(self, change: Change, verb: str) -> None:
        name = f"{self._parent}/jobs/{change.name}"
        body = {"name": name, **{field: (change.after or {})[field] for field in FIELDS if change.after}}
        request: Body = {"name": name}
        if verb == "create":
            request = {"parent": self._parent, "job": message(self._types.Job, body)}
        elif verb == "patch":
            request = {"job": message(self._types.Job, body), "update_mask": {"paths": _paths(change)}}
        call = getattr(self._client, {"patch": "update_job"}.get(verb, f"{verb}_job"))
        what = f"jobs.{verb} {change.name}"
        try:
            done = self._connection.ask(what, lambda **how: call(request=request, **how) or True)
        except GcpError:
            # Where an answer was lost on its way, the second try is refused, as it was done by the first.
            if not self._is_done(change, verb):
                raise
        else:
            if done is None and verb != "delete":
                raise GcpError(f"{what}: the job was deleted meanwhile. Run again.")

    def _is_done(self, change: Change, verb: str) -> bool:
        found, after = self.read().get(change.name), change.after
        if found is None or after is None:
            return False
        fields = FIELDS if verb in ("create", "patch") else ("state",)
        return all(view(found).get(field) == after[field] for field in fields)


def _paths(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    differing = (field for field in FIELDS if before.get(field) != after[field])
    return [re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", field) for field in differing]


def changes(options: Options, found: c.Mapping[str, Body]) -> list[Change]:
    """What brings the jobs that are *found* to the options; GcpError for a name that somebody else has taken."""
    wanted = {job["name"]: job for job in options["jobs"] or []}
    _check_free(options, {name: found[name] for name in wanted if name in found})
    result = [_change(name, _view(options, job), job["paused"], found.get(name)) for name, job in wanted.items()]
    result += [
        Change(name, ("delete",), view(body), None)
        for name, body in sorted(found.items())
        if name not in wanted and _is_marked(body) and _instance(body) == options["instance"]
    ]
    return [change for change in result if change.verbs]


def view(body: Body) -> Body:
    """A job of the API in the form in which two are compared."""
    target = dict(body.get("httpTarget", {}))
    # Google adds its own.
    headers = {name: value for name, value in target.pop("headers", {}).items() if name.lower() != "user-agent"}
    target |= {"headers": headers} if headers else {}
    found = {field: body[field] for field in FIELDS if field in body}
    # The library leaves out what is 0.
    retry = {"retryCount": 0, "maxDoublings": 0, **body.get("retryConfig", {})}
    return {**found, "httpTarget": target, "retryConfig": retry, "state": body.get("state", "ENABLED")}


def uri(options: Options, action: str) -> str:
    """What a job calls to start or stop the VM."""
    place = f"projects/{options['project']}/zones/{options['zone']}"
    return f"https://compute.googleapis.com/compute/v1/{place}/instances/{options['instance']}/{action}"


def _check_free(options: Options, found: c.Mapping[str, Body]) -> None:
    taken = {
        name: f"it starts or stops {_instance(body)}" if _is_marked(body) else f"its description does not end in {MARK}"
        for name, body in found.items()
        if not _is_marked(body) or _instance(body) != options["instance"]
    }
    if taken:
        raise GcpError(
            "jobs: "
            + "; ".join(f"{name!r} is there already and somebody else's, as {why}" for name, why in taken.items())
            + ". Give yours another name, or delete that one."
        )


def _is_marked(body: Body) -> bool:
    return str(body.get("description", "")).endswith(MARK)


def _instance(body: Body) -> str:
    """The VM that a job starts or stops, in whichever zone; empty for another kind of job."""
    match = INSTANCE.search(body.get("httpTarget", {}).get("uri", ""))
    return match[1] if match else ""


def _view(options: Options, job: Options) -> Body:
    text = job["description"] or f"{job['action'].capitalize()} {options['instance']}"
    retry = options["retry"]
    return {
        "description": f"{text} {MARK}",
        "schedule": job["schedule"],
        "timeZone": job["time_zone"],
        "httpTarget": {
            "uri": uri(options, job["action"]),
            "httpMethod": "POST",
            "oauthToken": {"serviceAccountEmail": options["service_account"], "scope": SCOPE},
        },
        "retryConfig": {
            "retryCount": retry["count"],
            "maxRetryDuration": f"{retry['max_duration']}s",
            "minBackoffDuration": f"{retry['min_backoff']}s",
            "maxBackoffDuration": f"{retry['max_backoff']}s",
            "maxDoublings": retry["max_doublings"],
        },
        "attemptDeadline": f"{options['attempt_deadline']}s",
    }


def _change(name: str, wanted: Body, paused: bool | None, found: Body | None) -> Change:
    before = view(found) if found else None
    state_now = before["state"] if before else "ENABLED"
    state = state_now if paused is None else "PAUSED" if paused else "ENABLED"
    after = {**wanted, "state": state}
    verbs = []
    if before is None:
        verbs.append("create")
    elif any(before.get(field) != after[field] for field in FIELDS):
        verbs.append("patch")
    if state != state_now:
        verbs.append("pause" if state == "PAUSED" else "resume")
    return Change(name, tuple(verbs), before, after)

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Cloud Scheduler jobs that start and stop one VM."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re
from zoneinfo import ZoneInfo

from ...agent.problem import Problem, table
from ..api.client import Api, Client
from ..api.errors import GcpError, InterruptedRunError, NotFoundError, RefusedError
from ..api.journal import State
from ..api.library import Body, load, message, plain
from ..api.normal import last
from ..api.resource import MARK, Options
from ..rules import NAME, account_domain, between, place, repeated, within, zone

SCHEDULER = Api(
    "cloudscheduler.googleapis.com",
    "Role cloudscheduler.admin allows it, with role iam.serviceAccountUser on the account that the jobs run as.",
)
SCOPE = "https://www.googleapis.com/auth/compute"
# The writable fields of a job, in the API's order; the state has its own verbs.
FIELDS = ("description", "schedule", "timeZone", "httpTarget", "retryConfig", "attemptDeadline")
TARGET = re.compile(r"^https://compute\.googleapis\.com/compute/v1/(projects/.+/instances/[^/]+)/(?:start|stop)$")

JOB = r"[A-Za-z0-9_-]{1,500}"
EMAIL = r"[^@\s]+@[^@\s]+\.gserviceaccount\.com"
_NUMBER = r"(\d{1,2}|[A-Za-z]{3})"
CRON_FIELD = rf"(\*|{_NUMBER}(-{_NUMBER})?)(/\d+)?"
LIMITS = {"count": (0, 5), "max_duration": (0, 86_400), "min_backoff": (1, 3600), "max_backoff": (1, 3600)}
LIMITS["max_doublings"] = (0, 16)
ATTEMPT_SECONDS = (15, 1800)


@dataclasses.dataclass(frozen=True)
class Change:
    """The verbs that take a job from one normalized form to another; None: the job does not exist."""

    name: str
    verbs: tuple[str, ...]
    before: Body | None
    after: Body | None

    @property
    def actions(self) -> list[str]:
        return [f"jobs.{verb} {self.name}" for verb in self.verbs]


class Jobs:
    """The jobs of one region. Every method raises GcpError."""

    def __init__(self, client: Client, region: str) -> None:
        self._client = client
        (self._library,) = load("google-cloud-scheduler", "google.cloud.scheduler_v1")
        self._jobs = client.build(self._library.CloudSchedulerClient)
        self._parent = f"projects/{client.project}/locations/{region}"

    def read(self) -> dict[str, Body]:
        """The region's jobs by their short names, in the API's own form."""
        request = {"parent": self._parent, "page_size": 500}
        found = self._client.ask(
            "jobs.list",
            lambda timeout: [
                plain(each) for each in self._jobs.list_jobs(request=request, timeout=timeout, retry=None)
            ],
        )
        return {last(body["name"]): body for body in found}

    def carry_out(self, change: Change, verb: str) -> None:
        name = f"{self._parent}/jobs/{change.name}"
        body = {"name": name, **{field: (change.after or {})[field] for field in FIELDS if change.after}}
        request: Body = {"name": name}
        if verb == "create":
            request = {"parent": self._parent, "job": message(self._library.Job, body)}
        elif verb == "patch":
            request = {"job": message(self._library.Job, body), "update_mask": {"paths": _paths(change)}}
        call = getattr(self._jobs, {"patch": "update_job"}.get(verb, f"{verb}_job"))
        what, journal = f"jobs.{verb} {change.name}", self._client.journal
        entry = journal.send(what)

        def send(timeout: float) -> object:
            answer = call(request=request, timeout=timeout, retry=None)
            return answer if verb == "delete" else self._client.whole(answer)

        try:
            self._client.ask(what, send)
        except NotFoundError as error:
            if verb != "delete":
                journal.end(entry, State.REFUSED)
                raise GcpError(f"{what}: the job was deleted meanwhile. Run again.") from error
            if not error.unknown:
                journal.end(entry, State.GONE)
                return
        except InterruptedRunError:
            # A change that is under way continues.
            raise
        except GcpError as error:
            if not error.unknown:
                journal.end(entry, State.REFUSED)
                raise
            # If an answer was lost, the second try is refused, since the first succeeded.
            if not self._is_done(change, verb):
                raise
        journal.end(entry, State.DONE)

    def _is_done(self, change: Change, verb: str) -> bool:
        """Whether the job looks as *verb* would leave it; False if it cannot be read."""
        try:
            found, after = self.read().get(change.name), change.after
        except InterruptedRunError:
            raise
        except GcpError:
            return False
        if found is None or after is None:
            return found is after is None
        fields = FIELDS if verb in ("create", "patch") else ("state",)
        return all(normalized(found).get(field) == after[field] for field in fields)


def _paths(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    differing = (field for field in FIELDS if before.get(field) != after[field])
    return [re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", field) for field in differing]


def changes(options: Options, found: c.Mapping[str, Body]) -> list[Change]:
    """The changes from the jobs *found* to the options; RefusedError for a name that is used by something else."""
    wanted = {job["name"]: job for job in options["jobs"] or []}
    _check_free(options, found)
    result = [_change(name, _desired(options, job), job["paused"], found.get(name)) for name, job in wanted.items()]
    result += [
        Change(name, ("delete",), normalized(body), None)
        for name, body in sorted(found.items())
        if name not in wanted and _is_ours(options, body)
    ]
    return [change for change in result if change.verbs]


def normalized(body: Body) -> Body:
    """A job in the form for comparison."""
    target = dict(body.get("httpTarget", {}))
    # Google adds its own headers.
    headers = {name: value for name, value in target.pop("headers", {}).items() if name.lower() != "user-agent"}
    target |= {"headers": headers} if headers else {}
    found = {field: body[field] for field in FIELDS if field in body}
    # The library leaves out zero values.
    retry = {"retryCount": 0, "maxDoublings": 0, **body.get("retryConfig", {})}
    return {**found, "httpTarget": target, "retryConfig": retry, "state": body.get("state", "ENABLED")}


def uri(options: Options, action: str) -> str:
    """The URL that a job calls to start or stop the VM."""
    place = f"projects/{options['project']}/zones/{options['zone']}"
    return f"https://compute.googleapis.com/compute/v1/{place}/instances/{options['instance']}/{action}"


def _check_free(options: Options, found: c.Mapping[str, Body]) -> None:
    taken = [
        _problem(
            "gcp-job-taken",
            f"jobs[{index}].name",
            job["name"],
            why=f"it starts or stops {_target(body)}"
            if _is_marked(body)
            else f"its description does not end in {MARK}",
        )
        for index, job in enumerate(options["jobs"] or [])
        if (body := found.get(job["name"])) and not _is_ours(options, body)
    ]
    if taken:
        raise RefusedError(taken)


def _is_marked(body: Body) -> bool:
    return str(body.get("description", "")).endswith(MARK)


def _is_ours(options: Options, body: Body) -> bool:
    """Whether the collection made a job for exactly this VM; one of the same name may be in another zone or project."""
    return _is_marked(body) and body.get("httpTarget", {}).get("uri") in (uri(options, "start"), uri(options, "stop"))


def _target(body: Body) -> str:
    """The VM that a job starts or stops."""
    match = TARGET.search(body.get("httpTarget", {}).get("uri", ""))
    return match[1] if match else "something else"


def _desired(options: Options, job: Options) -> Body:
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


def _change(name: str, desired: Body, paused: bool | None, found: Body | None) -> Change:
    before = normalized(found) if found else None
    state_now = before["state"] if before else "ENABLED"
    state = state_now if paused is None else "PAUSED" if paused else "ENABLED"
    after = {**desired, "state": state}
    verbs = []
    if before is None:
        verbs.append("create")
    elif any(before.get(field) != after[field] for field in FIELDS):
        verbs.append("patch")
    if state != state_now:
        verbs.append("pause" if state == "PAUSED" else "resume")
    return Change(name, tuple(verbs), before, after)


_problem = table(
    {
        "gcp-vm-name": ("not the name of a VM", "write its name, without zone and project"),
        "gcp-job-account": ("the jobs run as a service account", "write its address, NAME@{domain}"),
        "gcp-job-taken": (
            "there is a job of this name that is not this VM's: {why}",
            "choose another name, or delete that job",
        ),
        "gcp-job-name": ("a job's name has letters, digits, - and _", "rename it"),
        "gcp-job-schedule": ("not a line of cron", "write five fields, for example '5 9 * * 1-5'"),
        "gcp-job-time-zone": ("no time zone has this name", "write for example America/New_York"),
    }
)


def problems(options: Options) -> c.Iterator[Problem]:
    """Validate the options of a VM's jobs."""
    yield from place(options)
    yield from zone(options["zone"])
    if not re.fullmatch(NAME, options["instance"]):
        yield _problem("gcp-vm-name", "instance", options["instance"])
    account = options["service_account"]
    if options["jobs"] and not re.fullmatch(EMAIL, account or ""):
        yield _problem("gcp-job-account", "service_account", account, domain=account_domain(options["project"]))
    yield from between("attempt_deadline", options["attempt_deadline"], *ATTEMPT_SECONDS)
    for name, limits in LIMITS.items():
        yield from between(f"retry.{name}", options["retry"][name], *limits)
    yield from repeated("jobs", [job["name"] for job in options["jobs"]])
    for index, job in enumerate(options["jobs"]):
        yield from within(f"jobs[{index}]", _job(job))


def _job(job: Options) -> c.Iterator[Problem]:
    if not re.fullmatch(JOB, job["name"]):
        yield _problem("gcp-job-name", "name", job["name"])
    fields = job["schedule"].split()
    if len(fields) != 5 or not all(re.fullmatch(CRON_FIELD, each) for field in fields for each in field.split(",")):
        yield _problem("gcp-job-schedule", "schedule", job["schedule"])
    try:
        ZoneInfo(job["time_zone"])
    except (ValueError, OSError, KeyError):
        yield _problem("gcp-job-time-zone", "time_zone", job["time_zone"])

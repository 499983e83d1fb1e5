"""Cloud Scheduler: `with FakeScheduler() as fake`. Its jobs do not run by themselves; `run` counts an attempt."""

from __future__ import annotations

import copy
import re
import zoneinfo
from typing import Any

from tests.fake_gcp.errors import ApiError, not_found
from tests.fake_gcp.platform import Asked, Body, FakePlatform

STAMP = "2026-11-20T09:00:00.000000Z"
JOB_NAME = r"[A-Za-z0-9_-]{1,500}"
# Of each of unix-cron's five fields: the least and the most, and its names.
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 7, DAYS))
USER_AGENT = {"User-Agent": "Google-Cloud-Scheduler"}
RETRIES = {"maxRetryDuration": "0s", "minBackoffDuration": "5s", "maxBackoffDuration": "3600s", "maxDoublings": 5}
# Of a job's fields, those that its caller writes.
WRITABLE = ("description", "httpTarget", "schedule", "timeZone", "retryConfig", "attemptDeadline")


class FakeScheduler(FakePlatform):
    """Its *jobs* by name."""

    document = "cloudscheduler.v1"
    service = "cloudscheduler.googleapis.com"

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token, port)
        self.jobs: dict[str, Body] = {}
        self.page = 500
        self.handlers = {
            "jobs.create": self._create,
            "jobs.delete": self._delete,
            "jobs.get": lambda asked: copy.deepcopy(self._job(asked.name)),
            "jobs.list": self._list,
            "jobs.patch": self._patch,
            "jobs.pause": lambda asked: self._state(asked.name, "PAUSED"),
            "jobs.resume": lambda asked: self._state(asked.name, "ENABLED"),
            "jobs.run": self._run,
        }

    def _create(self, asked: Asked) -> Body:
        name = asked.body.get("name", "")
        start, _, short = name.rpartition("/")
        if start != f"{asked.name}/jobs" or not re.fullmatch(JOB_NAME, short):
            raise ApiError(400, "badRequest", f"Job name must be formatted: '{asked.name}/jobs/<JOB_ID>'.")
        if name in self.jobs:
            raise ApiError(409, "alreadyExists", f"Job {name} already exists.")
        self.jobs[name] = _checked(asked.body) | {"userUpdateTime": STAMP, "state": "ENABLED"}
        return copy.deepcopy(self.jobs[name])

    def _delete(self, asked: Asked) -> Body:
        self._job(asked.name)
        del self.jobs[asked.name]
        return {}

    def _list(self, asked: Asked) -> Body:
        names = sorted(name for name in self.jobs if name.startswith(f"{asked.name}/jobs/"))
        first, size = int(asked.query.get("pageToken", 0)), min(int(asked.query.get("pageSize", 500)), self.page)
        more = {"nextPageToken": str(first + size)} if len(names) > first + size else {}
        return {"jobs": [copy.deepcopy(self.jobs[name]) for name in names[first : first + size]], **more}

    def _patch(self, asked: Asked) -> Body:
        before = self._job(asked.name)
        mask = asked.query.get("updateMask", "")
        fields = mask.split(",") if mask else [name for name in asked.body if name != "name"]
        if wrong := [name for name in fields if name not in WRITABLE]:
            raise ApiError(400, "badRequest", f"updateMask: {', '.join(wrong)} cannot be updated.")
        after = {name: value for name, value in before.items() if name not in fields}
        after |= {name: asked.body[name] for name in fields if name in asked.body}
        self.jobs[asked.name] = _checked(after)
        return copy.deepcopy(self.jobs[asked.name])

    def _state(self, name: str, state: str) -> Body:
        job = self._job(name)
        if job["state"] == state:
            raise ApiError(400, "failedPrecondition", f"The job is {state} already.")
        job["state"] = state
        return copy.deepcopy(job)

    def _run(self, asked: Asked) -> Body:
        job = self._job(asked.name)
        job["lastAttemptTime"] = STAMP
        return copy.deepcopy(job)

    def _job(self, name: str) -> Body:
        if name not in self.jobs:
            raise not_found(name)
        return self.jobs[name]


def _checked(given: Body) -> Body:
    """A job with Google's defaults; ApiError for what Google does not take."""
    body = copy.deepcopy(given)
    check_cron(body.get("schedule", ""))
    zone = body.setdefault("timeZone", "UTC")
    if zone not in zoneinfo.available_timezones():
        raise ApiError(400, "badRequest", f"time_zone: {zone!r} is no time zone.")
    targets = [name for name in ("httpTarget", "pubsubTarget", "appEngineHttpTarget") if name in body]
    if len(targets) != 1:
        raise ApiError(400, "badRequest", "One target has to be set.")
    target = body.get("httpTarget", {})
    if not re.match(r"https?://", target.get("uri", "")):
        raise ApiError(400, "badRequest", "http_target.uri: it begins with http:// or https://.")
    if "body" in target and target.get("httpMethod", "POST") not in ("POST", "PUT", "PATCH"):
        raise ApiError(400, "badRequest", "http_target.body: only POST, PUT and PATCH have one.")
    if "oauthToken" in target and not re.match(r"https://[^/]+\.googleapis\.com/", target["uri"]):
        raise ApiError(400, "badRequest", "http_target.oauth_token: it is for *.googleapis.com only.")
    if "oidcToken" in target and "oauthToken" in target:
        raise ApiError(400, "badRequest", "http_target: one kind of token.")
    target["headers"] = USER_AGENT | target.get("headers", {})
    retry = body["retryConfig"] = RETRIES | body.get("retryConfig", {})
    if not 0 <= retry.get("retryCount", 0) <= 5:
        raise ApiError(400, "badRequest", "retry_config.retry_count: 0 to 5.")
    if not 15 <= float(body.setdefault("attemptDeadline", "180s").removesuffix("s")) <= 1800:
        raise ApiError(400, "badRequest", "attempt_deadline: 15 seconds to 30 minutes.")
    return body


def check_cron(line: str) -> None:
    """Raise ApiError unless it is a line of unix-cron."""
    parts = line.lower().split()
    if len(parts) != 5 or not all(_is_field(*each) for each in zip(parts, FIELDS, strict=True)):
        raise ApiError(400, "badRequest", f"Schedule or time zone is invalid: {line!r}.")


def _is_field(text: str, field: Any) -> bool:
    least, most, names = field

    def number(value: str) -> bool:
        return value in names or (value.isdigit() and least <= int(value) <= most)

    for item in text.split(","):
        span, _, step = item.partition("/")
        ends = span.split("-")
        if (step and not step.isdigit()) or (span != "*" and not (len(ends) <= 2 and all(map(number, ends)))):
            return False
    return True

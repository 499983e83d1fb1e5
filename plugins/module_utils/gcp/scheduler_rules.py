# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the jobs that start and stop a VM must not say."""

from __future__ import annotations

import collections
import collections.abc as c
import re
import typing as t
from zoneinfo import ZoneInfo

from .rules import NAME, REGION, place

Options = t.Mapping[str, t.Any]

JOB = r"[A-Za-z0-9_-]{1,500}"
EMAIL = r"[^@\s]+@[^@\s]+\.gserviceaccount\.com"
_NUMBER = r"(\d{1,2}|[A-Za-z]{3})"
CRON_FIELD = rf"(\*|{_NUMBER}(-{_NUMBER})?)(/\d+)?"
LIMITS = {"count": (0, 5), "max_duration": (0, 86_400), "min_backoff": (1, 3600), "max_backoff": (1, 3600)}
LIMITS["max_doublings"] = (0, 16)
ATTEMPT_SECONDS = (15, 1800)


def problems(options: Options) -> c.Iterator[str]:
    """Everything that is wrong with the options, one sentence each."""
    yield from place(options)
    if not re.fullmatch(rf"{REGION}-[a-z]", options["zone"]):
        yield f"zone is {options['zone']!r}: no zone is called so. Write the VM's, for example 'europe-west1-b'."
    if not re.fullmatch(NAME, options["instance"]):
        yield f"instance is {options['instance']!r}: no VM is called so. Write its name, without zone and project."
    account = options["service_account"]
    if options["jobs"] and not re.fullmatch(EMAIL, account or ""):
        yield (
            f"service_account is {account!r}: the jobs run as a service account. Write its address, "
            f"'NAME@{options['project']}.iam.gserviceaccount.com'."
        )
    least, most = ATTEMPT_SECONDS
    if not least <= options["attempt_deadline"] <= most:
        yield f"attempt_deadline is {options['attempt_deadline']}: Cloud Scheduler takes {least} to {most} seconds."
    for name, (least, most) in LIMITS.items():
        if not least <= options["retry"][name] <= most:
            yield f"retry.{name} is {options['retry'][name]}: write a number from {least} to {most}."
    for name, count in collections.Counter(job["name"] for job in options["jobs"]).items():
        if count > 1:
            yield f"jobs: {name!r} is there {count} times. Give each job a name of its own."
    for index, job in enumerate(options["jobs"]):
        yield from (f"jobs[{index}].{problem}" for problem in _job(job))


def _job(job: Options) -> c.Iterator[str]:
    if not re.fullmatch(JOB, job["name"]):
        yield f"name is {job['name']!r}: a job's name has letters, digits, - and _. Rename it."
    fields = job["schedule"].split()
    if len(fields) != 5 or not all(re.fullmatch(CRON_FIELD, each) for field in fields for each in field.split(",")):
        yield f"schedule is {job['schedule']!r}: it is no line of cron. Write five fields, for example '5 9 * * 1-5'."
    try:
        ZoneInfo(job["time_zone"])
    except (ValueError, OSError, KeyError):
        yield f"time_zone is {job['time_zone']!r}: no zone is called so. Write for example 'America/New_York'."

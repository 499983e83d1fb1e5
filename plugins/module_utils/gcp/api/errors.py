# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Google's errors in one table: what each means, what to do next, and whether to retry.

Reasons and codes: https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-api-errors
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re
import typing as t

from ...agent.problem import Problem
from ...agent.text import printable as text_of_others

NEVER, SOME, ALWAYS = "never", "some", "always"
LONGEST_TEXT = 600

# Google's name for a constraint of the organization: https://cloud.google.com/resource-manager/docs/organization-policy
CONSTRAINT = r"\b(constraints|customConstraints)/(?P<name>[A-Za-z.]*[A-Za-z])"
# The way around those that a gateway can meet, in role gcp_vm's terms.
POLICIES = {
    "compute.disableGuestAttributesAccess": "Name the VM's host keys in gcp_vm_host_keys, or set "
    "gcp_vm_unknown_host_keys: accept_new.",
    "compute.requireOsLogin": "Leave enable-oslogin alone in gcp_vm_options.metadata and in the project's metadata: "
    "every VM of the collection has OS Login.",
    "compute.requireShieldedVm": "Leave all of shielded on in gcp_vm_options, and choose a gcp_vm_image that is "
    "Shielded, as Debian's are.",
    "compute.restrictCloudNATUsage": "Set gcp_vm_egress: external_ip, or have NAT allowed for this network.",
    "compute.storageResourceUseRestrictions": "Name a gcp_vm_image or a snapshot of a project that the policy lists.",
    "compute.trustedImageProjects": "Name a gcp_vm_image of a project that the policy lists: `gcloud resource-manager "
    "org-policies describe compute.trustedImageProjects --effective --project {project}` shows them.",
    "compute.vmExternalIpAccess": "Set gcp_vm_egress: nat, with which no VM has an external address.",
    "gcp.resourceLocations": "Choose a gcp_vm_zone in a region that the policy lists.",
}


class GcpError(Exception):
    """A person has to fix something; the message says what and how.

    *unknown*: an earlier attempt may have been carried out. *problems*: those of the options, if it is about them.
    """

    unknown = False
    problems: c.Sequence[Problem] = ()


class RefusedError(GcpError):
    """The options do not fit the present resources; *problems* say why."""

    def __init__(self, problems: c.Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(map(str, self.problems)))


class NotFoundError(GcpError):
    """The resource does not exist."""


class ForbiddenError(GcpError):
    """The credentials may not do this."""


class ChangedMeanwhileError(GcpError):
    """Somebody else changed or created the resource since it was read."""


class NoAnswerError(GcpError):
    """No usable answer: the request may have been carried out, or not."""


class InterruptedRunError(GcpError):
    """A signal ended the run."""


class DisabledError(GcpError):
    """The API is not enabled in the project."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """An error as Google reports it: HTTP status (0 without one), reasons or codes, and Google's text."""

    status: int
    reasons: frozenset[str]
    text: str


@dataclasses.dataclass(frozen=True)
class Row:
    """A kind of error. It matches by any of *statuses* or *reasons*, and by *pattern* in the text.

    *next_step* may use {project}, {api} and {roles}. *retry*: never, a few times, or always until the deadline. *error*
    is the exception to raise.
    """

    id: str
    meaning: str
    next_step: str
    statuses: frozenset[int] = frozenset()
    reasons: frozenset[str] = frozenset()
    pattern: str = ""
    retry: str = NEVER
    error: type[GcpError] = GcpError

    def matches(self, failure: Failure) -> bool:
        listed = failure.status in self.statuses or bool(failure.reasons & self.reasons)
        return listed and re.search(self.pattern, failure.text) is not None


# The first row that matches counts.
ROWS = (
    Row(
        "busy",
        "another operation on the resource is still running",
        "Wait for it, and run again.",
        reasons=frozenset({"resourceNotReady", "RESOURCE_NOT_READY"}),
        retry=ALWAYS,
    ),
    Row(
        "in_use",
        "",
        "Remove what uses it first, and run again.",
        reasons=frozenset({"resourceInUseByAnotherResource", "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"}),
    ),
    Row(
        "organization_policy",
        "a policy of the organization forbids it",
        "Ask its administrator for an exception for project {project}, or choose what the policy allows.",
        statuses=frozenset({400, 403, 412}),
        pattern=CONSTRAINT,
    ),
    Row("changed", "", "", statuses=frozenset({409, 412}), error=ChangedMeanwhileError),
    Row(
        "api_disabled",
        "the API {api} is not enabled in project {project}",
        "Run `gcloud services enable {api} --project {project}`, wait a minute and run again.",
        reasons=frozenset({"SERVICE_DISABLED", "accessNotConfigured"}),
        error=DisabledError,
    ),
    Row(
        "rate",
        "a quota is used up",
        "Release what is unused or ask Google for more, and run again.",
        statuses=frozenset({429}),
        retry=SOME,
    ),
    Row(
        "quota",
        "a quota is used up",
        "Release what is unused or ask Google for more, and run again.",
        reasons=frozenset({"quotaExceeded", "QUOTA_EXCEEDED", "RATE_LIMIT_EXCEEDED", "QUOTA_LIMIT_EXCEEDED"}),
    ),
    Row(
        "stockout",
        "the zone has no such machine left at the moment",
        "Choose another machine type, or run again later. Another zone of the region (gcp_vm_zone) keeps network and "
        "addresses, and is another VM.",
        reasons=frozenset({"ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"}),
    ),
    Row(
        "credentials",
        "Google does not accept the credentials",
        "Get new ones and run again.",
        statuses=frozenset({401}),
    ),
    Row(
        "forbidden",
        "the credentials may not do this in project {project}",
        "{roles}",
        statuses=frozenset({403}),
        error=ForbiddenError,
    ),
    Row(
        "not_found",
        "",
        "Check the name, the place and project {project}; Google also answers this for what the credentials may not "
        "see.",
        statuses=frozenset({404}),
        error=NotFoundError,
    ),
    Row(
        "unavailable",
        "",
        "Google's side fails; https://status.cloud.google.com shows known outages. Run again later.",
        statuses=frozenset({408, 500, 502, 503, 504}),
        retry=SOME,
        error=NoAnswerError,
    ),
    Row("refused", "", "", statuses=frozenset({400, 405, 413})),
)
OTHER = Row("other", "", "")


def row(failure: Failure) -> Row:
    """The row that matches a failure."""
    return next((each for each in ROWS if each.matches(failure)), OTHER)


def explained(failure: Failure, what: str, project: str, api: str, roles: str) -> GcpError:
    """The error to raise. *what* was tried, for example C(firewalls.update api); *roles* says who may do it."""
    found = row(failure)
    names = {"project": project, "api": api, "roles": roles}
    # An answer that is not Google's may be an HTML page.
    text = printable(failure.text)
    if not found.meaning and not failure.status:
        text = ": ".join([*sorted(failure.reasons), text])
    if found.id == "api_disabled":
        text = ""
    told = ": ".join(part for part in (what, found.meaning.format(**names), text) if part)
    told += "." if found.meaning and not text else ""
    code = f" (HTTP {failure.status})" if failure.status >= 500 else ""
    constraint = re.search(CONSTRAINT, failure.text) if found.id == "organization_policy" else None
    step = POLICIES.get(constraint["name"], found.next_step) if constraint else found.next_step
    return found.error(f"{told}{code} {step.format(**names)}".rstrip())


def printable(text: str) -> str:
    """Google's text on one line, safe for a terminal and of bounded length."""
    return text_of_others(" ".join(text[: 2 * LONGEST_TEXT].split()), LONGEST_TEXT)


def failure(error: t.Any) -> Failure:
    """The Failure of an exception of google.api_core."""
    entries = [entry for entry in error.errors or [] if isinstance(entry, dict)]
    reasons = {str(entry.get("reason")) for entry in entries} | {str(error.reason)}
    # The message begins with the HTTP verb and the URL.
    return Failure(int(error.code or 0), frozenset(reasons), re.sub(r"^[A-Z]+ http\S+: ", "", error.message))

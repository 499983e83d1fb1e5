# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong, in words for people."""

from __future__ import annotations

import re
import typing as t


class GcpError(Exception):
    """Something that a person has to mend; the message says what and how."""


class ChangedMeanwhileError(GcpError):
    """Somebody else has changed the resource since it was read, or made it."""


def reasons(error: t.Any) -> set[str]:
    """Google's short names of what an exception of google.api_core is about, for example C(quotaExceeded)."""
    entries = [entry for entry in error.errors or [] if isinstance(entry, dict)]
    return {str(entry.get("reason")) for entry in entries} | {str(error.reason)}


def explained(
    error: t.Any,
    what: str,
    project: str,
    api: str = "compute.googleapis.com",
    roles: str = "Roles that allow it are compute.networkAdmin for networks, compute.securityAdmin for firewall rules, "
    "and for VMs compute.instanceAdmin.v1, with iam.serviceAccountUser on the VM's service account.",
) -> GcpError:
    """An exception of google.api_core as one for people. *what* was tried, for example C(firewalls.update api).

    *roles* is a sentence about who may do it.
    """
    # It begins with the verb and the address of the call.
    found, text = reasons(error), re.sub(r"^[A-Z]+ http\S+: ", "", error.message)
    if error.code in (409, 412) and "resourceInUseByAnotherResource" not in found:
        return ChangedMeanwhileError(f"{what}: {text}")
    if found & {"SERVICE_DISABLED", "accessNotConfigured"}:
        return GcpError(
            f"{what}: the API {api} is not enabled in project {project}. Run `gcloud services enable "
            f"{api} --project {project}`, wait a minute and run again."
        )
    if found & {"quotaExceeded", "QUOTA_EXCEEDED", "RATE_LIMIT_EXCEEDED"} or error.code == 429:
        return quota(what, text)
    if error.code == 401:
        return GcpError(f"{what}: Google does not accept the credentials: {text} Get new ones and run again.")
    if error.code == 403:
        return GcpError(f"{what}: the credentials may not do this in project {project}: {text} {roles}")
    return GcpError(f"{what}: {text}")


def quota(what: str, text: str) -> GcpError:
    return GcpError(f"{what}: a quota is used up: {text} Release what is unused or ask Google for more, and run again.")

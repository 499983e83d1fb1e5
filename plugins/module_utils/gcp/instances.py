# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project's VMs, of all zones in one listing."""

from __future__ import annotations

import collections.abc as c
import importlib
import typing as t

from . import library
from .compute import endpoint
from .errors import GcpError, explained
from .host_keys import SWITCH

_PAGE = 500
# For so long what passes by itself is tried again.
PATIENCE_SECONDS = 5.0


class Instance(t.TypedDict):
    """What is told of a VM; an address is empty where there is none."""

    name: str
    id: str
    zone: str
    status: str
    labels: dict[str, str]
    machine_type: str
    internal_address: str
    external_address: str
    # Whether its metadata lets it publish guest attributes.
    guest_attributes: bool


def labelled(
    project: str,
    labels: c.Mapping[str, str],
    credentials: c.Callable[[], t.Any],
    api_endpoint: str | None,
    timeout: float,
) -> list[Instance]:
    """The VMs with all of these labels, by name; GcpError when they cannot be listed."""
    google, what = library.load(["instances"]), "instances.aggregatedList"
    options = {"api_endpoint": endpoint(api_endpoint)} if api_endpoint else {}
    client = google.services["instances"].InstancesClient(credentials=credentials(), client_options=options)
    wanted = " AND ".join(f'labels.{key} = "{value}"' for key, value in sorted(labels.items()))
    request = {"project": project, "filter": wanted, "max_results": _PAGE}
    again = importlib.import_module("google.api_core.retry").Retry(initial=0.2, timeout=PATIENCE_SECONDS)
    try:
        pages = client.aggregated_list(request=request, timeout=timeout, retry=again)
        # The raw messages: their attributes cost a tenth of those of the wrapped ones.
        plain = google.types.InstancesScopedList.pb
        found = [_told(each) for _zone, scope in pages for each in plain(scope).instances]
    except google.exceptions.RetryError as error:
        cause = error.cause
        if isinstance(cause, google.exceptions.GoogleAPICallError):
            raise explained(cause, what, project) from error
        raise GcpError(f"{what}: no answer from the API: {cause}") from error
    except google.exceptions.GoogleAPICallError as error:
        raise explained(error, what, project) from error
    except importlib.import_module("google.auth.exceptions").GoogleAuthError as error:
        raise GcpError(f"{what}: the credentials give no access: {error}. Renew them and run again.") from error
    return sorted(found, key=lambda each: (each["name"], each["zone"]))


def _told(message: t.Any) -> Instance:
    interface = message.network_interfaces[0]
    outside = interface.access_configs
    return Instance(
        name=message.name,
        id=str(message.id),
        zone=_last(message.zone),
        status=message.status,
        labels=dict(message.labels),
        machine_type=_last(message.machine_type),
        internal_address=interface.network_i_p,
        external_address=outside[0].nat_i_p if outside else "",
        guest_attributes=any(each.key == SWITCH and each.value.upper() == "TRUE" for each in message.metadata.items),
    )


def _last(link: str) -> str:
    return link.rpartition("/")[2]

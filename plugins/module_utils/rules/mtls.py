# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the settings of access method mtls."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

Settings = c.Mapping[str, t.Any]

PORTS = {"paper": 4102, "live": 4101}
FILES = ("ca", "crl", "certificate", "key")
DAYS = ("ca", "server", "client", "list")
# A name of the certificate is compared as that of a host: a pattern would be one, too.
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


def problems(settings: Settings) -> c.Iterator[str]:
    yield from _clients(settings)
    yield from _addresses(settings)
    yield from _sources(settings)
    yield from _files(settings)
    yield from _days(settings)
    port = settings.get("access_mtls_port") or 4102
    if not 1024 <= int(port) <= 65535:
        yield f"access_mtls_port: {port} is not one that an account without rights can listen on; use 1024 to 65535"


def _clients(settings: Settings) -> c.Iterator[str]:
    names = [str(name) for name in settings.get("access_mtls_clients") or []]
    if not names:
        yield (
            "access_mtls_clients: it is empty, and without a name stunnel would accept every client of the CA; "
            "name the clients, or take mtls out of gateway_access"
        )
    for name in names:
        if not NAME.fullmatch(name):
            yield f"access_mtls_clients: {name!r} is not a client name; use a-z, 0-9, '.' and '-', such as pipeline"
    if len(names) != len(set(names)):
        yield "access_mtls_clients: a name is there more than once; name each client once"


def _addresses(settings: Settings) -> c.Iterator[str]:
    addresses = settings.get("access_mtls_addresses", ["0.0.0.0"])
    if not addresses:
        yield 'access_mtls_addresses: it is empty; name addresses of the VM, or ["0.0.0.0"] for each of them'
    if len(addresses) > 1 and {"0.0.0.0", "::"} & {*addresses}:
        yield "access_mtls_addresses: 0.0.0.0 and :: are every address already; name that one alone"
    for address in addresses:
        try:
            ipaddress.ip_address(str(address))
        except ValueError:
            yield f"access_mtls_addresses: {address!r} is not an IP address; name one of the VM's, or 0.0.0.0 for each"


def _sources(settings: Settings) -> c.Iterator[str]:
    if not settings.get("access_mtls_from"):
        yield "access_mtls_from: it is empty, so nobody could connect; name the clients' ranges, such as 203.0.113.0/24"
    for text in settings.get("access_mtls_from") or []:
        try:
            ipaddress.ip_network(str(text))
        except ValueError as fault:
            yield f"access_mtls_from: {text!r} is not a range of addresses ({fault}); write it as 203.0.113.0/24"


def _files(settings: Settings) -> c.Iterator[str]:
    files = settings.get("access_mtls_files") or {}
    missing = [name for name in FILES if not files.get(name)]
    if files and missing:
        yield f"access_mtls_files: {', '.join(missing)} is missing; give the paths of {', '.join(FILES)}, or none"


def _days(settings: Settings) -> c.Iterator[str]:
    days = settings.get("access_mtls_days")
    if not days:
        return
    for name in DAYS:
        if not str(days.get(name)).isdigit() or not 2 <= int(days[name]) <= 7305:
            yield f"access_mtls_days.{name}: {days.get(name)!r} is not a number of days; use 2 to 7305"

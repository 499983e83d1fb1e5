# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the settings of access method mtls."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

from ..agent.problem import Problem, table

Settings = c.Mapping[str, t.Any]

PORTS = {"paper": 4102, "live": 4101}
FILES = ("ca", "crl", "certificate", "key")
DAYS = ("ca", "server", "client", "list")
# The certificate's name is matched like a host name: a wildcard would match others.
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


_problem = table(
    {
        "mtls-port": ("an account without privileges cannot listen on it", "use 1024 to 65535"),
        "mtls-clients-empty": (
            "empty, and without a name stunnel would accept every client of the CA",
            "name the clients, or take mtls out of gateway_access",
        ),
        "mtls-client-name": ("not a client name", "use a-z, 0-9, '.' and '-', such as pipeline"),
        "mtls-client-twice": ("a name is there more than once", "name each client once"),
        "mtls-addresses-empty": ("empty", 'name addresses of the VM, or ["0.0.0.0"] for each of them'),
        "mtls-addresses-all": ("0.0.0.0 and :: are every address already", "name that one alone"),
        "mtls-address": ("not an IP address", "name one of the VM's, or 0.0.0.0 for each"),
        "mtls-sources-empty": (
            "empty, so nobody could connect",
            "name the clients' ranges, such as 203.0.113.0/24",
        ),
        "mtls-source": ("not a range of addresses ({fault})", "write it as 203.0.113.0/24"),
        "mtls-file-missing": ("{missing} is missing", "give the paths of {files}, or none"),
        "mtls-days": ("not a number of days", "use 2 to 7305"),
    }
)


def problems(settings: Settings) -> c.Iterator[Problem]:
    """Yield every problem of one gateway's variables of access method mtls."""
    yield from _clients(settings)
    yield from _addresses(settings)
    yield from _sources(settings)
    yield from _files(settings)
    yield from _days(settings)
    port = settings.get("access_mtls_port") or 4102
    if int(port) in range(1, 1024):
        yield _problem("mtls-port", "access_mtls_port", port)


def _clients(settings: Settings) -> c.Iterator[Problem]:
    variable = "access_mtls_clients"
    names = [str(name) for name in settings.get(variable) or []]
    if not names:
        yield _problem("mtls-clients-empty", variable)
    for name in names:
        if not NAME.fullmatch(name):
            yield _problem("mtls-client-name", variable, name)
    if len(names) != len(set(names)):
        yield _problem("mtls-client-twice", variable, names)


def _addresses(settings: Settings) -> c.Iterator[Problem]:
    variable = "access_mtls_addresses"
    addresses = settings.get(variable, ["0.0.0.0"])
    if not addresses:
        yield _problem("mtls-addresses-empty", variable)
    if len(addresses) > 1 and {"0.0.0.0", "::"} & {*addresses}:
        yield _problem("mtls-addresses-all", variable, addresses)
    for address in addresses:
        try:
            ipaddress.ip_address(str(address))
        except ValueError:
            yield _problem("mtls-address", variable, address)


def _sources(settings: Settings) -> c.Iterator[Problem]:
    variable = "access_mtls_from"
    if not settings.get(variable):
        yield _problem("mtls-sources-empty", variable)
    for text in settings.get(variable) or []:
        try:
            ipaddress.ip_network(str(text))
        except ValueError as fault:
            yield _problem("mtls-source", variable, text, fault=fault)


def _files(settings: Settings) -> c.Iterator[Problem]:
    files = settings.get("access_mtls_files") or {}
    missing = [name for name in FILES if not files.get(name)]
    if files and missing:
        yield _problem("mtls-file-missing", "access_mtls_files", missing=", ".join(missing), files=", ".join(FILES))


def _days(settings: Settings) -> c.Iterator[Problem]:
    days = settings.get("access_mtls_days")
    if not days:
        return
    for name in DAYS:
        if not str(days.get(name)).isdigit() or not 2 <= int(days[name]) <= 7305:
            yield _problem("mtls-days", f"access_mtls_days.{name}", days.get(name))

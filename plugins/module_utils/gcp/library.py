# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""google-cloud-compute, imported when it is needed and as cheaply as it can be."""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import gc
import importlib
import importlib.util
import sys
import types
import typing as t

from .errors import GcpError

PACKAGE = "google.cloud.compute_v1"


@dataclasses.dataclass(frozen=True)
class Library:
    """The package's types, its exceptions, the exceptions of requests, and the services asked for, by name."""

    types: t.Any
    exceptions: t.Any
    connection_errors: tuple[type[Exception], ...]
    services: dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Small:
    """A package that is imported as a whole, and the exceptions that it raises."""

    package: t.Any
    exceptions: t.Any
    connection_errors: tuple[type[Exception], ...]
    auth_error: type[Exception]


@contextlib.contextmanager
def _without_collector() -> c.Iterator[None]:
    """Collect no garbage meanwhile, and never look again at what was made: half of what the import costs."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _bare_package() -> c.Iterator[None]:
    """Let parts of the package be imported without its __init__, which imports all of its 130 services."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {PACKAGE!r}", name=PACKAGE)
    if PACKAGE in sys.modules:
        yield
        return
    package = types.ModuleType(PACKAGE)
    package.__path__ = spec.submodule_search_locations or []
    package.__spec__ = spec
    sys.modules[PACKAGE] = package
    try:
        yield
    finally:
        del sys.modules[PACKAGE]


def load(services: c.Iterable[str]) -> Library:
    """The library with *services* (module names, for example C(networks)); GcpError when it is not installed."""
    try:
        with _without_collector(), _bare_package():
            requests = importlib.import_module("requests.exceptions")
            return Library(
                types=importlib.import_module(f"{PACKAGE}.types"),
                exceptions=importlib.import_module("google.api_core.exceptions"),
                connection_errors=(requests.ConnectionError, requests.Timeout),
                services={name: importlib.import_module(f"{PACKAGE}.services.{name}") for name in services},
            )
    except ModuleNotFoundError as error:
        raise _missing(error, "google-cloud-compute") from error


def load_small(package: str, distribution: str) -> Small:
    """A package whose whole import is cheap; GcpError when it is not installed."""
    try:
        with _without_collector():
            requests = importlib.import_module("requests.exceptions")
            return Small(
                package=importlib.import_module(package),
                exceptions=importlib.import_module("google.api_core.exceptions"),
                connection_errors=(requests.ConnectionError, requests.Timeout),
                auth_error=importlib.import_module("google.auth.exceptions").GoogleAuthError,
            )
    except ModuleNotFoundError as error:
        raise _missing(error, distribution) from error


def plain(message: t.Any) -> dict[str, t.Any]:
    """A message in the API's own form."""
    found: dict[str, t.Any] = type(message).to_dict(
        message,
        use_integers_for_enums=False,
        preserving_proto_field_name=False,
        always_print_fields_with_no_presence=False,
    )
    return found


def _missing(error: ModuleNotFoundError, distribution: str) -> GcpError:
    return GcpError(
        f"{error.name} is missing in {sys.executable}: install {distribution} there, or point "
        "ansible_python_interpreter at a Python that has it."
    )

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common options of modules for Google Cloud, and the connection made from them.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import os
import signal
import sys
import threading
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.ibops.gateway.plugins.module_utils.agent.problem import Problem
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import credentials
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.apply import Runner
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.compute import Compute
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError, InterruptedRunError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.journal import Journal
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.plan import Change
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.resource import Resource

Found = t.TypeVar("Found")


def argument_spec(**more: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options for a region of a project and the credentials, plus *more*."""
    return project_spec(region={"type": "str", "required": True}, **more)


def project_spec(**more: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options for a project as a whole and the credentials, plus *more*."""
    return {
        "project": {"type": "str", "required": True, "fallback": (env_fallback, ["GCP_PROJECT"])},
        "access_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["GCP_ACCESS_TOKEN"])},
        "credentials_file": {"type": "path", "fallback": (env_fallback, ["GCP_SERVICE_ACCOUNT_FILE"])},
        "api_endpoint": {"type": "str", "fallback": (env_fallback, ["GCP_COMPUTE_ENDPOINT"])},
        "timeout": {"type": "float", "default": 600},
        **more,
    }


def refuse(module: AnsibleModule, problems: c.Iterable[Problem], undone: str = "Nothing was changed.") -> None:
    """Fail with all *problems*, if there are any."""
    if found := list(problems):
        module.fail_json(msg=" ".join([*map(str, found), undone]), problems=listed(found))


def listed(problems: c.Iterable[Problem]) -> list[dict[str, t.Any]]:
    """The *problems* as a module returns them."""
    return [each._asdict() for each in problems]


def who(module: AnsibleModule) -> c.Callable[[], t.Any]:
    """Return a function that finds the credentials that the options name."""
    return lambda: credentials.find(module.params["access_token"], module.params["credentials_file"])


def connect(module: AnsibleModule, resources: c.Iterable[Resource]) -> Compute:
    """Return the API that the options name; GcpError when it cannot be used."""
    options = module.params
    return Compute(
        options["project"],
        options["region"],
        who(module),
        options["api_endpoint"],
        options["timeout"],
        resources,
        options.get("zone", ""),
    )


def carry_out(
    module: AnsibleModule, compute: Compute, changes: c.Sequence[Change], found: Found, inspect: c.Callable[[], Found]
) -> tuple[list[str], Found]:
    """Carry out the changes, except in check mode, and return their calls and the resources afterwards.

    *found* are the resources before, *inspect* reads them afterwards. Fail with the errors and the completed calls.
    """
    if module.check_mode:
        return [action for change in changes for action in change.actions], found
    journal = compute.client.journal
    with interruptible():
        failed = Runner(compute).run(changes)
        if changes and not failed:
            try:
                found = inspect()
            except GcpError as error:
                failed = [error]
    if failed:
        fail(module, " ".join(map(str, failed)), journal)
    return journal.actions, found


def fail(module: AnsibleModule, why: str, journal: Journal, **more: t.Any) -> None:
    """Fail with *why* and the journal's report."""
    rest = "" if journal.is_empty else " The next run does the rest."
    module.fail_json(
        msg=f"{why} {journal.report()}{rest}",
        actions=journal.actions,
        unfinished=journal.unfinished,
        changed=not journal.is_empty,
        **more,
    )


@contextlib.contextmanager
def interruptible() -> c.Iterator[None]:
    """Have SIGTERM, SIGINT and SIGHUP raise InterruptedRunError, so that the report is made.

    Python drops what is raised in a finalizer, and a signal may arrive in one: it is sent again then.
    """
    received: list[int] = []
    lost: list[threading.Timer] = []
    hook = sys.unraisablehook

    def interrupt(number: int, _frame: object) -> None:
        received.append(number)
        raise InterruptedRunError(f"Interrupted by {signal.Signals(number).name}.")

    def dropped(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, InterruptedRunError):
            return hook(unraisable)
        # Later, for it would be dropped here too.
        lost.append(threading.Timer(0.01, os.kill, (os.getpid(), received[-1])))
        lost[-1].start()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    sys.unraisablehook = dropped
    try:
        yield
        for each in lost:
            each.join()
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)

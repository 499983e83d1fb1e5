# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find variables that nothing reads and that were meant for the collection: they are misspelled, or removed."""

from __future__ import annotations

import collections.abc as c
import difflib
import functools
import re

from ..agent.problem import Problem, table
from .run_names import NAMES

_problem = table(
    {
        "unknown-name": (
            "nothing reads a variable of this name",
            "{hint}; names that begin with {prefix} are the collection's",
        ),
        "misspelt-name": (
            "nothing in the collection reads a variable of this name",
            "write {near}, or give a variable of yours a name that differs more",
        ),
    }
)
# Three other letters in a name of thirty, one in a name of ten.
_CLOSE = 0.9
_OF_BROKER = re.compile(r"(?:ib|ibkr|ibgw|ibops|tws)_(?=[a-z])")


def problems(names: c.Iterable[str], known: c.Collection[str], prefixes: tuple[str, ...]) -> c.Iterator[Problem]:
    """Yield a problem for each of *names* with nearly one of *prefixes* that is neither *known* nor set by a run.

    No value is shown: the intended name may be a secret's.
    """
    reserved = frozenset(each for each in known if each.startswith(prefixes))
    for name in names:
        if name in known or name in NAMES:
            continue
        if name.startswith(prefixes):
            prefix = max((each for each in prefixes if name.startswith(each)), key=len)
            # The prefix, which they share, says nothing of how near they are.
            rests = [each.removeprefix(prefix) for each in reserved if each.startswith(prefix)]
            near = difflib.get_close_matches(name.removeprefix(prefix), rests, 1)
            hint = f"write {prefix}{near[0]}" if near else "remove it"
            yield _problem("unknown-name", name, hint=hint, prefix=prefix)
        elif meant := _meant(name, reserved):
            yield _problem("misspelt-name", name, near=meant)


def prefixed(given: c.Mapping[str, object], known: c.Collection[str]) -> c.Iterator[tuple[str, str]]:
    """Yield each name in *given* that is a *known* one behind a prefix for Interactive Brokers, with the known one.

    A warning, not a problem: another playbook of the user may read it. One that is read here, or beside which the known
    one is set, is the user's own.
    """
    for name in given:
        meant = _OF_BROKER.sub("", name)
        if meant == name or meant not in known or meant in given:
            continue
        if not any(re.search(rf"\b{re.escape(name)}\b", repr(value)) for value in given.values()):
            yield name, meant


# Most hosts of a run have the same names.
@functools.lru_cache(maxsize=4096)
def _meant(name: str, reserved: frozenset[str]) -> str:
    """The one of the *reserved* names that *name* was to be; empty where it is somebody else's.

    One with more words, or fewer, is not misspelled: ``vault_gateway_password``, ``gcp_service_account``.
    """
    if name.startswith(("ansible_", "_")):
        return ""
    alike = [each for each in reserved if each.count("_") == name.count("_")]
    return next(iter(difflib.get_close_matches(name, alike, 1, _CLOSE)), "")

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find variables with one of the collection's prefixes that nothing in it reads: they are misspelled, or removed."""

from __future__ import annotations

import collections.abc as c
import difflib

from ..agent.problem import Problem, table
from .run_names import NAMES

_problem = table(
    {
        "unknown-name": (
            "nothing reads a variable of this name",
            "{hint}; names that begin with {prefix} are the collection's",
        )
    }
)


def problems(names: c.Iterable[str], known: c.Collection[str], prefixes: tuple[str, ...]) -> c.Iterator[Problem]:
    """Yield a problem for each of *names* with one of *prefixes* that is neither *known* nor set by a run.

    No value is shown: the intended name may be a secret's.
    """
    for name in names:
        if name.startswith(prefixes) and name not in known and name not in NAMES:
            near = difflib.get_close_matches(name, known, 1)
            prefix = max((each for each in prefixes if name.startswith(each)), key=len)
            yield _problem("unknown-name", name, hint=f"write {near[0]}" if near else "remove it", prefix=prefix)

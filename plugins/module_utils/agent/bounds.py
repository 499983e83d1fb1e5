# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse whole numbers of the settings and check their bounds. Kept small: the watcher imports it on the VM."""

from __future__ import annotations

import re

from .problem import Problem, table

_problem = table({"not-a-number-within": ("not a whole number from {low} to {high}", "set it to one")})


def whole(value: object) -> int | None:
    """Return the integer that *value* is, or that its text is (as ``-e`` passes it); None for anything else."""
    return int(str(value)) if re.fullmatch(r"-?[0-9]{1,18}", str(value)) else None


def problem(variable: str, value: object, bounds: tuple[int, int]) -> Problem | None:
    """Return a problem when *value* is not an integer within *bounds* (both included), else None."""
    number, (low, high) = whole(value), bounds
    if number is not None and low <= number <= high:
        return None
    return _problem("not-a-number-within", variable, value, low=low, high=high)

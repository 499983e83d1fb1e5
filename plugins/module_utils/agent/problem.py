# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A problem of a setting: data, with a line for people. Each kind is declared once, in a table of its module."""

from __future__ import annotations

from typing import NamedTuple

from .text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KINDS: dict[str, tuple[str, str]] = {}
"""The two texts of a problem, its fault and its fix, by id, of every module that is imported."""

_SHOWN = 80


class Problem(NamedTuple):
    """A setting that cannot work.

    ``variable`` includes the path within it, as in ``session_alerts[0].url``. ``value`` is its text for people, at most
    80 printable characters; None for a secret or a missing value. ``host`` is an inventory name, if one is known.
    """

    id: str
    variable: str
    value: str | None
    wrong: str
    fix: str
    host: str = ""

    def __str__(self) -> str:
        host = f"{self.host}: " if self.host else ""
        value = "" if self.value is None else f" = {self.value}"
        return f"{host}{self.variable}{value}: {self.wrong}. Fix: {self.fix}."


def table(kinds: Mapping[str, tuple[str, str]]) -> Callable[..., Problem]:
    """Declare *kinds*: fault and fix by id, with named placeholders as :meth:`str.format` has them.

    Return the function that makes a problem of one of them. Raises ValueError for an id that is taken.
    """
    for name, texts in kinds.items():
        if KINDS.setdefault(name, texts) != texts:
            raise ValueError(f"two kinds of problem have the id {name}")

    def problem(id_: str, variable: str, /, *value: object, **details: object) -> Problem:
        """Return the problem *id_* of *variable*; give *value* unless it is a secret or missing."""
        wrong, fix = kinds[id_]
        safe = {name: printable(str(detail)) for name, detail in details.items()}
        shown = printable(repr(value[0]), _SHOWN) if value else None
        return Problem(id_, printable(variable), shown, wrong.format(**safe), fix.format(**safe))

    return problem

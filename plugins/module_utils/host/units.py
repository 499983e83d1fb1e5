# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd: which are not as they should be, and one call of systemctl for all that need the same."""

from __future__ import annotations

import collections.abc as c
import subprocess

from . import facts

STATES = ("started", "stopped", "masked")
Found = c.Mapping[str, c.Mapping[str, bool]]


class UnitError(Exception):
    """systemctl failed; the message says of what."""


def check(wanted: c.Mapping[str, str]) -> None:
    """Raise ValueError for a state that there is not."""
    for unit, state in wanted.items():
        if state not in STATES:
            raise ValueError(f"units: {unit} cannot be {state!r}. Write one of {', '.join(STATES)}")


def bring(units: c.Mapping[str, str], predicted: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Bring units to their states, unless *predicted*; return those that differed, and the difference. UnitError."""
    found = facts.services(list(units))
    wanted = to_change(units, found, predicted)
    if not predicted:
        for command in commands(wanted, found):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnitError(
                    f"{' '.join(command)}: {done.stderr.strip()} The units before these are as wanted, and so are "
                    "those of these that could be; fix the cause and run again."
                )
    after = "".join(f"{unit}: {state}\n" for unit, state in wanted.items())
    return wanted, {"before_header": "units", "before": shown(wanted, found), "after_header": "units", "after": after}


def commands(wanted: c.Mapping[str, str], found: Found) -> list[list[str]]:
    """The calls of systemctl that bring units to their *wanted* states, in order."""
    started, stopped, masked = ([unit for unit, state in wanted.items() if state == each] for each in STATES)
    calls = {
        ("mask", "--now"): masked,
        ("disable", "--now"): stopped,
        ("unmask",): [unit for unit in started if found[unit]["masked"]],
        ("enable",): [unit for unit in started if not (found[unit]["enabled"] or found[unit]["static"])],
        ("start",): [unit for unit in started if not found[unit]["active"]],
    }
    return [["systemctl", *call, "--", *units] for call, units in calls.items() if units]


def shown(units: c.Iterable[str], found: Found) -> str:
    """A line a unit: `auditd.service: exists enabled active`."""
    return "".join(f"{unit}: {' '.join(name for name, is_so in found[unit].items() if is_so)}\n" for unit in units)


def to_change(
    wanted: c.Mapping[str, str], found: c.Mapping[str, c.Mapping[str, bool]], predicted: bool
) -> dict[str, str]:
    """The units of *wanted* (``started``, ``stopped`` or ``masked``) that are otherwise.

    A unit that does not exist need not be stopped; when *predicted*, one may still be missing that is to be started.
    """

    def differs(unit: str, state: str) -> bool:
        is_ = found[unit]
        if not is_["exists"]:
            return state == "started" and not predicted
        if state == "masked":
            return not is_["masked"]
        if state == "stopped":
            return is_["enabled"] or is_["active"]
        return not ((is_["active"] or is_["skipped"]) and (is_["enabled"] or is_["static"]))

    return {unit: state for unit, state in wanted.items() if differs(unit, state)}

"""The table of how each printed command is executed: commands.yml, as rows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

DOORS = ("installed", "checkout")
TABLE = Path(__file__).with_name("commands.yml")


@dataclass(frozen=True)
class Row:
    """One command: ``printed`` on a page, ``run`` here; placeholders are filled in with the test's own values."""

    group: str
    how: str
    run: str
    printed: str
    doors: tuple[str, ...] = DOORS
    scenario: str = ""
    why: str = ""
    status: int = 0
    sends: bool = True
    after: str = ""
    typed: dict[str, str] = field(default_factory=dict)


def rows() -> list[Row]:
    found = []
    for group in yaml.safe_load(TABLE.read_text()):
        for each in group["commands"]:
            own: dict[str, t.Any] = {**group, **each}
            run = own["run"]
            for placeholder, value in own.pop("fill", {}).items():
                run = run.replace(placeholder, value)
            given = {
                name: own[name]
                for name in ("how", "scenario", "why", "status", "sends", "after", "typed")
                if name in own
            }
            doors = tuple(own.get("doors", DOORS))
            found.append(Row(group["name"], run=run, printed=own.get("printed", own["run"]), doors=doors, **given))
    return found


def of(how: str, scenario: str = "") -> list[Row]:
    return [row for row in rows() if row.how == how and row.scenario == scenario]

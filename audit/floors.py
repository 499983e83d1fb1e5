"""The figures below which an audit fails, and the accepted findings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from audit.report import Finding, Verdict

WAIVERS = Path(__file__).parent / "waivers.yml"
# {judge: {figure: (bound, whether it is a minimum)}}; a figure without one is only shown.
FLOORS: dict[str, dict[str, tuple[float, bool]]] = {
    "lynis": {"index": (92, True), "warnings": (0, False)},
    "ssh_audit": {"fail": (0, False), "warn": (0, False)},
    "scap": {"cis_level1_server": (97, True), "cis_level2_server": (92, True), "anssi_bp28_enhanced": (90, True)},
    "docker": {"warnings": (2, False)},
}


@dataclass(frozen=True)
class Waiver:
    """An accepted finding, and why; `release` limits it to one Debian release."""

    judge: str
    finding: str
    reason: str
    release: str = ""


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    return [Waiver(**entry) for entry in yaml.safe_load(path.read_text()) or []]


def meets(judge: str, figure: str, value: float) -> bool | None:
    """Whether a figure meets its floor; None without one."""
    if figure not in FLOORS[judge]:
        return None
    bound, is_least = FLOORS[judge][figure]
    return value >= bound if is_least else value <= bound


def words(judge: str, figure: str) -> str:
    """The floor for a person: `>= 92`, `<= 0`, or nothing."""
    if figure not in FLOORS[judge]:
        return ""
    bound, is_least = FLOORS[judge][figure]
    return f"{'>=' if is_least else '<='} {bound:g}"


def matched(
    verdicts: dict[str, Verdict], waivers: list[Waiver], release: str
) -> tuple[list[tuple[str, Finding, Waiver | None]], list[Waiver]]:
    """Every finding with its waiver, and the obsolete waivers of the judges that were run."""
    here = [waiver for waiver in waivers if waiver.release in {"", release}]
    by_name = {(waiver.judge, waiver.finding): waiver for waiver in here}
    found = [
        (judge, finding, by_name.get((judge, finding.name)))
        for judge, verdict in verdicts.items()
        for finding in verdict.findings
    ]
    used = {waiver for _judge, _finding, waiver in found if waiver}
    return found, [waiver for waiver in here if waiver.judge in verdicts and waiver not in used]

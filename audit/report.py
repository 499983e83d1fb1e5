"""A judge's report on a machine: figures, findings, and how the findings fare against floors and waivers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """A judge's objection; waivers refer to its name."""

    name: str
    text: str

    def as_data(self) -> dict[str, str]:
        return {"finding": self.name, "text": self.text}


@dataclass(frozen=True)
class Verdict:
    """One judge's result for one machine."""

    figures: dict[str, float]
    findings: list[Finding] = field(default_factory=list)
    # Notes for a person: undecided checks, and caveats.
    notes: list[str] = field(default_factory=list)
    # Versions and counts that explain the figures.
    made_with: dict[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        return {
            "figures": self.figures,
            "findings": [finding.as_data() for finding in self.findings],
            "notes": self.notes,
            "made_with": self.made_with,
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Verdict:
        findings = [Finding(found["finding"], found["text"]) for found in data["findings"]]
        return cls(data["figures"], findings, data["notes"], data["made_with"])

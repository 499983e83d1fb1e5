"""tests/lint/one_truth.py: a difference on either side of each claim is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.lint import one_truth

pytestmark = pytest.mark.thorough


def claims() -> list[one_truth.Claim]:
    return [claim for each in one_truth.CLAIMS for claim in each()]


def test_the_tree_says_the_same_everywhere() -> None:
    assert one_truth.problems() == []


def test_the_files_of_usual_changes_are_there() -> None:
    heading = "## Where usual changes go"
    texts = (path.read_text() for path in one_truth.ROOT.glob("docs/**/*.md"))
    (section,) = (text.partition(heading)[2].partition("\n## ")[0] for text in texts if heading in text)
    paths = re.findall(r"`((?:plugins|roles|sandbox)/[^`]+)`", section)
    assert len(paths) > 15
    assert [path for path in paths if not (one_truth.ROOT / path).exists()] == []


def test_no_claim_is_empty() -> None:
    """A pattern that finds nothing any more would agree with everything that is empty."""
    empty = {"two ports by mode in a text, which are others", "weekly times in a text, outside of week.py"}
    assert {name for name, truth, places in claims() if not truth or not all(places.values())} == empty
    assert len({name for name, _truth, _places in claims()}) == len(claims())


@pytest.mark.parametrize(
    ("path", "before", "after", "claim"),
    [
        ("docs/how-to/upgrade.md", "| `uid` |", "| `gid` |", "the differences of an image"),
        ("roles/gateway/vars/main.yml", "  - uid\n", "", "the differences of an image that can be accepted"),
        ("docs/how-to/upgrade.md", "| 2025-03-20 |", "| 2025-03-21 |", "IBKR's cut-offs"),
        ("sandbox/gateway/build", "!= 10.50.1 ", "!= 10.50.2 ", "the oldest release that IBKR accepts"),
        ("roles/gateway/vars/main.yml", "paper: 4002", "paper: 4012", "the port of the API"),
        ("roles/access/vars/main/main.yml", "'paper': 4004", "'paper': 4014", "the port of the relay"),
        ("sandbox/gateway/image/scripts/common.sh", "SOCAT_PORT=4003", "SOCAT_PORT=4013", "the port of the relay"),
        ("roles/gateway/vars/main.yml", "live: 5901", "live: 5911", "the port of the desktop"),
        ("roles/access/defaults/main.yml", "4102", "4112", "the port of mutual TLS"),
        ("roles/access/defaults/main.yml", "51821", "51831", "the port of WireGuard"),
        ("roles/hardening/meta/argument_specs.yml", "localhost:4001", "localhost:4011", "what SSH may forward to"),
        (
            "plugins/modules/gateway_ready.py",
            "short_description:",
            "short_description: live 4003, paper 4002",
            "two ports by mode",
        ),
        ("plugins/modules/gateway_ready.py", "short_description:", "short_description: Saturday 23:30", "weekly times"),
        ("roles/gateway/meta/argument_specs.yml", "lead_minutes:", "lead_minute:", "the keys of a paper session"),
        ("roles/gateway/meta/argument_specs.yml", "[mon, tue", "[tue, mon", "the days of the week"),
        ("roles/session/meta/argument_specs.yml", "asia_pacific", "asia", "the regions"),
        ("roles/session/meta/argument_specs.yml", "default: 240", "default: 241", "the defaults of role session"),
        ("plugins/modules/gateway_ready.py", "degraded, blocked]", "blocked]", "the states"),
        ("roles/access/vars/main/vpc.yml", "client/vpc", "client/vcp", "the access methods"),
        ("roles/hardening/meta/argument_specs.yml", "hardening_sudo:", "hardening_su:", "the controls"),
    ],
)
def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch, path: str, before: str, after: str, claim: str) -> None:
    read = Path.read_text

    def changed(self: Path, *arguments: str, **more: str) -> str:
        content = read(self, *arguments, **more)
        if self != one_truth.ROOT / path:
            return content
        assert before in content
        return content.replace(before, after)

    monkeypatch.setattr(Path, "read_text", changed)
    assert any(problem.startswith(claim) for problem in one_truth.problems())

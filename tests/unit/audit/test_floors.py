"""When an audit is good: every figure meets its floor, every finding has a waiver; stale waivers are named."""

from __future__ import annotations

import pytest
from audit.floors import FLOORS, WAIVERS, Waiver, matched, meets, read_waivers
from audit.report import Finding, Verdict
from audit.table import show

ACCEPTED = Waiver("lynis", "A-1", "because")


@pytest.mark.parametrize(
    ("judge", "figure", "value", "good"),
    [
        ("lynis", "index", 92, True),
        ("lynis", "index", 91, False),
        ("lynis", "warnings", 0, True),
        ("lynis", "warnings", 1, False),
        ("lynis", "suggestions", 99, None),
        ("docker", "warnings", 2, True),
        ("docker", "warnings", 3, False),
        ("scap", "cis_level1_server", 96.99, False),
    ],
)
def test_floor(judge: str, figure: str, value: float, good: bool | None) -> None:
    assert meets(judge, figure, value) is good


@pytest.mark.parametrize(
    ("findings", "waivers", "accepted", "stale"),
    [
        ([], [], [], []),
        (["A-1"], [ACCEPTED], [ACCEPTED], []),
        (["A-2"], [ACCEPTED], [None], [ACCEPTED]),
        (["A-1"], [Waiver("scap", "A-1", "of a judge that was not heard")], [None], []),
        (["A-1"], [Waiver("lynis", "A-1", "elsewhere", "bookworm")], [None], []),
        (["A-1", "A-1"], [ACCEPTED], [ACCEPTED, ACCEPTED], []),
    ],
)
def test_waivers(
    findings: list[str], waivers: list[Waiver], accepted: list[Waiver | None], stale: list[Waiver]
) -> None:
    verdicts = {"lynis": Verdict({"index": 95}, [Finding(name, "text") for name in findings])}
    found, unused = matched(verdicts, waivers, "trixie")
    assert [waiver for _judge, _finding, waiver in found] == accepted
    assert unused == stale


@pytest.mark.parametrize(
    ("index", "waivers", "good"), [(95, [ACCEPTED], True), (95, [], False), (90, [ACCEPTED], False)]
)
def test_the_table_says_whether_the_audit_is_good(
    index: float, waivers: list[Waiver], good: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {"lynis": Verdict({"index": index}, [Finding("A-1", "some text")])}
    assert show("trixie", {"lynis": Verdict({"index": 62})}, ours, waivers) is good
    shown = capsys.readouterr().out
    assert (
        f"lynis index                           62      {index:g}  >= 92   {'ok' if index > 91 else 'BELOW'}" in shown
    )
    assert ("because" if waivers else "some text") in shown


def test_the_waivers_of_the_project() -> None:
    waivers = read_waivers(WAIVERS)
    names = [(waiver.judge, waiver.finding, waiver.release) for waiver in waivers]
    assert len(set(names)) == len(names)
    assert {waiver.judge for waiver in waivers} <= FLOORS.keys()
    assert all(waiver.reason.strip() for waiver in waivers)

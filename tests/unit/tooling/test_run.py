"""The stage runner: what it counts, what it prints, and that nothing it starts outlives it."""

from __future__ import annotations

import pathlib
import re
import time

import pytest
import yaml
from tests import run
from tests.run import Runner, Stage, count, summary
from tests.sandbox.conftest import SLOT


@pytest.mark.parametrize(
    ("output", "succeeded", "counts"),
    [
        ([], True, (1, 0)),
        ([], False, (0, 1)),
        (["== 12 passed in 0.31s =="], True, (12, 0)),
        (["== 1 failed, 11 passed, 2 skipped in 61.20s (0:01:01) =="], False, (11, 1)),
        (["== 2 passed, 1 error in 0.31s =="], False, (2, 1)),
        (["3 passed in 0.1s", "4 passed in 0.2s"], True, (7, 0)),
        # Something failed after the tests had passed, and the tests' own output is not a summary.
        (["== 12 passed in 0.31s =="], False, (12, 1)),
        (["the 3 failed attempts were 5 passed on"], True, (1, 0)),
    ],
)
def test_count(output: list[str], succeeded: bool, counts: tuple[int, int]) -> None:
    assert count(output, succeeded) == counts


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> list[Stage]:
    stages = [
        Stage("good", "echo '3 passed in 0.1s'"),
        Stage("bad", "sh -c 'echo broken; exit 3'", cores=2),
        Stage("last", "true", cores=2),
    ]
    monkeypatch.setattr(run, "STAGES", {stage.name: stage for stage in stages})
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "LOGS", tmp_path / "logs")
    return stages


def test_every_stage_runs_and_a_failed_one_is_shown(
    stages: list[Stage], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = Runner(cores=2).run(stages)
    assert {each.stage.name: (each.passed, each.failed) for each in outcomes} == {
        "good": (3, 0),
        "bad": (0, 1),
        "last": (1, 0),
    }
    assert "\nbroken\n" in capsys.readouterr().out
    assert (tmp_path / "logs/good.log").read_text() == "3 passed in 0.1s\n"
    assert summary(outcomes, 1.0).splitlines()[-1] == "4 passed, 1 failed"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(run, "STOP_SECONDS", 0.2)


@pytest.mark.usefixtures("quick")
def test_a_stage_that_hangs_is_ended_with_its_children_and_told_apart(stages: list[Stage]) -> None:
    started = time.monotonic()
    stubborn = Stage("good", """sh -c 'trap "" INT; sleep 60 & wait'""", minutes=0)
    outcomes = Runner(cores=2).run([stubborn, stages[1]])
    assert {each.stage.name: (each.verdict, each.failed) for each in outcomes} == {
        "good": ("TIMED OUT after 0 minutes", 1),
        "bad": ("FAILED", 1),
    }
    assert time.monotonic() - started < 10
    hung, failed = summary(outcomes, 1.0).splitlines()[1:3]
    assert re.search(r"\bgood +TIMED OUT after 0 minutes$", hung)
    assert re.search(r"\bbad +FAILED$", failed)


@pytest.mark.usefixtures("quick", "stages")
@pytest.mark.parametrize(("load", "verdict"), [(0.0, "TIMED OUT after 0 minutes"), (1000.0, "ok")])
def test_the_limit_is_longer_on_a_loaded_machine(monkeypatch: pytest.MonkeyPatch, load: float, verdict: str) -> None:
    monkeypatch.setattr(run.os, "getloadavg", lambda: (load, 0.0, 0.0))
    [outcome] = Runner(cores=1).run([Stage("good", "sleep 1", minutes=0.005)])
    assert outcome.verdict == verdict


def test_no_two_stages_have_a_machine_in_common() -> None:
    scenarios = [yaml.safe_load(each.read_text()) for each in (run.ROOT / "molecule").glob("*/molecule.yml")]
    slots = [SLOT, *(int(each["ansible"]["env"]["SANDBOX_SLOT"]) for each in scenarios)]
    assert len(slots) > 1
    assert sorted(slots) == sorted(set(slots))

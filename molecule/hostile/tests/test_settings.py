"""Settings that the engine refuses: the gateway that runs, runs on."""

from __future__ import annotations

import json
import typing as t

import pytest

REFUSED: dict[str, dict[str, object]] = {
    "memory_of_bytes": {"gateway_memory": 2048},
    "memory_with_a_blank": {"gateway_memory": "2 GiB"},
    "more_processors_than_there_are": {"gateway_cpus": 64},
    "a_port_that_is_taken": {"gateway_port": 22},
    "a_log_size_of_words": {"gateway_log_max_size": "ten"},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(paper: t.Any, play: t.Callable[..., t.Any], kind: str) -> None:
    before = paper.running()
    run = play("site.yml", "paper", "--tags", "gateway", "-e", json.dumps(REFUSED[kind]))
    assert paper.running() == before
    assert run.status > 0
    assert next(iter(REFUSED[kind])) in run.printed

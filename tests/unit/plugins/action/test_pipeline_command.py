"""A pipeline on the control node: its output as it comes, its status, its end with the run, and never two at once."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.action import pipeline_command

Result = dict[str, t.Any]


class Play:
    """One call of the action; *answers* are those of the host's modules."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: Result) -> None:
        self.printed: list[tuple[float, str]] = []
        self.told: list[str] = []
        self.asked: list[str] = []
        self.answers = answers
        monkeypatch.setattr(pipeline_command, "_tell", self.told.append)

    def __call__(self, command: str, check: bool = False, **arguments: object) -> Result:
        task = types.SimpleNamespace(
            args={"command": command, "gateway_name": "paper", "seconds": 60.0, **arguments},
            check_mode=check,
            async_val=0,
            diff=False,
        )
        shell = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/tmp"))
        action: t.Any = pipeline_command.ActionModule(
            task=task, connection=shell, play_context=None, loader=None, templar=None, shared_loader_obj=None
        )
        action._display = types.SimpleNamespace(display=lambda text: self.printed.append((time.monotonic(), text)))
        action._execute_module = self.execute
        return t.cast(Result, action.run(task_vars={"inventory_hostname": f"host-{os.getpid()}"}))

    def execute(self, module_name: str, module_args: Result, task_vars: object) -> Result:
        name = module_name.rpartition(".")[2]
        self.asked.append(f"{name} {module_args.get('state', '')}".strip())
        return self.answers.get(name, {})


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    monkeypatch.chdir(tmp_path)
    return Play(monkeypatch)


def python(code: str) -> str:
    return shlex.join([sys.executable, "-u", "-c", code])


def test_a_script_beside_the_caller_prints_as_it_goes(play: Play, tmp_path: Path) -> None:
    script = tmp_path / "trade.sh"
    script.write_text("#!/bin/sh\necho one\nsleep 1\necho two >&2\nprintf three\n")
    script.chmod(0o755)
    result = play("./trade.sh")
    assert (result["rc"], result["lines"]) == (0, ["one", "two", "three"])
    assert [text for _at, text in play.printed] == result["lines"]
    assert play.printed[1][0] - play.printed[0][0] > 0.5
    assert play.asked == []


def test_its_status_is_the_tasks(play: Play) -> None:
    result = play("sh -c 'exit 3'")
    assert result["failed"]
    assert (result["rc"], result["msg"]) == (3, "the pipeline ended with status 3")


def test_a_command_that_is_not_there_names_the_place(play: Play, tmp_path: Path) -> None:
    result = play("./trad.sh")
    assert result["failed"]
    assert result["msg"] == f"./trad.sh cannot be run in {tmp_path}: No such file or directory"


def test_nothing_runs_in_a_check(play: Play) -> None:
    assert play("touch here", check=True) == {"changed": True, "rc": None}
    assert not Path("here").exists()


def test_its_time_is_bounded(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_command, "GRACE_SECONDS", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up'); time.sleep(60)"
    result = play(python(deaf), seconds=1.0)
    assert result["rc"] == -signal.SIGKILL
    assert result["msg"] == "the pipeline was ended when its time was over"
    assert result["elapsed"] < 20


@pytest.mark.parametrize("stopped", [{}, {"failed": True, "msg": "no route"}], ids=["stopped", "unreachable"])
def test_an_interruption_ends_the_pipeline_and_stops_the_gateway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stopped: Result
) -> None:
    monkeypatch.chdir(tmp_path)
    play = Play(monkeypatch, gateway_session=stopped)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        result = play(python("import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('closed my orders')"))
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert result["failed"]
    assert result["lines"] == ["closed my orders"]
    assert play.asked == ["gateway_session stopped"]
    assert play.told[0].endswith("the pipeline was ended; its gateway is being stopped")
    if stopped:
        assert "could not be stopped (no route)" in play.told[1]
        assert "sudo ibgwctl stop paper" in play.told[1]
    else:
        assert play.told[1].endswith("the gateway is stopped")


def test_a_second_run_on_this_machine_starts_nothing(play: Play) -> None:
    with pipeline_command._only_one(f"host-{os.getpid()} paper") as lock:
        assert lock == ""
        result = play("touch here")
    assert (result["failed"], result["busy"]) == (True, True)
    assert "has a pipeline already: that of " in result["msg"]
    assert not Path("here").exists()
    assert play("true")["rc"] == 0


GRANT = {"kind": "manual", "by": "the operator", "started_at": 0.0, "name": ""}


@pytest.mark.parametrize(
    ("grant", "busy"),
    [
        ({**GRANT, "ends_at": 4e9}, True),
        ({**GRANT, "ends_at": 1.0}, False),
        ({**GRANT, "ends_at": 4e9, "name": "outside of the sessions"}, False),
        ({**GRANT, "ends_at": 4e9, "kind": "paper"}, False),
        (None, False),
    ],
)
def test_a_run_elsewhere_that_started_the_gateway_keeps_it(
    monkeypatch: pytest.MonkeyPatch, grant: Result | None, busy: bool
) -> None:
    play = Play(monkeypatch, gateway_info={"session": {"grant": grant}})
    result = play("true", started=False)
    assert result.get("busy", False) is busy
    assert result.get("rc") == (None if busy else 0)

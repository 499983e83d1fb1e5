"""The control node's reaction to a host's answers, and to silence."""

from __future__ import annotations

import collections.abc as c
import signal
import time
import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.ibops.gateway.plugins.action import guarded_files

ARMED = {"state": "armed", "changed": True, "paths": ["/etc/x"], "login": "10.0.0.1 1000 10.0.0.2 22", "diff": ["d"]}
BACK = {"state": "back", "paths": ["/etc/x"], "why": "no new login had proven the change in time"}
LOST = AnsibleConnectionFailure("Permission denied (publickey).")
CRASHED = {"failed": True, "module_stdout": "", "msg": "MODULE FAILURE"}

Answer = dict[str, t.Any] | Exception
Play = c.Callable[..., dict[str, t.Any]]


class Host:
    """Answers step after step as told, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[Answer] = []
        self._shell = types.SimpleNamespace(tmpdir="/tmp")

    def reset(self) -> None:
        self.asked.append("reset")

    def execute(self, module_args: dict[str, t.Any], **_rest: object) -> dict[str, t.Any]:
        self.asked.append(module_args["step"])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host, and a clock that sleep turns on."""
    now = [time.monotonic()]
    clock = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(guarded_files, "time", clock)
    return Host()


@pytest.fixture
def play(host: Host) -> Play:
    def run(*answers: Answer, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        host.answers = list(answers)
        task = types.SimpleNamespace(args={"name": "access", "seconds": 5, **arguments}, check_mode=check, async_val=0)
        action = guarded_files.ActionModule(
            task=task, connection=host, play_context=None, loader=None, templar=None, shared_loader_obj=None
        )
        action._execute_module = host.execute
        return t.cast(dict[str, t.Any], action.run(task_vars={}))

    return run


def test_kept_after_a_new_login(host: Host, play: Play) -> None:
    result = play(ARMED, {"state": "kept"})
    assert host.asked == ["apply", "reset", "keep"]
    assert result == {"changed": True, "paths": ["/etc/x"], "diff": ["d"]}


def test_nothing_to_do_costs_one_run(host: Host, play: Play) -> None:
    assert play({"state": "same", "changed": False}) == {"changed": False}
    assert play({"failed": True, "state": "same", "msg": "refused"})["msg"] == "refused"
    assert play({"failed": True, "msg": "missing required arguments: files"})["failed"]
    assert play({"state": "same", "changed": True}, check=True)["changed"]
    assert host.asked == ["apply"] * 4


def test_another_connection_than_ssh_is_not_reset(host: Host, play: Play) -> None:
    play({**ARMED, "login": None}, {"state": "kept"})
    assert host.asked == ["apply", "keep"]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([ARMED, LOST, BACK], "Permission denied (publickey). The host has put back"),
        ([ARMED, LOST, LOST, LOST, BACK], "Permission denied"),
        ([ARMED, LOST, {"state": "armed"}, {"state": "undo"}, BACK], "Permission denied"),
        ([ARMED, CRASHED, BACK], "ended without an answer (MODULE FAILURE)"),
        ([ARMED, {"state": "armed", "fresh": False}, BACK], "could not be recreated"),
        ([ARMED, BACK, BACK], "the new login came too late"),
        ([LOST, BACK], "Permission denied"),
        ([CRASHED, BACK], "ended without an answer"),
    ],
)
def test_says_what_was_put_back_and_why(host: Host, play: Play, answers: list[Answer], why: str) -> None:
    result = play(*answers, {"state": "none"})
    assert (result["failed"], result["rolled_back"]) == (True, ["/etc/x"])
    assert why in result["msg"]
    assert "put back as it was: /etc/x (no new login had proven the change in time), and a login works" in result["msg"]
    assert host.asked[-1] == "forget"


def test_kept_though_the_answer_was_lost(host: Host, play: Play) -> None:
    assert play(ARMED, LOST, {"state": "none"}) == {"changed": True, "paths": ["/etc/x"], "diff": ["d"]}


def test_lost_before_anything_changed(host: Host, play: Play) -> None:
    assert "Nothing was changed on the host" in play(LOST, {"state": "none"})["msg"]


def test_a_host_that_never_answers_is_unreachable(host: Host, play: Play) -> None:
    with pytest.raises(AnsibleConnectionFailure, match="publickey"):
        play(*[LOST] * 100)
    # Patient, and not so often that sshd bans the address.
    assert 10 < len(host.asked) < 100


def test_bounded_ends_what_hangs_and_gives_back_the_tasks_own_alarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        with pytest.raises(AnsibleConnectionFailure, match="no answer"), guarded_files.bounded(0.05):
            time.sleep(5)
        assert 90 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

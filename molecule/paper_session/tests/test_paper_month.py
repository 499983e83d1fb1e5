"""A pipeline's November 2026: the clocks go back on its first day, and New York's exchange is closed on its 26th.

Every day is lived from before its session until after it. The session is to start at 09:20 in New York, ten minutes
before the pipeline, and to be over at 10:50, whatever becomes of the pipeline, the watcher, the engine.
"""

from __future__ import annotations

import datetime
import time
import typing as t

import pytest
from testinfra.host import Host

NOVEMBER = [datetime.date(2026, 11, day) for day in range(1, 31)]
THANKSGIVING = datetime.date(2026, 11, 26)


def running(host: Host) -> bool:
    return host.check_output("docker inspect --format '{{.State.Running}}' ibgw-paper") == "true"


def stops(host: Host, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while running(host):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    code = host.check_output("docker inspect --format '{{.State.ExitCode}}' ibgw-paper")
    assert code == "0", host.check_output("docker logs --tail 40 ibgw-paper 2>&1")


def starts(host: Host) -> None:
    deadline = time.monotonic() + 10
    while not running(host):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def pipeline_says_done(driven: t.Any, host: Host) -> None:
    assert driven.ibgwctl("wait-ready", "paper").rc == 0
    assert driven.ibgwctl("stop", "paper").rc == 0
    assert not running(host)
    driven.at(f"{driven.day} 10:00")
    assert not running(host), "a session that its pipeline has ended is not served again"


def window_ends(driven: t.Any, host: Host) -> None:
    assert driven.ibgwctl("wait-ready", "paper").rc == 0
    driven.at(f"{driven.day} 10:49")
    assert running(host)
    driven.at(f"{driven.day} 10:50")
    stops(host)


def window_ends_during_start_up(driven: t.Any, host: Host) -> None:
    driven.at(f"{driven.day} 10:50")
    stops(host)


def watcher_is_killed(driven: t.Any, host: Host) -> None:
    host.check_output("systemctl kill --signal=KILL ibgw-watch@paper")
    driven.at(f"{driven.day} 10:50")
    stops(host)


def gateway_is_killed(driven: t.Any, host: Host) -> None:
    host.check_output("docker kill ibgw-paper")
    driven.until(lambda record: record["state"] == "stopped")
    driven.at(f"{driven.day} 09:25")
    starts(host)
    assert driven.record()["window_starts"] == 2
    driven.at(f"{driven.day} 10:50")
    stops(host)


DAYS = [pipeline_says_done, window_ends_during_start_up, window_ends, watcher_is_killed, gateway_is_killed]


@pytest.mark.parametrize("day", NOVEMBER, ids=str)
def test_a_day(driven: t.Any, host: Host, day: datetime.date) -> None:
    driven.day = day
    driven.at(f"{day} 09:19")
    assert not running(host)
    driven.at(f"{day} 09:20")
    if day.isoweekday() > 5 or day == THANKSGIVING:
        assert not running(host)
        return
    starts(host)
    DAYS[day.isoweekday() - 1](driven, host)
    driven.at(f"{day} 11:30")
    assert not running(host)


def test_no_session_was_missed_and_none_outlived_its_time(driven: t.Any) -> None:
    served = [day for day in NOVEMBER if day.isoweekday() < 6 and day != THANKSGIVING]
    events = driven.history()
    starts = [event for event in events if event["event"] == "start"]
    assert len(starts) == len(served) + sum(day.isoweekday() == 5 for day in served)
    assert driven.record()["counts"]["starts"] == len(starts)
    assert not [key for key in driven.alerts() if key.startswith("state/blocked")]

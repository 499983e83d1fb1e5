# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container is replaced, or put back when the new one is refused; the next run finishes one that was killed."""

from __future__ import annotations

import itertools

import pytest
from tests.unit.plugins.deployments import IMAGE, Host, Killed, looked_at

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    EngineError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment

REPLACED = [
    *looked_at("ibgw-paper"),
    "create ibgw-paper.new",
    "stop ibgw-paper",
    "rename ibgw-paper ibgw-paper.old",
    "rename ibgw-paper.new ibgw-paper",
    "start ibgw-paper",
    "remove ibgw-paper.old",
]


def test_the_new_one_is_accepted_before_the_old_one_is_signed_off(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.calls.clear()
    done = host.run(host.order())
    assert (done.step, done.starts, done.changed) == ("replace", True, True)
    assert host.engine.calls == REPLACED
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.text("var/paper/tws_settings/jts.ini") == "[Logon]\nTimeZone=two\n"
    again = host.run(host.order())
    assert (again.step, again.changed, again.diff) == ("none", False, [])
    assert host.engine.calls == REPLACED


def test_check_mode_tells_the_same_and_touches_nothing(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.calls.clear()
    done = host.run(host.order(), check=True)
    assert (done.step, done.changed, bool(done.diff)) == ("replace", True, True)
    assert host.engine.calls == []
    assert host.text("etc/paper/ibc/config.ini.tmpl") == "one"


@pytest.mark.parametrize("refused", ["create ibgw-paper.new", "stop ibgw-paper"])
def test_what_is_refused_before_it_is_down_leaves_it_as_it_was(host: Host, refused: str) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.refused = {refused: "refused by the engine"}
    with pytest.raises(EngineError, match="refused by the engine"):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == "r1"
    assert host.text("etc/paper/ibc/config.ini.tmpl") == "one"
    assert '"r1"' in host.text("etc/paper/gateway.json")


@pytest.mark.parametrize(("mode", "running"), [("paper", True), ("live", False)])
@pytest.mark.parametrize("fault", ["ready", "start", "set aside", "accept"])
def test_the_old_one_is_put_back_with_its_files(
    host: Host, monkeypatch: pytest.MonkeyPatch, mode: str, running: bool, fault: str
) -> None:
    name = f"ibgw-{mode}"
    host.run(host.order(mode, mode, revision="r1", config="one"))
    if fault == "ready":
        host.ready = lambda: False
    else:
        calls = {"start": f"start {name}", "set aside": f"rename {name} {name}.old", "accept": f"rename {name}.new"}
        host.engine.refused = {calls[fault]: "refused"}
        host.engine.kill_at = None
    with pytest.raises((SessionError, EngineError)):
        host.run(host.order(mode, mode, now=True))
    host.engine.refused = {}
    if fault == "start" and mode == "paper":
        # Neither of them can be started.
        running = False
    assert host.engine.running() == ([name] if running else [])
    assert host.engine.revision(name) == "r1"
    assert list(host.engine.all) == [name]
    assert host.text(f"etc/{mode}/ibc/config.ini.tmpl") == "one"
    assert host.text(f"var/{mode}/tws_settings/jts.ini") == "[Logon]\nTimeZone=one\n"


def test_what_was_down_is_down_again(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "exited")
    host.ready = lambda: False
    with pytest.raises(SessionError, match=r"not ready but .* Next step: .* The container before is back, and down\.$"):
        host.run(host.order())
    assert (host.engine.revision("ibgw-paper"), host.engine.running()) == ("r1", [])


def test_a_first_one_that_does_not_become_ready_is_stopped(host: Host) -> None:
    host.ready = lambda: False
    with pytest.raises(SessionError, match="The gateway is down"):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], [])


def test_an_image_and_a_push_are_seen_to_before_anything_is_touched(host: Host) -> None:
    host.engine.images.clear()
    host.ready = lambda: pytest.fail("there is nothing to wait for")
    done = host.run(host.order())
    assert (done.needs, done.image) == ("image", None)
    host.engine.images.add(IMAGE)
    order = host.order("live", "live")
    assert GatewayDeployment(order, host.control(order)).run(False).needs == "push"
    assert host.engine.calls == looked_at("ibgw-live")
    # Until it goes on, it has the lease.
    with pytest.raises(BusyError, match="Ann"):
        host.run(order, owner="Bob")
    host.ready = lambda: True
    host.run(order)
    assert host.engine.running() == ["ibgw-live"]


def test_a_replacement_that_nobody_starts_leaves_one_container_down(host: Host) -> None:
    host.engine.made("ibgw-live", "r1", "running", "live")
    done = host.run(host.order("live", "live", now=True, start="never"))
    assert (done.step, list(host.engine.all), host.engine.running()) == ("replace", ["ibgw-live"], [])
    assert host.engine.revision("ibgw-live") == "r2"


@pytest.mark.parametrize("revision", ["r2", "r3"])
@pytest.mark.parametrize("cut", range(len(REPLACED)))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(host: Host, cut: int, revision: str) -> None:
    host.run(host.order(revision="r1", config="one"))
    host.engine.calls.clear()
    host.engine.kill_at = cut
    with pytest.raises(Killed):
        host.run(host.order(start="if_running"))
    host.engine.kill_at = None
    # A gateway that ran is not left down because it was about to be replaced.
    host.run(host.order(start="if_running", revision=revision))
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == revision
    assert host.run(host.order(start="if_running", revision=revision)).changed is False


@pytest.mark.parametrize("names", [each for n in range(4) for each in itertools.combinations(("", ".new", ".old"), n)])
@pytest.mark.parametrize("status", ["running", "exited"])
@pytest.mark.parametrize("revision", ["r1", "r2"])
def test_whatever_is_left_behind_one_container_runs_in_the_end(
    host: Host, names: tuple[str, ...], status: str, revision: str
) -> None:
    for name in names:
        host.engine.made(f"ibgw-paper{name}", "r1", status if name == "" else "exited")
    host.run(host.order(revision=revision))
    assert (list(host.engine.all), host.engine.running()) == (["ibgw-paper"], ["ibgw-paper"])
    assert host.engine.revision("ibgw-paper") == revision


def test_what_runs_and_was_never_proven_falls_back_to_what_was(host: Host) -> None:
    host.engine.made("ibgw-paper.old", "r1", "exited")
    host.engine.made("ibgw-paper", "r2", "running")
    host.ready = lambda: False
    with pytest.raises(SessionError):
        host.run(host.order())
    assert (list(host.engine.all), host.engine.revision("ibgw-paper")) == (["ibgw-paper"], "r1")


def test_a_frozen_container_is_there(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "paused")
    with pytest.raises(Refused, match="docker unpause ibgw-paper"):
        host.run(host.order())
    assert host.engine.calls == []

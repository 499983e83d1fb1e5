"""The engine's settings on a host that has some: merged, refused by name, backed up, and taken back."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.neighbours import Neighbour
from ansible_collections.ibops.gateway.plugins.module_utils.host import docker_daemon as daemon
from ansible_collections.ibops.gateway.plugins.module_utils.host import facts, pending
from ansible_collections.ibops.gateway.plugins.modules import docker_daemon as module

WANTED = {"live-restore": True, "icc": False}


class Machine:
    """A host with Docker's own engine; *around* are its containers, *ran* the commands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.installed = dict.fromkeys(daemon.OF_DOCKER, "install")
        self.around: list[Neighbour] = []
        self.ran: list[str] = []
        self.answers = True
        self.path = root / "docker/daemon.json"

    def write(self, **settings: t.Any) -> str:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(settings))
        return self.path.read_text()

    @property
    def settings(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = json.loads(self.path.read_text())
        return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    monkeypatch.setattr(daemon, "PATH", str(found.path))
    monkeypatch.setattr(daemon, "BACKUP", f"{found.path}.before-ibgw")
    monkeypatch.setattr(daemon, "RECORD", str(tmp_path / "record.json"))
    monkeypatch.setattr(daemon, "WHOLE", str(tmp_path / "whole"))
    monkeypatch.setattr(daemon, "flags", set)
    monkeypatch.setattr(daemon, "selections", lambda: found.installed)
    monkeypatch.setattr(facts, "distribution", lambda: {"id": "debian", "version": "13", "codename": "trixie"})
    monkeypatch.setattr(module, "around", lambda: found.around)

    def platform(_engine: object) -> str:
        if not found.answers:
            raise EngineError("nobody")
        return "linux/amd64"

    def run(_memory: object, commands: list[str], _paths: object) -> None:
        found.ran += commands

    monkeypatch.setattr(module.Engine, "platform", platform)
    memory = pending.Memory(str(tmp_path / "pending.json"))
    monkeypatch.setattr(pending, "Memory", lambda: memory)
    monkeypatch.setattr(pending, "run", run)
    return found


def test_predicts_merges_and_then_changes_nothing(run_module: t.Any, machine: Machine) -> None:
    before = machine.write(mtu=1400, dns=["10.0.0.2"])
    predicted = run_module(module.main, settings=WANTED, check=True)
    assert (machine.path.read_text(), machine.ran) == (before, [])
    done = run_module(module.main, settings=WANTED)
    assert (predicted["diff"], predicted["commands"]) == (done["diff"], list(daemon.COMMANDS))
    assert machine.settings == {"mtu": 1400, "dns": ["10.0.0.2"], **WANTED}
    assert Path(daemon.BACKUP).read_text() == before
    assert machine.ran == list(daemon.COMMANDS)
    assert (done["source"], done["missing"], done["engine"]) == ("docker", [], True)


def settle(run_module: t.Any, machine: Machine) -> None:
    run_module(module.main, settings=WANTED)
    # As pending.run does.
    (machine.root / "pending.json").unlink(missing_ok=True)
    machine.ran.clear()


def test_a_second_run_changes_nothing(run_module: t.Any, machine: Machine) -> None:
    machine.write(mtu=1400)
    settle(run_module, machine)
    again = run_module(module.main, settings=WANTED)
    assert (again["changed"], again["diff"], machine.ran) == (False, [], [])


def test_a_conflict_is_refused_by_name(run_module: t.Any, machine: Machine) -> None:
    before = machine.write(**{"live-restore": False, "icc": True})
    for check in (True, False):
        refused = run_module(module.main, settings=WANTED, host="p1", check=check)
        assert refused["failed"] is True
        assert [each["id"] for each in refused["problems"]] == ["engine-setting-conflict"] * 2
        assert "p1: docker_engine_settings:" in refused["msg"]
        assert "has icc: true, and false is wanted. Fix: keep the host's by giving icc the value true" in refused["msg"]
    assert machine.path.read_text() == before
    assert not Path(daemon.RECORD).exists()


def test_settings_are_taken_back_and_those_of_others_stay(run_module: t.Any, machine: Machine) -> None:
    machine.write(mtu=1400, icc=False)
    settle(run_module, machine)
    assert run_module(module.main, settings={})["changed"] is True
    assert machine.settings == {"mtu": 1400, "icc": False}


def test_a_changed_setting_of_ours_is_no_conflict_and_an_edit_by_hand_is(run_module: t.Any, machine: Machine) -> None:
    settle(run_module, machine)
    assert run_module(module.main, settings={**WANTED, "icc": True})["changed"] is True
    machine.write(**{**WANTED, "icc": None})
    assert run_module(module.main, settings=WANTED)["problems"][0]["id"] == "engine-setting-conflict"


def test_what_an_earlier_release_wrote_whole_is_ours(run_module: t.Any, machine: Machine) -> None:
    """As to_nice_json wrote it; any other form is the host's own, whatever the mark says."""
    machine.write()
    Path(daemon.WHOLE).touch()
    older = {**WANTED, "icc": True}
    machine.path.write_text(json.dumps(older, indent=4, sort_keys=True) + "\n")
    assert run_module(module.main, settings=WANTED)["changed"] is True
    assert machine.settings == WANTED
    Path(daemon.RECORD).unlink()
    machine.write(mtu=1400)
    run_module(module.main, settings={})
    assert machine.settings == {"mtu": 1400}


def test_a_lost_or_damaged_record_takes_nothing_of_the_hosts(run_module: t.Any, machine: Machine) -> None:
    machine.write(**{"data-root": "/srv/docker"})
    settle(run_module, machine)
    Path(daemon.WHOLE).touch()
    for lose in (lambda: Path(daemon.RECORD).write_text("{"), Path(daemon.RECORD).unlink):
        lose()
        run_module(module.main, settings={})
        assert machine.settings["data-root"] == "/srv/docker"


def test_the_backup_stays_that_of_the_hosts_own_file(run_module: t.Any, machine: Machine) -> None:
    before = machine.write(mtu=1400)
    settle(run_module, machine)
    assert run_module(module.main, settings={**WANTED, "icc": True})["changed"] is True
    assert Path(daemon.BACKUP).read_text() == before


@pytest.mark.parametrize(
    "text",
    ['"https-proxy": "http://u:top/secret@p:1"', '"http-proxy": "u:top@secret@p:1"', '"splunk-token": "top secret"'],
)
def test_no_secret_of_the_hosts_file_is_shown(text: str) -> None:
    shown = daemon.hidden(text)
    assert "(hidden)" in shown
    assert "top" not in shown
    assert "secret" not in shown


def test_options_of_a_driver_that_nobody_named_are_a_conflict(run_module: t.Any, machine: Machine) -> None:
    before = machine.write(**{"log-opts": {"max-size": "10m"}})
    refused = run_module(module.main, settings={**WANTED, "log-driver": "journald"})
    assert [each["id"] for each in refused["problems"]] == ["engine-setting-conflict"]
    assert machine.path.read_text() == before
    assert run_module(module.main, settings={**WANTED, "log-driver": "json-file"})["changed"] is True


def test_the_mark_of_this_release_makes_nothing_ours(run_module: t.Any, machine: Machine) -> None:
    machine.write(**WANTED)
    assert run_module(module.main, settings=WANTED)["changed"] is False
    Path(daemon.WHOLE).touch()
    assert run_module(module.main, settings={})["changed"] is False


def test_other_containers_are_named_before_a_restart(run_module: t.Any, machine: Machine) -> None:
    before = machine.write(mtu=1400)
    machine.around = [Neighbour("web"), Neighbour("db"), Neighbour("ibgw-live", gateway="live")]
    refused = run_module(module.main, settings=WANTED)
    assert [each["id"] for each in refused["problems"]] == ["engine-serves-others"]
    assert "runs db, web, not of this collection, and has to be restarted for icc, live-restore" in refused["msg"]
    assert "-e docker_engine_with_containers=true" in refused["msg"]
    # And what the consent is to, beside the restart.
    assert "afterwards containers on the default bridge no longer reach one another" in refused["msg"]
    assert (machine.path.read_text(), machine.ran) == (before, [])
    assert run_module(module.main, settings=WANTED, with_containers=True)["containers"] == ["db", "web"]
    assert machine.ran == list(daemon.COMMANDS)


def test_other_containers_stand_in_no_way_where_nothing_changes(run_module: t.Any, machine: Machine) -> None:
    machine.write(**WANTED)
    machine.around = [Neighbour("web")]
    assert run_module(module.main, settings=WANTED)["changed"] is False


def test_a_file_that_the_engine_does_not_read(run_module: t.Any, machine: Machine) -> None:
    machine.path.parent.mkdir()
    machine.path.write_text("{,}")
    assert [each["id"] for each in run_module(module.main, settings=WANTED)["problems"]] == ["engine-settings-damaged"]


def test_an_engine_of_no_package(run_module: t.Any, machine: Machine) -> None:
    machine.installed = {}
    assert [each["id"] for each in run_module(module.main, settings={})["problems"]] == ["engine-not-packaged"]
    machine.answers = False
    done = run_module(module.main, settings={}, source="docker")
    assert (done["engine"], done["missing"]) == (False, list(daemon.OF_DOCKER))


def test_a_restart_that_a_cut_run_left_is_made_up_for(run_module: t.Any, machine: Machine) -> None:
    run_module(module.main, settings=WANTED)
    machine.ran.clear()
    # Nothing has forgotten them.
    assert run_module(module.main, settings=WANTED)["commands"] == list(daemon.COMMANDS)
    assert machine.ran == list(daemon.COMMANDS)

"""A gateway is taken off its host: predicted, signed off, removed by its exact name, and then nothing is left."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.neighbours import Neighbour
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import Lease
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import removal
from ansible_collections.ibops.gateway.plugins.modules import gateway_removal

ROOT = Path(__file__).parents[4]
UNITS = ("ibgw-watch@paper.service", "ibgw-vpc-paper.socket", "ibgw-vpc-paper.service", "ibgw-vpc-paper-2.socket")


class Host:
    """Folders that stand in for those of a host; *ran* are the commands."""

    def __init__(self, root: Path) -> None:
        self.systemd, self.firewall, self.etc, self.var = (root / each for each in ("systemd", "nft", "etc", "var"))
        self.ran: list[str] = []
        self.asked: list[str] = []


@pytest.fixture
def host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deploy: t.Any, fake_engine: t.Any, command_server: t.Any
) -> Host:
    found = Host(tmp_path)
    for folder in ("multi-user.target.wants", "sockets.target.wants"):
        (found.systemd / folder).mkdir(parents=True)
    for unit in UNITS[1:]:
        (found.systemd / unit).touch()
    (found.systemd / "multi-user.target.wants" / UNITS[0]).symlink_to("/nowhere")
    found.firewall.mkdir()
    for name in ("access-paper.nft", "access-paper-2.nft"):
        (found.firewall / name).touch()
    monkeypatch.setattr(removal, "SYSTEMD", str(found.systemd))
    monkeypatch.setattr(removal, "FIREWALL", str(found.firewall))
    monkeypatch.setattr(gateway_removal.facts, "services", lambda _units: {"docker.service": {"exists": True}})
    monkeypatch.setattr(gateway_removal, "run", lambda *command: found.ran.append(" ".join(command)))

    def asked(command: str) -> None:
        found.asked.append(command)
        fake_engine.exit(0)

    command_server.on_command = asked
    deploy(command_port=command_server.port)
    deploy(name="paper-2", container="ibgw-paper-2")
    (found.var / "paper/tws_settings").mkdir(parents=True)
    fake_engine.labels = {"ibops.gateway.name": "paper", "ibops.gateway.mode": "paper"}
    return found


def test_predicts_removes_and_then_changes_nothing(run_module: t.Any, host: Host, fake_engine: t.Any) -> None:
    predicted = run_module(gateway_removal.main, gateway_name="paper", check=True)
    assert (fake_engine.status, host.ran) == ("running", [])
    done = run_module(gateway_removal.main, gateway_name="paper")
    assert (predicted["goes"], predicted["diff"]) == (done["goes"], done["diff"])
    assert {"container ibgw-paper", "unit ibgw-watch@paper.service", f"file {host.etc}/paper"} <= set(done["goes"])
    assert done["others"] == ["paper-2"]
    assert "STOP" in host.asked
    assert not fake_engine.exists
    assert not (host.etc / "paper").exists()
    # The other gateway's name only begins with this one's.
    assert (host.systemd / "ibgw-vpc-paper-2.socket").exists()
    assert (host.firewall / "access-paper-2.nft").exists()
    assert (host.etc / "paper-2/gateway.json").exists()
    assert "systemctl disable --now ibgw-watch@paper.service" in host.ran
    assert host.ran[-2:] == ["systemctl daemon-reload", "systemctl try-reload-or-restart nftables.service"]
    # The settings and the history stay, and it is said where.
    assert done["stays"] == [f"{host.var}/paper (settings of the gateway, and the session's history)"]
    assert '"event": "removed"' in (host.var / "paper/session/history.jsonl").read_text()
    again = run_module(gateway_removal.main, gateway_name="paper")
    assert (again["changed"], again["goes"], again["stays"]) == (False, [], done["stays"])


def test_with_its_data_nothing_is_left(run_module: t.Any, host: Host) -> None:
    run_module(gateway_removal.main, gateway_name="paper")
    assert run_module(gateway_removal.main, gateway_name="paper", data=True)["goes"] == [f"file {host.var}/paper"]
    assert not (host.var / "paper").exists()
    assert run_module(gateway_removal.main, gateway_name="paper", data=True)["changed"] is False


def test_a_live_gateway_that_runs_takes_explicit_words(
    run_module: t.Any, host: Host, deploy: t.Any, fake_engine: t.Any
) -> None:
    fake_engine.labels["ibops.gateway.mode"] = "live"
    for check in (True, False):
        refused = run_module(gateway_removal.main, gateway_name="paper", check=check)
        assert refused["failed"] is True
        assert "is live and runs (ibgw-paper)" in refused["msg"]
        assert "-e remove_running_live=true" in refused["msg"]
    assert (fake_engine.status, host.ran) == ("running", [])
    assert run_module(gateway_removal.main, gateway_name="paper", running_live=True)["changed"] is True
    assert not fake_engine.exists


def test_a_live_gateway_that_was_started_since_the_first_look_is_not_touched(
    run_module: t.Any, deploy: t.Any, host: Host, fake_engine: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine.labels["ibops.gateway.mode"] = "live"
    fake_engine.status = "exited"
    look = gateway_removal.around

    def around() -> list[t.Any]:
        found = look()
        fake_engine.status = "running"
        return found

    monkeypatch.setattr(gateway_removal, "around", around)
    refused = run_module(gateway_removal.main, gateway_name="paper")
    assert "is live and runs (ibgw-paper)" in refused["msg"]
    assert (fake_engine.status, host.ran) == ("running", [])


def test_who_acts_on_it_is_not_disturbed(run_module: t.Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.ibops.gateway.plugins.module_utils.agent.session.acting.PATIENCE", 0.0)
    with Lease(str(host.var / "paper/session"), "paper").held("ann", "an upgrade", keep=lambda: 60.0):
        pass
    refused = run_module(gateway_removal.main, gateway_name="paper", lease_owner="bob")
    assert "busy: an upgrade by ann" in refused["msg"]
    assert host.ran == []


def test_what_a_cut_run_left_is_finished(run_module: t.Any, host: Host, fake_engine: t.Any) -> None:
    (host.etc / "paper/gateway.json").unlink()
    assert run_module(gateway_removal.main, gateway_name="paper")["changed"] is True
    assert not fake_engine.exists
    assert run_module(gateway_removal.main, gateway_name="paper")["changed"] is False


def test_a_container_of_somebody_else_is_left(run_module: t.Any, host: Host, fake_engine: t.Any) -> None:
    fake_engine.labels = {}
    refused = run_module(gateway_removal.main, gateway_name="paper")
    assert "is not gateway paper of role gateway (not of this collection)" in refused["msg"]
    assert (fake_engine.exists, host.ran) == (True, [])


def test_a_client_portal_gateway_is_left_and_keeps_what_the_host_has_for_all(run_module: t.Any, host: Host) -> None:
    (host.etc / "web").mkdir()
    (host.etc / "web/client_portal.json").touch()
    refused = run_module(gateway_removal.main, gateway_name="web")
    assert "gateway web of this host is a Client Portal Gateway" in refused["msg"]
    assert (host.etc / "web").exists()
    assert run_module(gateway_removal.main, gateway_name="paper")["others"] == ["paper-2", "web"]


def test_what_never_was_is_no_change(run_module: t.Any, host: Host) -> None:
    found = run_module(gateway_removal.main, gateway_name="other")
    assert (found["changed"], found["goes"], found["others"]) == (False, [], ["paper", "paper-2"])
    assert not (host.var / "other").exists()


def test_the_container_that_was_replaced_goes_too() -> None:
    around = [Neighbour(f"ibgw-x{each}", False, "x", "tws") for each in ("", ".new", ".old", ".image")]
    assert removal.plan("x", around, False).containers == tuple(each.name for each in around)


def test_every_unit_that_a_role_writes_for_a_gateway_is_known() -> None:
    pattern = re.compile(r"/etc/systemd/system/(ibgw-[\w@-]*)\{\{ gateway_name \}\}(\.\w+)")
    texts = [path.read_text() for path in ROOT.glob("roles/*/vars/**/*.yml") if "client_portal" not in str(path)]
    written = {f"{start}{{}}{end}" for text in texts for start, end in pattern.findall(text)}
    assert len(written) > 4
    assert written <= set(removal.UNITS)

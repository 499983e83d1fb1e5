"""What site.yml and upgrade.yml refuse, before anything is touched: the hosts of these inventories do not exist."""

from __future__ import annotations

import copy
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml

DIGEST = "registry.example/ib-gateway@sha256:" + "0" * 64
PORTAL = {"gateway_stack": "client_portal"}
INVENTORY: dict[str, t.Any] = {
    "gateways": {
        "vars": {"gateway_image": DIGEST, "ansible_host": "192.0.2.1"},
        "children": {
            "paper": {
                "hosts": {"p1": {"gateway_mode": "paper", "gateway_user": "alice", "gateway_password": "top-secret"}}
            },
            "live": {
                "hosts": {
                    "l1": {"gateway_mode": "live", "gateway_user": "bob", "gateway_password": "top-secret"},
                    "l2": {
                        "gateway_mode": "live",
                        "gateway_user": "carol",
                        "gateway_password": "top-secret",
                        "gateway_name": "second",
                        "gateway_port": 5001,
                    },
                }
            },
        },
    },
}

SESSION = {"name": "open", "days": ["mon"], "time": "16:30", "zone": "UTC", "lead_minutes": 5, "max_minutes": 60}


def site(
    tmp_path: pathlib.Path,
    root: pathlib.Path,
    *arguments: str,
    playbook: str = "site.yml",
    **variables: dict[str, object],
) -> str:
    """Run a playbook with the variables changed host by host; return what it printed (it must fail, and early)."""
    inventory = copy.deepcopy(INVENTORY)
    for group in inventory["gateways"]["children"].values():
        for host, host_variables in group["hosts"].items():
            host_variables.update(variables.get(host, {}))
    source = tmp_path / "hosts.yml"
    source.write_text(yaml.safe_dump(inventory, sort_keys=False))
    command = [f"{pathlib.Path(sys.executable).parent}/ansible-playbook", playbook, "-i", str(source), *arguments]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2, run.stdout + run.stderr
    assert "Make the machine" not in run.stdout
    assert "unreachable=1" not in run.stdout
    assert "top-secret" not in run.stdout + run.stderr
    return " ".join(run.stdout.split())


def test_without_a_limit_no_live_gateway_is_touched(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    printed = site(tmp_path, pytestconfig.rootpath)
    assert "l1 is a live gateway and this run has no limit" in printed
    assert "nothing was touched, on no host" in printed


def test_without_a_limit_but_told_so_the_run_goes_on_to_the_settings(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    printed = site(tmp_path, pytestconfig.rootpath, "-e", "gateway_touch_live=true", p1={"gateway_user": ""})
    assert "gateway_user: it is missing or blank" in printed


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"p1": {"gateway_mode": "papr"}}, "gateway_mode must be one of: paper, live, got: papr"),
        ({"p1": {"gateway_password": " top-secret"}}, "gateway_password: it begins or ends with a blank"),
        ({"p1": {"gateway_image": "ghcr.io/gnzsnz/ib-gateway:stable"}}, "is a tag"),
        ({"p1": {"gateway_port": "four"}}, "gateway_port"),
        ({"p1": {"gateway_auto_restart_time": "22:00"}}, "hh:mm AM or hh:mm PM"),
        ({"p1": {"gateway_access": ["vcp"]}}, "Got no match for: vcp"),
        ({"p1": {"gateway_access": ["vpc"], "access_vpc_from": ["0.0.0.0/0"]}}, "not within a private network"),
        ({"p1": {"access_vpc_port": "four"}}, "access_vpc_port"),
        ({"p1": {"gateway_access": ["ssh_tunnel"]}}, "access_ssh_tunnel_bastion: it is empty"),
        (
            {"p1": {"gateway_paper_sessions": [{**SESSION, "zone": "New York"}]}},
            "gateway_paper_sessions[0].zone: 'New York' is not",
        ),
        ({"p1": {"gateway_paper_sessions": [{**SESSION, "days": ["funday"]}]}}, "found in gateway_paper_sessions"),
        (
            {"p1": {"session_alerts": [{"kind": "slack", "url": "http://top-secret"}]}},
            "session_alerts[0].url: it is not",
        ),
        ({"p1": {"session_sign_in_pushes": "99"}}, "session_sign_in_pushes: 99 is not a whole number from 1 to 5"),
        ({"l1": {"gateway_user": "Alice"}}, "p1 and l1 have the same IBKR user"),
        ({"l2": {"gateway_user": "bob"}}, "l1 and l2 have the same IBKR user"),
        ({"l1": {"gateway_user": "alice", "gateway_stack": "client_portal"}}, "p1 and l1 have the same IBKR user"),
        ({"p1": {"gateway_stack": "web"}}, "gateway_stack must be one of: tws, client_portal, got: web"),
        ({"p1": {**PORTAL, "client_portal_allow": ["*"]}}, "client_portal_allow: an address is digits"),
        ({"p1": {**PORTAL, "client_portal_remote": "http://api.ibkr.com"}}, "has to begin with https://"),
        ({"p1": {**PORTAL, "client_portal_environment": {"IBEAM_ACCOUNT": "x"}}}, "IBEAM_ACCOUNT is set by the role"),
        ({"p1": {**PORTAL, "client_portal_tickle_seconds": 600}}, "client_portal_tickle_seconds: 600 is not 0"),
        ({"p1": {**PORTAL, "client_portal_keystore": "/x.jks"}}, "all three or none"),
        (
            {"p1": {**PORTAL, "gateway_mode": "live", "gateway_name": "first"}},
            "client_portal_accept_pushes: the image signs in again",
        ),
        ({"l1": PORTAL, "l2": {**PORTAL, "gateway_port": 5000}}, "l1 and l2 share a VM and publish port 5000"),
        ({"l2": {"gateway_name": "live", "gateway_port": 4001}}, "l1 and l2 share a VM and publish port 4001"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_paper_run_refuses(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, variables: dict[str, dict[str, object]], said: str
) -> None:
    assert said in site(tmp_path, pytestconfig.rootpath, "-l", "paper", **variables)


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("-l", "paper"), {"p1": {"gateway_image": "ghcr.io/gnzsnz/ib-gateway:stable"}}, "is a tag"),
        (("-l", "paper", "-e", f"gateway_image={DIGEST}"), {}, "could not be taken back"),
        (("-l", "live"), {}, f"l1: no paper gateway of this run has tried {DIGEST}"),
        (("-e", "gateway_apply=now"), {"p1": {"gateway_user": ""}}, "gateway_user: it is missing or blank"),
    ],
    ids=["tag", "command line", "untried", "settings"],
)
def test_an_upgrade_refuses(
    tmp_path: pathlib.Path,
    pytestconfig: pytest.Config,
    arguments: tuple[str, ...],
    variables: dict[str, dict[str, object]],
    said: str,
) -> None:
    assert said in site(tmp_path, pytestconfig.rootpath, *arguments, playbook="playbooks/upgrade.yml", **variables)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "l1 is a live gateway and this run has no limit"),
        (("-l", "paper", "-e", "desktop=ajar"), "desktop: ajar for desktop_minutes: 15 cannot be done"),
        (("-l", "paper", "-e", "desktop_minutes=0"), "a whole number from 1 to 120"),
        (("-l", "paper", "-e", "desktop_minutes=121"), "a whole number from 1 to 120"),
        (("-l", "paper", "-e", "desktop_minutes=1.5"), "a whole number from 1 to 120"),
    ],
)
def test_a_desktop_refuses(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, arguments: tuple[str, ...], said: str
) -> None:
    assert said in site(tmp_path, pytestconfig.rootpath, *arguments, playbook="playbooks/desktop.yml")

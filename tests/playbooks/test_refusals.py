"""Playbooks and roles refuse settings before anything is touched: the hosts of these inventories do not exist."""

from __future__ import annotations

import collections
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from tests.playbooks.bad_inputs import BAD, MISSPELT

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

UNSET = object()
SESSION = {"name": "open", "days": ["mon"], "time": "16:30", "zone": "UTC", "lead_minutes": 5, "max_minutes": 60}


class Refusal(t.NamedTuple):
    """The output of a run that failed early, and its problems: host, id, variable."""

    text: str
    problems: set[tuple[str, str, str]]


def site(
    tmp_path: pathlib.Path,
    root: pathlib.Path,
    *arguments: str,
    playbook: str = "site.yml",
    **variables: dict[str, object],
) -> Refusal:
    """Run a playbook with the variables changed, or UNSET, host by host; it must fail, and early."""
    inventory = copy.deepcopy(INVENTORY)
    for group in inventory["gateways"]["children"].values():
        for host, host_variables in group["hosts"].items():
            changed = host_variables | variables.get(host, {})
            group["hosts"][host] = {name: value for name, value in changed.items() if value is not UNSET}
    source = tmp_path / "hosts.yml"
    source.write_text(yaml.safe_dump(inventory, sort_keys=False))
    return refused(root, source, playbook, *arguments)


def refused(root: pathlib.Path, source: pathlib.Path, playbook: str, *arguments: str) -> Refusal:
    """Run a playbook on the hosts of *source*; it must fail, and early."""
    command = [f"{pathlib.Path(sys.executable).parent}/ansible-playbook", playbook, "-i", str(source), *arguments]
    environment = os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2, run.stdout + run.stderr
    assert "top-secret" not in run.stdout + run.stderr
    told = json.loads(run.stdout[run.stdout.index("{") :])
    assert not [name for name, stats in told["stats"].items() if stats["unreachable"]]
    tasks = [task for play in told["plays"] for task in play["tasks"]]
    assert "Make the machine" not in [task["task"]["name"] for task in tasks]
    found = [each for task in tasks for result in task["hosts"].values() for each in result.get("problems", ())]
    messages = [str(result.get("msg", "")) for task in tasks for result in task["hosts"].values()]
    return Refusal(
        " ".join(" ".join(messages).split()), {(each["host"], each["id"], each["variable"]) for each in found}
    )


def test_without_a_limit_no_live_gateway_is_touched(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    printed = site(tmp_path, pytestconfig.rootpath).text
    assert "l1 is a live gateway and this run has no limit" in printed
    assert "nothing was touched, on no host" in printed


def test_without_a_limit_but_told_so_the_run_goes_on_to_the_settings(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    refusal = site(tmp_path, pytestconfig.rootpath, "-e", "gateway_touch_live=true", p1={"gateway_user": ""})
    assert refusal.problems == {("p1", "required", "gateway_user")}


def test_all_problems_of_all_hosts_at_once(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    p1: dict[str, object] = {
        "gateway_password": " top-secret",
        "gateway_readonly_api": False,
        "gateway_pasword": "top-secret",
        "gateway_accounts": "DU1234567",
        "gateway_access": ["vpc"],
        "access_vpc_addresses": ["10.0.0.1"],
        "access_vpc_from": ["0.0.0.0/0"],
        "gateway_paper_sessions": [{**SESSION, "zone": "New York"}],
        "session_alerts": [{"kind": "slack", "url": "http://top-secret"}],
        "session_sign_in_pushes": "99",
        "docker_engine_source": "foo",
        "hardening_shh_from": [],
        "hardening_ssh_rsa_bits": 1024,
        "gateway_memory": "{{ nope }}",
    }
    l1: dict[str, object] = {
        **PORTAL,
        "gateway_user": "alice",
        "client_portal_allow": ["*"],
        "gateway_port": 5001,
        "session_interval": 5,
        "session_sign_in_at": ["sun 10:00"],
    }
    refusal = site(tmp_path, pytestconfig.rootpath, "-e", "gateway_touch_live=true", p1=p1, l1=l1)
    assert refusal.problems == {
        ("p1", "credential-unrepresentable", "gateway_password"),
        ("p1", "unknown-name", "gateway_readonly_api"),
        ("p1", "unknown-name", "gateway_pasword"),
        ("p1", "not-a-list", "gateway_accounts"),
        ("p1", "source-public", "access_vpc_from"),
        ("p1", "session-value", "gateway_paper_sessions[0].zone"),
        ("p1", "channel-not-https", "session_alerts[0].url"),
        ("p1", "not-a-number-within", "session_sign_in_pushes"),
        ("p1", "not-a-choice", "docker_engine_source"),
        ("p1", "unknown-name", "hardening_shh_from"),
        ("p1", "ssh-rsa-bits-few", "hardening_ssh_rsa_bits"),
        ("p1", "not-rendered", "gateway_memory"),
        ("l1", "portal-allow", "client_portal_allow"),
        ("l1", "portal-pushes", "client_portal_accept_pushes"),
        ("l1", "not-a-number-within", "session_interval"),
        ("l1", "sign-in-of-portal", "session_sign_in_at"),
        ("l1", "user-shared", "gateway_user"),
        ("l2", "gateway-port-shared", "gateway_port"),
    }


@pytest.mark.parametrize(
    ("l1", "problem"),
    [
        ({"gateway_user": "Alice"}, ("p1", "user-shared", "gateway_user")),
        ({"gateway_user": "alice", "gateway_stack": "client_portal"}, ("p1", "user-shared", "gateway_user")),
        ({"gateway_user": "{{ nope }}", "gateway_port": 4002}, ("p1", "gateway-port-shared", "gateway_port")),
    ],
    ids=["user", "user of the portal", "port"],
)
def test_a_gateway_that_is_not_in_the_run_counts(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, l1: dict[str, object], problem: tuple[str, str, str]
) -> None:
    assert site(tmp_path, pytestconfig.rootpath, "-l", "paper", l1=l1).problems == {problem}


@pytest.mark.parametrize("switch", ["gateway_validated", "__ibgw_validated"])
def test_nothing_that_a_user_says_switches_it_off(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, switch: str
) -> None:
    """Refused neither by the first play nor by a role that is used alone."""
    extra = {switch: {"covered": {"run": "x", "hosts": {"p1": ["gateway"]}}}}
    alone = tmp_path / "alone.yml"
    alone.write_text(yaml.safe_dump([{"hosts": "p1", "gather_facts": False, "roles": ["ibops.gateway.gateway"]}]))
    for playbook in ("site.yml", str(alone)):
        p1 = {"gateway_user": "Alice", "gateway_memory": "2048"}
        arguments = ("-l", "p1", "-e", json.dumps(extra))
        found = site(tmp_path, pytestconfig.rootpath, *arguments, playbook=playbook, p1=p1).problems
        assert {("p1", "user-capitals", "gateway_user"), ("p1", "container-size", "gateway_memory")} <= found


def test_a_role_alone_has_the_variables_of_its_play(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    play = {
        "hosts": "p1",
        "gather_facts": False,
        "vars": {"gateway_mode": "papr", "gateway_port": "{{ 6 }}"},
        "roles": [{"role": "ibops.gateway.gateway", "gateway_name": "My Gateway"}],
    }
    alone = tmp_path / "alone.yml"
    alone.write_text(yaml.safe_dump([play]))
    # Ansible's own check of the role comes first, and knows the mode.
    found = site(tmp_path, pytestconfig.rootpath, playbook=str(alone), p1={"gateway_mode": "paper"})
    assert found.problems or "gateway_mode" in found.text


@pytest.mark.parametrize(
    "playbook",
    [
        "access_certificates", "access_wireguard_peer", "alert_test", "client_check", "desktop",
        "google_monitoring", "live_check",
        "live_signin", "maintenance", "paper_hours", "paper_session", "restart", "site", "status",
        "support_bundle",
        "teardown", "updates", "upgrade",
    ],
)  # fmt: skip
def test_every_playbook_refuses_a_misspelled_name_and_a_missing_mode(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, playbook: str
) -> None:
    typing_error: dict[str, object] = {"gateway_acess": ["vpc"]}
    forgotten: dict[str, object] = {**typing_error, "gateway_mode": UNSET}
    arguments = (
        "-e",
        "gateway_touch_live=true",
        "-e",
        "client=x",
        "-e",
        "peer=x",
        "-e",
        "observability_google_project=x-project",
        # Without a machine of the collection's there is nothing to tear down.
        "-e",
        f"gateway_machine_role={'ibops.gateway.sandbox_vm' if playbook == 'teardown' else ''}",
        "-e",
        "sandbox_vm_address=192.0.2.9",
    )
    refusal = site(
        tmp_path,
        pytestconfig.rootpath,
        *arguments,
        playbook=f"playbooks/{playbook}.yml",
        p1=forgotten,
        l1=typing_error,
        l2=forgotten,
    )
    found = {(id_, variable) for _, id_, variable in refusal.problems}
    assert ("unknown-name", "gateway_acess") in found
    assert found <= {("unknown-name", "gateway_acess"), ("required", "gateway_mode")}
    assert "undefined" not in refusal.text


@pytest.mark.parametrize(
    ("playbook", "host"),
    [
        *((each, "p1") for each in ("adopt", "client_check", "desktop", "paper_hours", "paper_session", "restart")),
        *((each, "l1") for each in ("live_signin", "maintenance", "upgrade")),
    ],
)
def test_a_playbook_for_ib_gateway_refuses_the_other_api_by_name(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, playbook: str, host: str
) -> None:
    portal: dict[str, object] = {**PORTAL, "client_portal_accept_pushes": True}
    arguments = ("-l", host, "-e", "adopt_container=old", "-e", "upgrade_canary=false", "-e", "pipeline_command=true")
    found = site(tmp_path, pytestconfig.rootpath, *arguments, playbook=f"playbooks/{playbook}.yml", **{host: portal})
    assert found.problems == set()
    assert f"{host} has gateway_stack client_portal" in found.text


def test_alerts_of_the_other_api_are_checked_too(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    portal: dict[str, object] = {**PORTAL, "session_alerts": [{"kind": "slack", "url": "http://top-secret"}]}
    found = site(tmp_path, pytestconfig.rootpath, "-l", "p1", playbook="playbooks/alert_test.yml", p1=portal)
    assert found.problems == {("p1", "channel-not-https", "session_alerts[0].url")}


@pytest.mark.parametrize(
    ("arguments", "variables", "problem", "said"),
    [
        (("-l", "paper"), {"p1": {"gateway_image": "x:stable"}}, ("p1", "image-tag", "gateway_image"), ""),
        (("-l", "paper", "-e", f"gateway_image={DIGEST}"), {}, None, "could not be taken back"),
        (("-l", "live"), {}, None, f"l1: no paper gateway of this run has tried {DIGEST}"),
        (("-e", "gateway_apply=now"), {"p1": {"gateway_user": ""}}, ("p1", "required", "gateway_user"), ""),
    ],
    ids=["tag", "command line", "untried", "settings"],
)
def test_an_upgrade_refuses(
    tmp_path: pathlib.Path,
    pytestconfig: pytest.Config,
    arguments: tuple[str, ...],
    variables: dict[str, dict[str, object]],
    problem: tuple[str, str, str] | None,
    said: str,
) -> None:
    refusal = site(tmp_path, pytestconfig.rootpath, *arguments, playbook="playbooks/upgrade.yml", **variables)
    assert refusal.problems == ({problem} if problem else set())
    assert said in refusal.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "l1 is a live gateway and this run has no limit"),
        (("-l", "paper", "-e", "desktop=ajar"), "'ajar'"),
        (("-l", "paper", "-e", "desktop_minutes=0"), "a whole number from 1 to 120"),
        (("-l", "paper", "-e", "desktop_minutes=121"), "a whole number from 1 to 120"),
        (("-l", "paper", "-e", "desktop_minutes=1.5"), "'1.5'"),
    ],
)
def test_a_desktop_refuses(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, arguments: tuple[str, ...], said: str
) -> None:
    assert said in site(tmp_path, pytestconfig.rootpath, *arguments, playbook="playbooks/desktop.yml").text


@pytest.mark.parametrize(
    ("role", "variables"),
    [
        ("gateway", {"gateway_ready_timeout": ["180"]}),
        ("hardening", {"hardening_ssh_ports": 22}),
        ("sandbox_vm", {"sandbox_vm_port": "ssh", "sandbox_vm_address": "127.0.0.1"}),
    ],
    ids=["gateway", "hardening", "sandbox_vm"],
)
def test_a_role_of_a_users_own_playbook_refuses_a_wrong_type_in_a_few_lines(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, role: str, variables: dict[str, object]
) -> None:
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "p1", "gather_facts": False, "roles": [f"ibops.gateway.{role}"]}]))
    inventory = copy.deepcopy(INVENTORY)
    inventory["gateways"]["children"]["paper"]["hosts"]["p1"].update(variables)
    source = tmp_path / "hosts.yml"
    source.write_text(yaml.safe_dump(inventory))
    command = [f"{pathlib.Path(sys.executable).parent}/ansible-playbook", str(play), "-i", str(source)]
    # Without the ansible.cfg of this project.
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(pytestconfig.rootpath / ".ansible/collections")}
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2, run.stdout
    first, *more = run.stdout.partition("PLAY RECAP")[0].partition("TASK ")[2].strip().splitlines()
    assert first.rstrip(" *") == f"[ibops.gateway.{role} : Validate the settings]"
    assert f"- p1: {next(iter(variables))} = " in run.stdout
    assert len(more) <= 12, run.stdout


def test_what_people_type_is_refused_in_words(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    """A host each, in one run."""
    assert (len(MISSPELT), len(BAD)) == (30, 80)
    typed = [(name, "x", "unknown-name") for name in MISSPELT] + BAD
    hosts = {
        f"h{number:03}": {
            "gateway_user": f"user{number}",
            "gateway_password": "top-secret",
            "ansible_host": f"192.0.2.{number}",
            name: value,
        }
        for number, (name, value, _id) in enumerate(typed)
    }
    paper = {"vars": {"gateway_mode": "paper", "gateway_image": DIGEST}, "hosts": hosts}
    source = tmp_path / "hosts.yml"
    source.write_text(yaml.safe_dump({"gateways": {"children": {"paper": paper}}}))
    refusal = refused(pytestconfig.rootpath, source, "site.yml")
    told = {(host, id_, re.split(r"[.\[]", variable)[0]) for host, id_, variable in refusal.problems}
    wanted = {(host, id_, name) for host, (name, _value, id_) in zip(hosts, typed, strict=True)}
    assert wanted - told == set()
    # One line for each place, and at most three for each value.
    lines = collections.Counter(host for host, _id, _variable in refusal.problems)
    assert len({(host, variable) for host, _id, variable in refusal.problems}) == lines.total()
    assert {*lines} == {*hosts}
    assert max(lines.values()) <= 3, lines
    for unclear in ("Traceback", "400 Client Error", "undefined", "<class", "object at 0x", "None"):
        assert unclear not in refusal.text, unclear


@pytest.mark.parametrize(("name", "value"), [BAD[0][:2], BAD[40][:2], (MISSPELT[0], "x")], ids=str)
def test_one_wrong_value_is_a_few_lines(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, name: str, value: object
) -> None:
    inventory = copy.deepcopy(INVENTORY)
    inventory["gateways"]["children"]["paper"]["hosts"]["p1"][name] = value
    source = tmp_path / "hosts.yml"
    source.write_text(yaml.safe_dump(inventory))
    # Without the ansible.cfg of this project.
    environment = {key: each for key, each in os.environ.items() if not key.startswith("ANSIBLE_")}
    run = subprocess.run(
        [
            f"{pathlib.Path(sys.executable).parent}/ansible-playbook",
            "ibops.gateway.site",
            "-i",
            str(source),
            "-l",
            "p1",
        ],
        cwd=tmp_path,
        env=environment | {"ANSIBLE_COLLECTIONS_PATH": str(pytestconfig.rootpath / ".ansible/collections")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2, run.stdout
    _header, *error = run.stdout.partition("PLAY RECAP")[0].rpartition("TASK ")[2].strip().splitlines()
    assert any(f"p1: {name}" in line for line in error)
    assert len(error) <= 12, run.stdout

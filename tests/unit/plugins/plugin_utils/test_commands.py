"""The commands that are printed: those by which this caller's own run can be followed by another."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible import constants as C
from ansible import context

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Have this run begun with these arguments, as ansible-playbook's parser keeps them."""

    def call(**given: object) -> None:
        monkeypatch.setattr(context, "CLIARGS", {"inventory": C.DEFAULT_HOST_LIST, **given})

    return call


@pytest.mark.parametrize(
    ("typed", "name", "found"),
    [
        ("ibops.gateway.site", "status", "ibops.gateway.status"),
        ("{root}/playbooks/site.yml", "status", "{root}/playbooks/status.yml"),
        ("{root}/playbooks/status.yml", "site", "{root}/site.yml"),
        ("{root}/site.yml", "status", "{root}/playbooks/status.yml"),
        ("{root}/site.yml", "site", "{root}/site.yml"),
        ("/elsewhere/site.yml", "status", "ibops.gateway.status"),
    ],
)
def test_a_playbook_is_named_as_the_one_that_began(
    begin: t.Callable[..., None], typed: str, name: str, found: str
) -> None:
    begin(args=(typed.format(root=commands.COLLECTION),))
    assert commands.playbook(name) == found.format(root=commands.COLLECTION)


@pytest.mark.parametrize(
    ("typed", "name", "found"),
    [
        ("playbooks/live_check.yml", "status", "playbooks/status.yml"),
        ("playbooks/live_check.yml", "site", "site.yml"),
        ("site.yml", "restart", "playbooks/restart.yml"),
    ],
)
def test_a_path_stays_as_short_as_it_was_typed(
    begin: t.Callable[..., None], monkeypatch: pytest.MonkeyPatch, typed: str, name: str, found: str
) -> None:
    monkeypatch.chdir(commands.COLLECTION)
    begin(args=(typed,))
    assert commands.playbook(name) == found


def test_inventory_users_and_files_are_passed_on_and_values_are_not(
    begin: t.Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    begin(
        args=("ibops.gateway.site",),
        inventory=[f"{tmp_path}/my hosts.yml", "/etc/hosts.yml"],
        subset="paper",
        become=True,
        remote_user="admin",
        connection=C.DEFAULT_TRANSPORT,
        become_password_file=f"{tmp_path}/sudo",
        vault_password_files=["/run/vault"],
        vault_ids=["prod@prompt"],
        extra_vars=["gateway_password=hunter2", f"@{tmp_path}/release.yml"],
        become_ask_pass=True,
    )
    assert commands.command("status", "p1") == (
        "ansible-playbook ibops.gateway.status -i 'my hosts.yml' -i /etc/hosts.yml --become -u admin "
        "--become-password-file sudo --vault-id prod@prompt --vault-password-file /run/vault -e @release.yml "
        "--ask-become-pass -l p1"
    )
    assert commands.asked() == ["--vault-id prod@prompt", "--ask-become-pass"]
    quiet = commands.arguments(inventory=False, questions=False)
    assert "prod@prompt" not in quiet
    assert "--ask-become-pass" not in quiet
    assert "-i" not in quiet


def test_the_inventory_of_the_configuration_needs_no_argument(begin: t.Callable[..., None]) -> None:
    begin(args=("ibops.gateway.site",))
    assert commands.command("status") == "ansible-playbook ibops.gateway.status"


RUN = "ansible-playbook ibops.gateway.{} -i h.yml"
TEXTS = {
    "ansible-playbook playbooks/status.yml": RUN.format("status"),
    "ansible-playbook site.yml -l p1 --check --diff": RUN.format("site") + " -l p1 --check --diff",
    "Restart it (playbooks/restart.yml).": f"Restart it ({RUN.format('restart')} -l l1).",
    f"Sign in ({playbooks.LIVE_SIGNIN}).": f"Sign in ({RUN.format('live_signin')} -l l1).",
    playbooks.on_host(playbooks.SITE, "l2") + " --check": RUN.format("site") + " -l l2 --check",
    "Run site.yml.": f"Run {RUN.format('site')} -l l1.",
    "site.yml --check fails": "site.yml --check fails",
    "see hosts.yml and my/site.yml": "see hosts.yml and my/site.yml",
}


@pytest.mark.parametrize(("text", "found"), TEXTS.items())
def test_texts_of_roles_and_hosts_name_the_callers_commands(
    begin: t.Callable[..., None], text: str, found: str
) -> None:
    begin(args=("ibops.gateway.site",), inventory=["h.yml"])
    assert commands.localized(text, "l1") == found
    assert commands.localized(found, "other") == found


def test_replaced_once_also_where_a_path_is_the_door(begin: t.Callable[..., None]) -> None:
    begin(args=(f"{commands.COLLECTION}/site.yml",), inventory=["h.yml"])
    once = commands.localized("Run site.yml.", "l1")
    assert once == f"Run ansible-playbook {commands.COLLECTION}/site.yml -i h.yml -l l1."
    assert commands.localized(once, "other") == once


@pytest.mark.parametrize(("callback", "printed"), [("default", ["x"]), ("ansible.posix.json", []), ("yaml", ["x"])])
def test_json_results_are_not_broken_by_text(
    monkeypatch: pytest.MonkeyPatch, callback: str, printed: list[str]
) -> None:
    class Display:
        said: t.ClassVar[list[str]] = []

        def display(self, text: str) -> None:
            self.said.append(text)

    Display.said = []
    monkeypatch.setattr(C, "DEFAULT_STDOUT_CALLBACK", callback)
    commands.show(Display(), "x")
    assert Display.said == printed

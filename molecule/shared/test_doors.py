"""The commands that README and docs print, on a scenario's machine and through both doors; tests/doors/commands.yml.

The reader's VM is 203.0.113.7, as printed, and ssh is told where that is. Their user has a password for sudo.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
import yaml
from testinfra.host import Host
from tests.doors import table
from tests.doors.door import BIN, Door, on_terminal
from tests.lint.files import ROOT

SCENARIO = os.environ.get("MOLECULE_SCENARIO_NAME", "doors")
MODE = "live" if os.environ.get("SANDBOX_HOST", "").endswith("live") else "paper"
# The hardening takes no password that is easy to guess, or that lacks one of four kinds of characters.
READER, SUDO, VAULT = "ann", f"{secrets.token_urlsafe(24)}-Aa1", "vault"
# Of the scenario's settings; the others are of the page's own inventory or of the sandbox's machine.
OWN = (
    "gateway_image",
    "docker_engine_registry_ca",
    "gateway_environment",
    "gateway_read_only_api",
    "session_weekly_close",
)
EDITOR = """#!/bin/sh
printf 'vault_{mode}_user: %s\\nvault_{mode}_password: %s\\n' "$READER_USER" "$READER_PASSWORD" > "$1"
"""
SSH = """Host 203.0.113.7
  HostName {host}
  Port {port}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known}
  StrictHostKeyChecking yes
  HostKeyAlias {host}
"""
TRADE = "#!/bin/sh\necho bought and sold\n"


@pytest.fixture(scope="module")
def settings(name: str) -> dict[str, t.Any]:
    """The scenario's variables that the reader has to have as well, rendered, and its credentials."""
    vars_file = ROOT / f"molecule/{SCENARIO}/vars/main.yml"
    own = yaml.safe_load(vars_file.read_text()) if vars_file.exists() else {}
    names = [*OWN, *own, "gateway_user", "gateway_password", "sandbox_state"]
    asked = "{{ {" + ", ".join(f"'{each}': {each} | default('')" for each in names) + "} }}"
    command = [BIN / "ansible", name, "-i", "inventories/sandbox", "-m", "ansible.builtin.debug", "-a", f"msg={asked}"]
    command += ["-e", f"@{vars_file}"] if own else []
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    found = json.loads(run.stdout[run.stdout.index("{") :])["plays"][0]["tasks"][0]["hosts"][name]["msg"]
    return {key: value for key, value in found.items() if value != ""}


@pytest.fixture(scope="module")
def reader(host: Host, variables: dict[str, t.Any]) -> None:
    """A user of the VM whose key is the sandbox's, and who types a password for sudo."""
    public = Path(f"{variables['ssh_private_key_file']}.pub").read_text()
    host.check_output(f"id {READER} || useradd --create-home --shell /bin/bash --uid 1500 {READER}")
    host.check_output(f"echo {READER}:{SUDO} | chpasswd && install -d -o {READER} -m 700 /home/{READER}/.ssh")
    host.check_output(f"echo {shlex.quote(public)} > /home/{READER}/.ssh/authorized_keys")
    host.check_output(f"chown {READER} /home/{READER}/.ssh/authorized_keys")
    # The first run of site.yml authorized only its own user.
    allow = f"s/^AllowUsers .*/AllowUsers {variables['user']} {READER}/"
    host.check_output(f"sed -i '{allow}' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf && systemctl reload ssh")
    # It restarts, and refuses connections until then.
    host.backend.run_local("sleep 5")
    host.check_output(f"echo '{READER} ALL=(ALL) ALL' > /etc/sudoers.d/{READER} && chmod 440 /etc/sudoers.d/{READER}")


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("artefact")
    subprocess.run([BIN / "ansible-galaxy", "collection", "build", "--output-path", place], cwd=ROOT, check=True)
    with tarfile.open(next(place.glob("*.tar.gz"))) as tar:
        tar.extractall(place / "unpacked", filter="data")
    return place / "unpacked"


class Doors:
    """Both doors before the scenario's machine, opened when they are asked for."""

    def __init__(self, place: Path, artefact: Path, settings: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
        self._place, self._artefact, self._settings, self._variables = place, artefact, settings, variables
        self._open: dict[str, Door] = {}

    def __getitem__(self, name: str) -> Door:
        if name not in self._open:
            self._open[name] = self._enter(name)
        return self._open[name]

    def close(self) -> None:
        for door in self._open.values():
            door.close()

    def _enter(self, name: str) -> Door:
        programs = self._place / f"programs-{name}"
        programs.mkdir()
        known = Path(self._settings["sandbox_state"]) / "ssh/known_hosts"
        config = SSH.format(
            host=self._variables["host"],
            port=self._variables["port"],
            key=self._variables["ssh_private_key_file"],
            known=known,
        )
        (programs / "config").write_text(config)
        for program, text in (
            # Without pipelining, Ansible copies by the others; over a new connection they read the configuration, too.
            *(
                (each, f'#!/bin/sh\nexec /usr/bin/{each} -F {programs}/config "$@"\n')
                for each in ("ssh", "sftp", "scp")
            ),
            ("editor", EDITOR.format(mode=MODE)),
        ):
            (programs / program).write_text(text)
            (programs / program).chmod(0o755)
        home = self._place / name
        digest = self._settings["gateway_image"].partition("@")[2]
        credentials = {
            "READER_USER": self._settings["gateway_user"],
            "READER_PASSWORD": self._settings["gateway_password"],
        }
        sudo = self._place / "sudo"
        sudo.write_text(SUDO)
        door = Door(
            name, home, programs, EDITOR=str(programs / "editor"), IBGW_IMAGE_DIGEST=digest,
            ANSIBLE_BECOME_PASSWORD_FILE=str(sudo), **credentials,
        )  # fmt: skip
        door.enter(self._artefact)
        create = f"ansible-vault create group_vars/{MODE}/vault.yml"
        questions = {"New Vault password": VAULT, "Confirm New Vault password": VAULT}
        assert door.run(create, typed=questions).status == 0
        self._adapt(door)
        return door

    def _adapt(self, door: Door) -> None:
        """Fill in what the page has a reader fill in, and the sandbox's registry."""
        (door.folder / "trade.sh").write_text(TRADE)
        (door.folder / "trade.sh").chmod(0o755)
        inventory = yaml.safe_load((door.folder / "hosts.yml").read_text())
        groups = inventory["gateways"]["children"]
        groups.setdefault(MODE, {})["hosts"] = {f"my-{MODE}": {"ansible_host": "203.0.113.7", "ansible_user": READER}}
        groups[{"paper": "live", "live": "paper"}[MODE]]["hosts"] = {}
        (door.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        path = door.folder / "group_vars/gateways.yml"
        own = yaml.safe_load(path.read_text())
        not_here = ("gateway_user", "gateway_password", "sandbox_state")
        own |= {key: value for key, value in self._settings.items() if key not in not_here}
        own |= {"hardening_ssh_from": ["10.211.0.0/16"], "hardening_ssh_allow_users": [self._variables["user"], READER]}
        path.write_text(yaml.safe_dump(own))


@pytest.fixture(scope="module")
def doors(
    tmp_path_factory: pytest.TempPathFactory,
    artefact: Path,
    settings: dict[str, t.Any],
    variables: dict[str, t.Any],
    reader: None,
) -> t.Iterator[Doors]:
    found = Doors(tmp_path_factory.mktemp("doors"), artefact, settings, variables)
    yield found
    found.close()


def carried_out(door: Door, row: table.Row) -> None:
    """Run the row's command; the vault's password is in a file unless the page has it typed."""
    secret = door.home / "vault-password"
    secret.write_text(VAULT)
    typed = "--ask-vault-password" in row.run
    door.run("unset ANSIBLE_VAULT_PASSWORD_FILE" if typed else f"export ANSIBLE_VAULT_PASSWORD_FILE={secret}")
    ended = door.run(row.run + row.after, seconds=600, typed=row.typed)
    assert ended.status == row.status, f"{row.run}\n{ended.text}"
    assert "Traceback" not in ended.text, ended.text
    # Without an inventory Ansible says that there is only this machine.
    assert row.run.startswith("ansible localhost") or "[WARNING]" not in ended.text, ended.text


def through(how: str) -> list[t.Any]:
    """Door after door, so that what one removes the other finds removed."""
    rows = table.of(how, SCENARIO)
    pairs = [(door, row) for door in table.DOORS for row in rows if door in row.doors]
    return [pytest.param(door, row, id=f"{door}: {row.run}") for door, row in pairs]


def in_the_checkout(row: table.Row) -> None:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}
    ended = on_terminal(["bash", "-c", row.run], environment, ROOT, 600, {})
    assert ended.status == row.status, f"{row.run}\n{ended.text}"


@pytest.fixture
def without_faults(host: Host) -> t.Iterator[None]:
    """Repair what a row of the lesson breaks, before the next one."""
    yield
    host.run(f"docker exec ibgw-{MODE} standin-ctl clear; ibgwctl wait-ready {MODE} --timeout 120")


@pytest.mark.usefixtures("without_faults")
@pytest.mark.parametrize("row", table.of("sandbox", SCENARIO), ids=lambda row: row.run)
def test_in_the_checkout(row: table.Row) -> None:
    in_the_checkout(row)


@pytest.mark.parametrize("row", table.of("host", SCENARIO), ids=lambda row: row.run)
def test_on_the_host(variables: dict[str, t.Any], row: table.Row) -> None:
    words = ["ssh", "-tt", *shlex.split(variables["ssh_common_args"]), "-i", variables["ssh_private_key_file"]]
    words += ["-p", str(variables["port"]), f"{variables['user']}@{variables['host']}"]
    script = f"sudo sh -c {shlex.quote(f'export SYSTEMD_PAGER=cat; {row.run}{row.after}')}"
    ended = on_terminal([*words, script], dict(os.environ), ROOT, 300, row.typed)
    assert ended.status == row.status, f"{row.run}\n{ended.text}"


@pytest.mark.parametrize(("door", "row"), through("machine"))
def test_through_a_door(doors: Doors, door: str, row: table.Row) -> None:
    carried_out(doors[door], row)


@pytest.mark.parametrize("row", table.of("sandbox", f"{SCENARIO}, afterwards"), ids=lambda row: row.run)
def test_in_the_checkout_afterwards(row: table.Row) -> None:
    in_the_checkout(row)

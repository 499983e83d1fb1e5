# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands for another run by the same caller: same playbook form, inventory and password files.

This plugin util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import os
import re
import shlex
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks

COLLECTION = Path(__file__).resolve().parents[2]
NAMES = frozenset(path.stem for path in COLLECTION.glob("playbooks/*.yml"))
# Options that another run needs to reach the same hosts, as ansible-playbook's parser stores them, with their defaults.
# All values are names and paths.
_OPTIONS: tuple[tuple[str, str, object], ...] = (
    ("remote_user", "-u", C.DEFAULT_REMOTE_USER),
    ("private_key_file", "--private-key", C.DEFAULT_PRIVATE_KEY_FILE),
    ("connection", "-c", C.DEFAULT_TRANSPORT),
    ("ssh_common_args", "--ssh-common-args", None),
    ("ssh_extra_args", "--ssh-extra-args", None),
    ("become_user", "--become-user", C.DEFAULT_BECOME_USER),
    ("become_method", "--become-method", C.DEFAULT_BECOME_METHOD),
    ("connection_password_file", "--connection-password-file", C.CONNECTION_PASSWORD_FILE),
    ("become_password_file", "--become-password-file", C.BECOME_PASSWORD_FILE),
)
_QUESTIONS: tuple[tuple[str, str, object], ...] = (
    ("ask_vault_pass", "--ask-vault-pass", C.DEFAULT_ASK_VAULT_PASS),
    ("ask_pass", "--ask-pass", C.DEFAULT_ASK_PASS),
    ("become_ask_pass", "--ask-become-pass", C.DEFAULT_BECOME_ASK_PASS),
)
# Of roles and playbooks: `ansible-playbook playbooks/status.yml -l vm`, or a playbook's name alone. Of module_utils and
# hosts: as agent/playbooks.py makes it.
_NAMED = re.compile(
    r"(?<![\w/.-])(?:(?P<command>ansible-playbook )(?:playbooks/)?|playbooks/|(?=site\.yml))"
    # Followed by other options, it is already a full command, or text about one.
    rf"(?P<name>{'|'.join(sorted(NAMES, key=len, reverse=True))})\.yml\b(?! -(?!l ))(?P<limit> -l [\w.-]*\w)?"
    rf"|ansible-playbook {re.escape(playbooks.NAMESPACE)}(?P<full>\w+) {playbooks.INVENTORY} -l (?P<host>\S*\w)"
)


def playbook(name: str) -> str:
    """Return the argument of ``ansible-playbook`` for playbook *name*: a path if this run was started by path, else the
    full name, such as ``ibops.gateway.status``.
    """
    given = context.CLIARGS.get("args") or ()
    for path in map(str, given if isinstance(given, list | tuple) else ()):
        if path.endswith(".yml") and (found := ours(path)):
            root = os.path.join(os.path.dirname(path), "" if found.parent == COLLECTION else "..")
            in_root = name == "site" and (COLLECTION / "site.yml").is_file()
            return os.path.normpath(os.path.join(root, "" if in_root else "playbooks", f"{name}.yml"))
    return playbooks.NAMESPACE + name


def ours(given: str) -> Path | None:
    """Return the file of a playbook of this collection, given to ``ansible-playbook`` by path or full name."""
    if given.startswith(playbooks.NAMESPACE):
        return COLLECTION / "playbooks" / f"{given.rpartition('.')[2]}.yml"
    found = Path(given).resolve()
    return found if found.parent in (COLLECTION, COLLECTION / "playbooks") else None


def arguments(inventory: bool = True, questions: bool = True) -> list[str]:
    """Return the options of this run that another one needs: ``-i``, users and connection, files of passwords and
    variables (``-e @file``). None of their values is a secret: ``-e name=value`` is left out.

    Without *questions*, options that make Ansible ask a person are left out.
    """
    given = context.CLIARGS
    words: list[str] = []
    sources = given.get("inventory")
    if inventory and sources and list(sources) != list(C.DEFAULT_HOST_LIST):
        words += [word for source in sources for word in ("-i", str(source))]
    if given.get("become") and not C.DEFAULT_BECOME:
        words.append("--become")
    for name, option, default in _OPTIONS:
        if given.get(name) and given[name] != default:
            words += [option, str(given[name])]
    for vault in map(str, given.get("vault_ids") or ()):
        if questions or not _asks(vault):
            words += ["--vault-id", vault]
    words += [word for path in given.get("vault_password_files") or () for word in ("--vault-password-file", str(path))]
    words += [word for each in given.get("extra_vars") or () if str(each)[:1] == "@" for word in ("-e", str(each))]
    if questions:
        words += [option for name, option, default in _QUESTIONS if given.get(name) and not default]
    return words


def asked() -> list[str]:
    """Return the options of this run by which Ansible asked a person for a password."""
    given = context.CLIARGS
    vaults = [f"--vault-id {vault}" for vault in map(str, given.get("vault_ids") or ()) if _asks(vault)]
    return vaults + [option for name, option, _default in _QUESTIONS if given.get(name)]


def _asks(vault: str) -> bool:
    return vault.rpartition("@")[2] in ("prompt", "prompt_ask_vault_pass")


def command(name: str, limit: str = "") -> str:
    """Return the shell command that runs playbook *name* for this caller, with a *limit* where one is given."""
    words = ["ansible-playbook", playbook(name), *map(_short, arguments()), *(["-l", limit] if limit else [])]
    return shlex.join(words)


def _short(word: str) -> str:
    """Shorten a path below the current directory to the form probably typed."""
    mark, path = ("@", word[1:]) if word[:1] == "@" else ("", word)
    here = os.getcwd()
    if os.path.isabs(path) and os.path.commonpath([here, path]) == here != path:
        path = os.path.relpath(path, here)
    return mark + path


def localized(text: str, host: str) -> str:
    """Return *text* with the commands that roles and hosts mention replaced by this caller's.

    ``ansible-playbook playbooks/x.yml -l y`` keeps its limit, or its lack of one; a playbook's name alone, as in
    "run site.yml", becomes the command for *host*, as does one of a host that does not know its name in the inventory.
    """

    def replaced(found: re.Match[str]) -> str:
        if found["full"]:
            return command(found["full"], host if found["host"] == "HOST" else found["host"])
        limit = (found["limit"] or "").removeprefix(" -l ")
        return command(found["name"], limit if found["command"] else host)

    return _NAMED.sub(replaced, text)


def show(display: t.Any, text: str) -> None:
    """Print *text* unchanged, except under a callback that prints JSON: the results contain it, and it would break
    them."""
    if not str(C.DEFAULT_STDOUT_CALLBACK).endswith(("json", "jsonl")):
        display.display(text)

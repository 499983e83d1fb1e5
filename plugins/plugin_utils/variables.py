# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts' variables as the roles will see them, and the specification of every role and playbook.

This plugin util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import datetime
import pathlib
import re
import typing as t

import jinja2
import jinja2.nodes
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.module_utils.rules.check import RenderError, Specification

COLLECTION = pathlib.Path(__file__).resolve().parents[2]


def specification(loader: DataLoader, defaults: c.Mapping[str, t.Any], only: str = "*") -> Specification:
    """Return the options of every role, by entry point, and of every playbook; *defaults* are those of all roles.

    *only* is one role, which is read in a sixth of the time.

    An entry point is named by its file, ``main.yml``: what has the name that Ansible looks for, ``main``, is checked by
    Ansible as well.
    """
    roles = {}
    for path in sorted(COLLECTION.glob(f"roles/{only}/meta/argument_specs.yml")):
        for entry, each in _load(loader, path)["argument_specs"].items():
            name = path.parts[-3] if entry == "main.yml" else f"{path.parts[-3]}:{entry.removesuffix('.yml')}"
            roles[name] = each.get("options", {})
    playbooks = _load(loader, COLLECTION / "playbooks/vars/options.yml")
    given = {name: value for name, value in defaults.items() if value is not None}
    given |= {
        name: option["default"] for part in playbooks.values() for name, option in part.items() if "default" in option
    }
    return Specification(roles, playbooks, given)


def role_variables(loader: DataLoader) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Return the defaults of all roles, and the other variables that their defaults and rules read.

    No two roles have a name in common.
    """
    defaults: dict[str, t.Any] = {}
    for path in sorted(COLLECTION.glob("roles/*/defaults/**/*.yml")):
        defaults.update(_load(loader, path) or {})
    # Only used to find the collection's folder, two levels above, so any role's will do.
    own: dict[str, t.Any] = {"role_path": str(COLLECTION / "roles/gateway")}
    for part in ("client_portal/vars/main", "gateway/vars/main", "gcp_vm/vars/main", "observability/vars/main/rules"):
        own.update(_load(loader, COLLECTION / f"roles/{part}.yml"))
    return defaults, own


def _load(loader: DataLoader, path: pathlib.Path) -> t.Any:
    return loader.load_from_file(str(path), unsafe=True, trusted_as_template=True)


class Renderer:
    """Render templates of many hosts; one that reads the same values again is not rendered again.

    Ansible does not cache compiled templates, and 200 hosts share the same 20 templates in their roles' defaults.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.rendered: dict[tuple[str, ...], object] = {}
        self._constants: dict[int, tuple[object, bool]] = {}
        self._read: dict[str, frozenset[str] | None] = {}

    def is_constant(self, value: object) -> bool:
        """Whether nothing in a value can be a template (or encrypted); most hosts have the defaults' own objects."""
        known, constant = self._constants.get(id(value), (self, False))
        if known is not value:
            constant = _is_constant(value)
            self._constants[id(value)] = value, constant
        return constant

    def reads(self, template: str) -> frozenset[str] | None:
        """The variables that a template reads; None if the text does not show that."""
        if template not in self._read:
            try:
                parsed = jinja2.Environment(autoescape=True).parse(template)
                names = frozenset(_names(parsed))
            except jinja2.TemplateError:
                names = _UNTOLD
            self._read[template] = None if names & _UNTOLD else names
        return self._read[template]


# Expressions that read variables they do not name.
_UNTOLD = frozenset({"lookup", "query", "q", "vars", "hostvars", "groups", "now", "undef"})
# Lookups that give the same for the same terms in one run, whichever host asks.
_OF_TERMS = frozenset({"env", "file", "password", "ibops.gateway.pinned_image"})


def _names(parsed: jinja2.nodes.Template) -> c.Iterator[str]:
    """The names in a template, but for the calls of lookups that read nothing but their terms."""
    calls = (each for each in parsed.find_all(jinja2.nodes.Call) if isinstance(each.node, jinja2.nodes.Name))
    told = {id(each.node) for each in calls if _is_of_terms(each)}
    yield from (each.name for each in parsed.find_all(jinja2.nodes.Name) if id(each) not in told)


def _is_of_terms(call: jinja2.nodes.Call) -> bool:
    plugin = call.args[0] if call.args else None
    return isinstance(plugin, jinja2.nodes.Const) and str(plugin.value).removeprefix("ansible.builtin.") in _OF_TERMS


class HostVariables:
    """The variables of one host, each rendered once, when first read."""

    def __init__(self, renderer: Renderer, raw: c.Mapping[str, t.Any], names: c.Iterable[str]) -> None:
        self._renderer, self._raw, self._names = renderer, raw, names
        self._templar = Templar(loader=renderer.loader, variables=raw)
        self._rendered: dict[str, object] = {}
        self._reading: set[str] = set()

    def names(self) -> c.Iterable[str]:
        """The names that the inventory, ``-e`` and the run have set."""
        return self._names

    def __getitem__(self, name: str) -> object:
        """The value; KeyError for a variable that is not set, RenderError for one whose template fails."""
        if name not in self._rendered:
            self._rendered[name] = self._render(name, self._raw[name])
        found = self._rendered[name]
        if isinstance(found, RenderError):
            raise found
        return found

    def _render(self, name: str, value: object) -> object:
        """The value, or the RenderError: a lookup that fails may have waited for a server, and is not tried again."""
        if self._renderer.is_constant(value):
            return value
        key = self._key(name, value)
        if key in self._renderer.rendered:
            return self._renderer.rendered[key]
        found: object
        try:
            found = self._templar.template(value)
        except AnsibleError as error:
            fault = str(error).partition("\n")[0].replace("is undefined", "is not set")
            missing = re.match(r"'(\w+)' is not set", fault)
            named = missing and self._reads(value, missing[1], {name})
            found = RenderError(printable(fault), missing[1] if missing and named else "")
        if key:
            self._renderer.rendered[key] = found
        return found

    def _reads(self, template: object, name: str, seen: set[str]) -> bool:
        """Whether a template, or one of those that it reads, has this name; *seen* are the variables looked at."""
        read = (self._renderer.reads(template) if isinstance(template, str) else None) or frozenset()
        inner = {each for each in read - seen if each in self._raw}
        seen |= inner
        return name in read or any(self._reads(self._raw[each], name, seen) for each in inner)

    def _key(self, name: str, value: object) -> tuple[str, ...]:
        """Everything that a text's rendering depends on, itself included; empty if unknown."""
        names = self._renderer.reads(value) if isinstance(value, str) else None
        if names is None or name in self._reading:
            return ()
        self._reading.add(name)
        try:
            return (str(value), *(repr(self[each]) if each in self._raw else "" for each in sorted(names)))
        except RenderError:
            return ()
        finally:
            self._reading.remove(name)


def _is_constant(value: object) -> bool:
    """Whether a value certainly contains no template (and nothing encrypted)."""
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    if isinstance(value, dict):
        return all(map(_is_constant, value)) and all(map(_is_constant, value.values()))
    if isinstance(value, list):
        return all(map(_is_constant, value))
    return value is None or isinstance(value, (bool, int, float, datetime.date))

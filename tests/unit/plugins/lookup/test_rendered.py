# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError, AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template

from ansible_collections.ibops.gateway.plugins.lookup.rendered import LookupModule

Lookup = Callable[..., list[str]]


@pytest.fixture
def lookup(tmp_path: Path) -> Lookup:
    """Run a lookup, ours or Ansible's, in a role whose template ``x.j2`` is *text*."""

    def run(text: str, ansibles: bool = False, wanted: str = "x.j2", **options: Any) -> list[str]:
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "templates" / "x.j2").write_text(text)
        (tmp_path / "templates" / "part.j2").write_text("a part for {{ port }}\n")
        variables = {
            "ansible_search_path": [str(tmp_path)],
            "port": 4001,
            "other": trust_as_template("{{ port + 1 }}"),
            "untrusted": "{{ port }}",
            "names": ["a", "b"],
        }
        loader = DataLoader()
        make = functools.partial(lookup_loader.get, "template") if ansibles else LookupModule
        plugin = make(loader=loader, templar=Templar(loader, variables))
        found: list[str] = plugin.run([wanted], variables, **options)
        return found

    return run


@pytest.mark.parametrize(
    "text",
    [
        "plain\n",
        "no newline",
        "two newlines\n\n",
        "",
        "{{ port }}\n",
        "{{ other }}\n",
        "{{ untrusted }}\n",
        "{% for name in names %}\n  {{ name }}\n{% endfor %}\nend\n",
        "{{ 'a\\\\b' }} a\\b\n",
        "{# a remark #}\nkept\n",
        "{% include 'part.j2' %}\n",
        "{{ template_vars_are | default('none') }}\n",
    ],
)
def test_it_makes_what_the_lookup_of_ansible_makes(lookup: Lookup, text: str) -> None:
    options = {"template_vars": {"template_vars_are": "given", "port": 7}}
    assert lookup(text) == lookup(text, ansibles=True)
    assert lookup(text, **options) == lookup(text, ansibles=True, **options)


def test_an_absent_template_is_named(lookup: Lookup) -> None:
    with pytest.raises(AnsibleLookupError, match=r"there is no template 'y\.j2'"):
        lookup("", wanted="y.j2")


def test_an_undefined_variable_is_an_error(lookup: Lookup) -> None:
    with pytest.raises(AnsibleUndefinedVariable, match="nowhere"):
        lookup("{{ nowhere }}")

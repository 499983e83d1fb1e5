"""Variables of hosts: the reason that is told of one whose template fails, and those that are rendered once for all."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.ibops.gateway.plugins.module_utils.rules import check
from ansible_collections.ibops.gateway.plugins.plugin_utils import variables

TEMPLATES = {
    "direct": "{{ vault_user }}",
    "within": "x{{ direct | upper }}",
    "circle": "{{ circle if false else direct }}",
    "of_a_mapping": "{{ settings.s3cret }}",
    "hint": "{{ undef(hint=words) }}",
    "plain": "{{ settings | length }}",
}
VALUES: dict[str, object] = {"settings": {"x": 1}, "words": "'s3cret' is undefined"}


def host() -> variables.HostVariables:
    raw = VALUES | {name: trust_as_template(text) for name, text in TEMPLATES.items()}
    return variables.HostVariables(variables.Renderer(DataLoader()), raw, raw)


@pytest.mark.parametrize(
    ("name", "missing"),
    [("direct", "vault_user"), ("within", "vault_user"), ("circle", "vault_user"), ("of_a_mapping", ""), ("hint", "")],
)
def test_the_name_that_is_not_set_is_told_where_a_template_has_it(name: str, missing: str) -> None:
    with pytest.raises(check.RenderError) as raised:
        host()[name]
    assert raised.value.missing == missing


def test_what_renders_is_its_value() -> None:
    assert host()["plain"] == 1


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("{{ a ~ b }}", {"a", "b"}),
        ("{{ lookup('ansible.builtin.file', folder ~ '/x') }}", {"folder"}),
        ("{{ lookup('env', 'X') | default(a, true) }}", {"a"}),
        ("{{ {lookup('file', one): lookup('password', two)} }}", {"one", "two"}),
        ("{{ lookup('ibops.gateway.pinned_image', 'x:y', file=folder ~ '/z') }}", {"folder"}),
        ("{{ lookup('vars', a) }}", None),
        ("{{ lookup(a, 'X') }}", None),
        ("{{ lookup('env', 'X') ~ lookup('vars', a) }}", None),
        ("{{ lookup() }}", None),
        ("{{ hostvars[a].b }}", None),
        ("{{ a", None),
    ],
)
def test_the_names_that_a_template_reads_are_told_where_its_text_has_them_all(
    template: str, read: set[str] | None
) -> None:
    assert variables.Renderer(DataLoader()).reads(template) == read


def test_a_template_of_equal_values_is_rendered_once_for_all_hosts() -> None:
    renderer = variables.Renderer(DataLoader())
    text = trust_as_template("{{ lookup('env', 'HOME') ~ folder }}")
    hosts = [variables.HostVariables(renderer, {"x": text, "folder": folder}, ()) for folder in ("/a", "/a", "/b")]
    assert hosts[0]["x"] is hosts[1]["x"]
    assert hosts[0]["x"] != hosts[2]["x"]


def test_a_template_that_fails_is_tried_once_for_all_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = variables.Renderer(DataLoader())
    tried: list[object] = []
    template = Templar.template

    def counted(self: Templar, each: object) -> object:
        tried.append(each)
        return template(self, each)

    monkeypatch.setattr(Templar, "template", counted)
    text = trust_as_template("{{ lookup('ansible.builtin.file', '/nowhere/at/all') }}")
    for _host in range(2):
        host = variables.HostVariables(renderer, {"x": text}, ())
        for _read in range(2):
            with pytest.raises(check.RenderError):
                host["x"]
    assert tried == [text]


def test_none_is_a_constant() -> None:
    assert variables.Renderer(DataLoader()).is_constant(None)

"""The reason that is told of a variable whose template fails."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template

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

"""tests/lint/generated.py: a key of IBC is one row, and no generated text can be changed by hand alone."""

from __future__ import annotations

import re
import sys
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.lint import generated

pytestmark = pytest.mark.thorough

TABLE: Any = generated.ibc


@pytest.fixture
def new_row(monkeypatch: pytest.MonkeyPatch) -> Any:
    key = TABLE.Key(
        name="FlashOnFill",
        values=TABLE.YES_NO,
        variable="gateway_flash_on_fill",
        type="bool",
        default=True,
        since="3.30.0",
        description="Flash the window on a fill.",
    )
    monkeypatch.setattr(TABLE, "SECTIONS", {**TABLE.SECTIONS, "Log": (*TABLE.SECTIONS["Log"], key)})
    monkeypatch.setattr(TABLE, "KEYS", {**TABLE.KEYS, key.name: key})
    return key


def test_a_row_is_all_that_a_new_key_needs(new_row: Any) -> None:
    texts = {str(path.relative_to(generated.ROOT)): text for path, text in generated.texts().items()}
    specification = yaml.safe_load(texts["roles/gateway/meta/argument_specs.yml"])
    options = specification["argument_specs"]["main.yml"]["options"]
    assert options["gateway_flash_on_fill"] == {
        "description": "Flash the window on a fill. Needs IBC 3.30.0 or later.",
        "type": "bool",
        "default": True,
    }
    assert yaml.safe_load(texts["roles/gateway/defaults/main/ibc.yml"])["gateway_flash_on_fill"] is True
    assert "FlashOnFill={{ yes_no(gateway_flash_on_fill) }}" in texts["templates/config.ini.j2"].splitlines()


TEXTS = generated.texts()


@pytest.mark.parametrize("path", [path.relative_to(generated.ROOT) for path in TEXTS], ids=str)
@pytest.mark.parametrize("change", ["", "gateway_half_added: true\n"], ids=["missing", "changed"])
def test_a_text_that_is_not_current_fails(
    path: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = TEXTS[generated.ROOT / path] + change
    monkeypatch.setattr(generated, "texts", lambda: {generated.ROOT / path: wanted})
    if not change:
        monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(sys, "argv", ["generated", "--check"])
    assert generated.main() == 1
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize("key", TABLE.KEYS.values(), ids=lambda key: key.name)
def test_each_key_is_whole(key: Any) -> None:
    used = key.variable in ("gateway_user", "gateway_password", "gateway_mode", TABLE.BYPASS)
    assert bool(key.description) == (bool(key.variable) and not used)
    assert bool(key.reason) == (key.text is not None and not key.variable)
    if key.description:
        assert (key.type == "bool") == (key.values in (TABLE.YES_NO, TABLE.NO))


METHOD = generated.access.Method("birds", "a ring", "none", "a loft", "in a storm")
SYSTEM = generated.systems.System("Mint", "22", "wilma", (), ())


@pytest.mark.parametrize(
    ("module", "name", "value", "path", "line"),
    [
        ("access", "METHODS", {"pigeon": METHOD}, "roles/gateway/meta/argument_specs.yml", "        choices: [pigeon]"),
        ("access", "METHODS", {"pigeon": METHOD}, "roles/access/vars/main/main.yml", "__access_known: [pigeon]"),
        (
            "access",
            "METHODS",
            {"pigeon": METHOD},
            "*.md",
            "| `pigeon` | birds | a ring | none | a loft | in a storm |",
        ),
        (
            "week",
            "CLOSE",
            time(22),
            "*.md",
            "| Saturday 22:00 | the watcher signs the gateway off and leaves it down |",
        ),
        ("week", "SIGN_IN_DEADLINE", "12:34", "roles/session/meta/argument_specs.yml", '        default: "12:34"'),
        ("week", "SIGN_IN_DEADLINE", "12:34", "roles/session/defaults/main.yml", 'session_sign_in_deadline: "12:34"'),
        (
            "channel_kinds",
            "SEVERITIES",
            ("low", "high"),
            "roles/session/meta/argument_specs.yml",
            "            choices: [low, high]",
        ),
        ("systems", "SYSTEMS", (SYSTEM,), "roles/hardening/meta/main.yml", "    - name: Mint"),
    ],
)
def test_the_texts_follow_their_source(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, value: object, path: str, line: str
) -> None:
    monkeypatch.setattr(getattr(generated, module), name, value)
    found = [text for file, text in generated.texts().items() if file.match(f"*/{path}")]
    assert any(line in text.splitlines() for text in found)


def test_a_kind_of_alert_is_known_from_where_it_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text('key = f"pigeon/{name}"\nput(f"dove/{name}")\nAlert(\n    "crow", name)\n')
    monkeypatch.setattr(generated, "AGENT", tmp_path)
    made = {"pigeon", "dove", "crow"} | {command for command, _said in generated.judge.COMMANDS.values()}
    listed = generated.alert_kinds().partition("ALERT_KINDS")[2].partition("\n)\n")[0]
    assert re.findall(r'(?m)^ +"([\w-]+)",$', listed) == sorted(made)


def test_an_option_of_a_channel_needs_its_description(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = generated.channel_kinds
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS, "pigeon": kinds.KINDS["slack"]._replace(may=("username",))})
    with pytest.raises(SystemExit, match="username"):
        generated.texts()


def test_the_controls_are_the_files_and_those_that_let_people_in_come_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "vars/main"
    folder.mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    for name, text in {"b": "", "a": "", "firewall": "__x:\n  guarded: {}\n", "ssh": "__x:\n  guarded: {}\n"}.items():
        (folder / f"{name}.yml").write_text(text)
    (folder / "main.yml").write_text("__hardening_controls:\n  - old\nnext: 1\n")
    (tmp_path / "tasks/main.yml").write_text("- name: x\n  tags: []\n  block: []\n")
    monkeypatch.setattr(generated, "HARDENING", tmp_path)
    variables, tasks = generated.hardening().values()
    assert variables == "__hardening_controls:\n  - a\n  - b\n  - ssh\n  - firewall\nnext: 1\n"
    names = ("hardening", *(f"hardening_{name}" for name in ("a", "b", "firewall", "ssh")))
    assert tasks == "- name: x\n  tags:\n" + "".join(f"    - {name}\n" for name in names) + "  block: []\n"


SPECIFICATION = """
argument_specs:
  main.yml:
    options:
      web_port:
        description: [Port of P(a.b.web#role)., "Not O(a.b.web#role:main.yml:web_other), see L(this,https://x.org)."]
        default: 80
      web_tls_keys:
        description: Keys.
        type: list
        default: [{name: a}]
        options: {name: {}, file: {}}
      web_host:
        description: Host.
"""


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        ("# Old.\nweb_port: 80\n", "# Port of web. Not web_other, see this (https://x.org).\nweb_port: 80\n"),
        ("# Head\n\n# Old,\n# long.\nweb_host: x\n", "# Head\n\n# Host.\nweb_host: x\n"),
        ("web_host:\n  - x\n\n# Own.\nother: 1\n", "# Host.\nweb_host:\n  - x\n\n# Own.\nother: 1\n"),
        ("web_host: |\n  x\n\n  y\nother: 1\n", "# Host.\nweb_host: |\n  x\n\n  y\nother: 1\n"),
        ("web_tls_keys:\n  - name: a\n", "# Keys. Each with name, file.\nweb_tls_keys:\n  - name: a\n"),
        ("web_tls_keys:\n  - name: b\n", '# Keys. Each with name, file.\nweb_tls_keys: [{"name": "a"}]\n'),
        ("web_port: 81\n", "# Port of web. Not web_other, see this (https://x.org).\nweb_port: 80\n"),
    ],
    ids=["comment", "heading", "list", "text", "same value", "other list", "other value"],
)
def test_defaults_follow_the_specification(tmp_path: Path, present: str, wanted: str) -> None:
    file = tmp_path / "defaults/main.yml"
    file.parent.mkdir()
    file.write_text(present)
    assert generated.defaults(tmp_path, SPECIFICATION)[file].startswith(wanted)


def test_a_new_option_goes_into_the_file_of_its_control(tmp_path: Path) -> None:
    folder = tmp_path / "defaults/main"
    folder.mkdir(parents=True)
    for name in ("main", "tls", "other"):
        (folder / f"{name}.yml").write_text("---\n")
    found = {path.stem: text for path, text in generated.defaults(tmp_path, SPECIFICATION).items()}
    assert ("web_port: 80\n" in found["main"], "web_tls_keys: [" in found["tls"], found["other"]) == (
        True,
        True,
        "---\n",
    )
    assert "web_host" not in "".join(found.values())

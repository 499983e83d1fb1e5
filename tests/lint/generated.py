"""Write what is generated from one place, or check with --check that nothing in it was changed by hand.

- From plugins/module_utils/rules/ibc_settings.py: templates/config.ini.j2, and of role gateway the defaults of IBC's
  options and their part of the argument specification.
- From modules gcp_network and gcp_vm: the options of a firewall rule and of a VM in role gcp_vm's specification.
- From plugins/module_utils/rules/access.py: the choices of gateway_access, role access's list of methods, their table
  in docs.
- From plugins/module_utils/agent/session: of role session's specification the options of session_alerts, by
  channel_kinds.py, and the default of session_sign_in_deadline, by week.py; in docs their tables.
- From where the agent makes alerts: their kinds, in channel_kinds.py.
- From plugins/module_utils/agent/portal/instead.py: their table in docs.
- From the tables of metrics.py and journal.py there: docs/reference/metrics.md and journal.md.
- From roles/observability/vars/main/rules.yml: their table in docs; the dashboards, Grafana's and Google's, are
  tests/lint/dashboard.py's.
- From role observability's variables: the Ops Agent's configuration in docs.
- From plugins/module_utils/agent/session/health.py: what module gateway_health returns.
- From the kinds of problem in the rules' modules: docs/reference/problems.md.
- From plugins/module_utils/gcp/api/errors.py: docs/reference/google_cloud_errors.md.
- From plugins/module_utils/report/live_check.py: the table of checks in docs.
- From playbooks/vars/options.yml: docs/reference/playbook_options.md.
- From what the tasks of roles and playbooks set: plugins/module_utils/rules/run_names.py.
- From the stand-in's faults.py: their table in sandbox/gateway/README.md.
- From plugins/module_utils/host/systems.py: the platforms of each role.
- From the files of roles/hardening/vars/main: the list of controls and their tags.
- From each role's argument specification: the comments in its defaults, and the defaults that it states. A comment with
  a blank line after it is a heading and stays.

The tables in docs are tables.py's.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import yaml
from tests.lint import dashboard
from tests.lint.files import ROOT
from tests.lint.tables import PLAIN, documents, written

sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers import judge
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    channel_kinds,
    health,
    week,
)
from ansible_collections.ibops.gateway.plugins.module_utils.host import systems
from ansible_collections.ibops.gateway.plugins.module_utils.rules import access
from ansible_collections.ibops.gateway.plugins.module_utils.rules import ibc_settings as ibc

GATEWAY = ROOT / "roles/gateway"
SPECIFICATION = GATEWAY / "meta/argument_specs.yml"
HARDENING = ROOT / "roles/hardening"
ACCESS = ROOT / "roles/access/vars/main/main.yml"
SESSION = ROOT / "roles/session/meta/argument_specs.yml"
GCP_VM = ROOT / "roles/gcp_vm/meta/argument_specs.yml"
AGENT = ROOT / "plugins/module_utils/agent"
CHANNEL_KINDS = AGENT / "session/channel_kinds.py"
# How an alert's key begins, where it is made.
ALERT_KEYS = (
    re.compile(r'\bAlert\(\s*f?"([\w-]+)[/"]'),
    re.compile(r'\b(?:put|of_fault)\(\s*f?"([\w-]+)[/"]'),
    re.compile(r'\bkey = f"([\w-]+)/'),
)
TABLE = "plugins/module_utils/rules/ibc_settings.py"
NOTE = f"Written by `make generate` from {TABLE}; change it there."
SPECIFICATION_NOTE = f"      # To the end: {NOTE[0].lower()}{NOTE[1:]}\n"
ALERTS_NOTE = SPECIFICATION_NOTE.replace(TABLE, "plugins/module_utils/agent/session/channel_kinds.py")
WIDTH = 130

IBC_DEFAULTS = "ibc.yml"
# An option in a file of defaults: the comment right above it, if any, and its lines of YAML.
OPTION = re.compile(r"(?m)(?P<comment>(?:^#.*\n)*)(?P<value>^(?P<name>[a-z]\w*):.*\n(?:(?:[ \t]*\n)*[ \t]+\S.*\n)*)")
ARGUMENT_TYPES: dict[Any, dict[str, str]] = {
    str: {"type": "str"},
    int: {"type": "int"},
    list[str]: {"type": "list", "elements": "str"},
    dict[str, str]: {"type": "dict"},
}

CONFIG_HEAD = """\
{% macro yes_no(value) %}{{ '' if value is none else value | bool | ternary('yes', 'no') }}{% endmacro %}
# Made by ibops.gateway for gateway {{ gateway_name }}: change the inventory, not this file.
# The image fills the two credentials in at start, on tmpfs; every other value is final.
"""
CONFIG_TAIL = """\
{% for key, value in gateway_config_extra | dictsort %}
{{ key }}={{ value | ibops.gateway.properties_value }}
{% endfor %}
"""


def config_ini() -> str:
    lines = []
    for heading, keys in ibc.SECTIONS.items():
        lines += ["", f"# {heading}", *(f"{key.name}={config_value(key)}" for key in keys if in_template(key))]
    return "\n".join([f"{{# {NOTE} #}}", CONFIG_HEAD.rstrip(), *lines, CONFIG_TAIL])


def in_template(key: Any) -> bool:
    return bool(key.variable) or key.text is not None


def config_value(key: Any) -> str:
    """The value of a key in the template: a fixed text, or an expression of the key's variable."""
    if key.text is not None:
        return str(key.text)
    if key.variable == ibc.BYPASS:
        return f"{{{{ yes_no('{key.name}' in {key.variable}) }}}}"
    expressions = {
        "bool": f"yes_no({key.variable})",
        "int": f"'' if {key.variable} is none else {key.variable}" if key.default is None else key.variable,
        "list": f"{key.variable} | join(',')",
        "str": f"{key.variable} | ibops.gateway.properties_value" if key.values is ibc.TEXT else key.variable,
    }
    return f"{{{{ {expressions[key.type]} }}}}"


def options() -> dict[str, dict[str, Any]]:
    """The argument specification of IBC's options, in the order of config.ini."""
    found: dict[str, dict[str, Any]] = {}
    for key in ibc.KEYS.values():
        if key.variable == ibc.BYPASS:
            choices = list(ibc.BYPASS_KEYS)
            text = ibc.BYPASS_DESCRIPTION
            found[key.variable] = {
                "description": text,
                "type": "list",
                "elements": "str",
                "default": [],
                "choices": choices,
            }
        elif key.description:
            found[key.variable] = option(key)
    return found


def option(key: Any) -> dict[str, Any]:
    newer = "" if key.since == ibc.RECORDED_AT else f" Needs IBC {key.since} or later."
    found = {"description": key.description + newer, "type": key.type}
    if key.type == "list":
        found["elements"] = "str"
    if key.default is not None:
        found["default"] = list(key.default) if key.type == "list" else key.default
    if key.type == "str" and key.values.choices:
        found["choices"] = list(key.values.choices)
    return found


def specification() -> str:
    """The role's specification with its generated part rewritten."""
    kept, _, _ = SPECIFICATION.read_text().partition(SPECIFICATION_NOTE)
    kept = line_of(
        kept, r"(?<=      gateway_access:\n)(?:        .*\n)*?        choices: ", f"[{', '.join(access.METHODS)}]"
    )
    return kept + SPECIFICATION_NOTE + "".join(option_lines(name, each) for name, each in options().items())


def line_of(text: str, pattern: str, value: str) -> str:
    """*text* with *value* behind the first match of *pattern*, to the end of its line."""
    renewed, count = re.subn(rf"(?m)({pattern}).*$", lambda found: f"{found[1]}{value}", text, count=1)
    if not count:
        raise SystemExit(f"no line is found by {pattern!r}")
    return renewed


def gcp_vm_specification() -> str:
    """Role gcp_vm's specification, with the options of modules gcp_network and gcp_vm as they document them."""
    module = (ROOT / "plugins/modules/gcp_network.py").read_text()
    documented = re.search(r"(?m)^  firewalls:\n(?:    .*\n)*?    suboptions:\n((?:      .*\n)+)", module)
    if not documented:
        raise SystemExit("plugins/modules/gcp_network.py: option firewalls has no suboptions")
    rules = textwrap.indent(documented[1].replace("suboptions:", "options:"), "    ")
    text = with_suboptions(GCP_VM.read_text(), "gcp_vm_firewalls", rules)
    return with_suboptions(text, "gcp_vm_options", vm_options())


def with_suboptions(text: str, name: str, lines: str) -> str:
    """The text of role gcp_vm's specification with other suboptions of option *name*."""
    before, option, after = text.partition(f"      {name}:\n")
    kept, options, after = after.partition("        options:\n")
    return before + option + kept + options + re.sub(r"\A(?: {10}.*\n)+", lambda _: lines, after)


# Options that role gcp_vm sets itself.
NOT_OF_THE_ROLE = {"name", "zone", "mode", "project", "region", "access_token", "credentials_file"}


def vm_options() -> str:
    """The options of module gcp_vm as suboptions of gcp_vm_options, without defaults: the role's variables hold."""
    found = ""
    for path in ("doc_fragments/gcp.py", "modules/gcp_vm.py"):
        documented = (ROOT / "plugins" / path).read_text().partition("\noptions:\n")[2]
        for option in re.finditer(r"(?m)^  (?P<name>\w+):\n(?:    .*\n)+", documented.partition('"""')[0]):
            if option["name"] not in NOT_OF_THE_ROLE:
                found += re.sub(r"(?m)^ *default: .*\n", "", option[0])
    found = re.sub(r"O\((region|name)\)", r"O(gcp_vm_\1)", found.replace("suboptions:", "options:"))
    found = re.sub(r"O\((?!gcp_vm)", "C(", found)
    return textwrap.indent(found, " " * 8)


HEALTH = ROOT / "plugins/modules/gateway_health.py"


def health_module() -> str:
    """Module gateway_health, whose RETURN documents the facts of health.py."""
    lines = []
    for name, (description, sample) in health.FACTS.items():
        kind = yaml.safe_load(sample)
        returned = ["returned: when it is deployed", f"type: {'list' if isinstance(kind, list) else 'dict'}"]
        returned += ["elements: dict"] if isinstance(kind, list) else []
        wrapped = textwrap.wrap(
            description, 116, initial_indent="    ", subsequent_indent="    ", break_long_words=False
        )
        text = "\n".join(["  description: >-", *wrapped, *(f"  {line}" for line in [*returned, f"sample: {sample}"])])
        lines.append(f"{name}:\n{text}\n")
    first, documented = next(iter(health.FACTS)), HEALTH.read_text()
    before, _, after = documented.partition(f"\n{first}:\n")
    return before + "\n" + "".join(lines) + after[after.index('"""') :]


def session_specification() -> str:
    """Role session's specification, with the channels of channel_kinds.py and the deadline of week.py."""
    kept, _, _ = SESSION.read_text().partition(ALERTS_NOTE)
    kept = line_of(
        kept,
        r"(?<=      session_sign_in_deadline:\n)(?:        .*\n)*?        default: ",
        written(week.SIGN_IN_DEADLINE),
    )
    return kept + ALERTS_NOTE + option_lines("session_alerts", channel())


def alert_kinds() -> str:
    """channel_kinds.py, with the kinds of the alerts that the agent makes."""
    sources = [path.read_text() for path in AGENT.rglob("*.py")]
    made = {kind for pattern in ALERT_KEYS for source in sources for kind in pattern.findall(source)}
    # How a command ended that was asked for from afar is an alert, too; a sample's key is of no kind.
    kinds = made - {"key"} | {command for command, _said in judge.COMMANDS.values()}
    head, begin, rest = CHANNEL_KINDS.read_text().partition("ALERT_KINDS = frozenset(\n    {\n")
    return head + begin + "".join(f'        "{kind}",\n' for kind in sorted(kinds)) + rest[rest.index("    }\n") :]


def channel() -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {
        "kind": {
            "description": "Kind of the channel.",
            "type": "str",
            "required": True,
            "choices": list(channel_kinds.KINDS),
        },
        "min_severity": {
            "description": "Least severity of the alerts that the channel gets.",
            "type": "str",
            "default": channel_kinds.SEVERITIES[0],
            "choices": list(channel_kinds.SEVERITIES),
        },
    }
    used = {name for kind in channel_kinds.KINDS.values() for name in (*kind.needs, *kind.may)}
    if used != channel_kinds.OPTIONS.keys():
        both = sorted(used ^ channel_kinds.OPTIONS.keys())
        raise SystemExit(f"channel_kinds.py: not both in KINDS and in OPTIONS: {both}")
    for name, (type_, text) in channel_kinds.OPTIONS.items():
        users = [f"V({each})" for each, kind in channel_kinds.KINDS.items() if name in (*kind.needs, *kind.may)]
        found[name] = {"description": f"For {', '.join(users)}. {text}", **ARGUMENT_TYPES[type_]}
        if name in channel_kinds.SECRETS:
            found[name]["no_log"] = True
    return {
        "description": "Where alerts go; docs/how-to/alerts.md. URLs and passwords are secrets: use a lookup.",
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": True,
        "options": found,
    }


def option_lines(name: str, option: dict[str, Any], indent: int = 6) -> str:
    lines = [f"{name}:", *description_lines(option["description"])]
    for key, value in option.items():
        if key == "choices" and sum(map(len, value)) > WIDTH - 30:
            lines += [f"  {key}:", *(f"    - {each}" for each in value)]
        elif key == "choices":
            lines.append(f"  {key}: [{', '.join(value)}]")
        elif key in ("type", "elements"):
            lines.append(f"  {key}: {value}")
        elif key == "options":
            lines.append("  options:")
            lines += [option_lines(each, held, 4).rstrip("\n") for each, held in value.items()]
        elif key != "description":
            lines.append(f"  {key}: {written(value)}")
    return textwrap.indent("\n".join(lines) + "\n", " " * indent)


def description_lines(text: str) -> list[str]:
    line = f"  description: {text}"
    plain = yaml.safe_load(line)["description"] == text if ": " not in text else False
    if plain and len(line) <= WIDTH - 6:
        return [line]
    return ["  description: >-", *textwrap.wrap(text, WIDTH - 6, initial_indent="    ", subsequent_indent="    ")]


def ibc_defaults() -> str:
    lines = ["---", f"# {NOTE}"]
    known = options()
    for heading, keys in ibc.SECTIONS.items():
        names = dict.fromkeys(key.variable for key in keys if key.variable in known)
        lines += ["", f"# {heading}", ""] if names else []
        lines += [default_lines(name, known[name], known[name].get("default")) for name in names]
    return "\n".join(lines) + "\n"


def default_lines(name: str, option: dict[str, Any], value: object) -> str:
    return "\n".join([*comment(option), f"{name}: {written(value)}".rstrip()])


def comment(option: dict[str, Any]) -> list[str]:
    """An option's description, choices and the names of its own options as a comment, without Ansible's markup."""
    description = option["description"]
    text = description if isinstance(description, str) else " ".join(description)
    if "choices" in option:
        text += f" {'Some' if option['type'] == 'list' else 'One'} of {', '.join(option['choices'])}."
    if "options" in option:
        text += f" {'With' if option['type'] == 'dict' else 'Each with'} {', '.join(option['options'])}."
    for pattern, plain in PLAIN:
        text = re.sub(pattern, plain, text)
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False, break_long_words=False
    )


def defaults(role: Path, specification: str) -> dict[Path, str]:
    """A role's files of defaults, renewed from its specification."""
    entry_points = yaml.safe_load(specification)["argument_specs"].values()
    known = {name: option for entry in entry_points for name, option in entry.get("options", {}).items()}
    files = {path: path.read_text() for path in sorted(role.glob("defaults/**/*.yml")) if path.name != IBC_DEFAULTS}
    held = {name for text in files.values() for name in yaml.safe_load(text) or {}}
    renewed = {path: OPTION.sub(lambda found: renewed_option(found, known), text) for path, text in files.items()}
    of_table = options() if role == GATEWAY else {}
    for name, option in known.items():
        if "default" in option and name not in held and name not in of_table:
            path = home(name, list(renewed))
            renewed[path] = renewed.get(path, "---\n") + default_lines(name, option, option["default"]) + "\n"
    return renewed


def renewed_option(found: re.Match[str], known: dict[str, dict[str, Any]]) -> str:
    """An option's comment and default as its specification has them; the default's form stays where its value does."""
    name, value = found["name"], found["value"]
    if name not in known:
        return found[0]
    present = yaml.safe_load(value)[name]
    wanted = known[name].get("default", present)
    if present != wanted:
        return default_lines(name, known[name], wanted) + "\n"
    return "\n".join([*comment(known[name]), value])


def home(name: str, files: list[Path]) -> Path:
    """The file for a new option: that of its control, in hardening for example ssh.yml for hardening_ssh_*."""
    fits = [path for path in files if f"_{path.stem}_" in f"{name}_"]
    main = files[0].with_name("main.yml")
    new = main if main in files else main.with_name(f"{name.split('_')[1]}.yml")
    return max(fits, key=lambda path: len(path.stem), default=new)


def hardening() -> dict[Path, str]:
    """Role hardening's list of controls, and its tags."""
    variables, tasks = HARDENING / "vars/main/main.yml", HARDENING / "tasks/main.yml"
    tables = {path.stem: path.read_text() for path in (HARDENING / "vars/main").glob("*.yml") if path != variables}
    # Those that decide who gets in come last, and of these the firewall, which has the ports of sshd.
    controls = sorted(tables, key=lambda name: ("\n  guarded:" in tables[name], name == "firewall", name))
    lists = {
        variables: ("^__hardening_controls:", ["", *(f"  - {name}" for name in controls)]),
        tasks: ("^  tags:", ["", "    - hardening", *(f"    - hardening_{name}" for name in sorted(controls))]),
    }
    found = {}
    for path, (key, lines) in lists.items():
        text = re.sub(rf"(?m)({key}.*\n)(?: +- .*\n)*", r"\1", path.read_text())
        found[path] = line_of(text, key, "\n".join(lines))
    return found


def platforms() -> dict[Path, str]:
    """The platforms of each role, by systems.py."""
    found = {}
    for path in sorted(ROOT.glob("roles/*/meta/main.yml")):
        releases: dict[str, list[str]] = {}
        for system in systems.SYSTEMS:
            if not system.differs:
                releases.setdefault(system.distribution, []).append(system.codename)
        lines = [f"    - name: {name}\n      versions: [{', '.join(names)}]\n" for name, names in releases.items()]
        head, key, rest = path.read_text().partition("  platforms:\n")
        found[path] = head + key + "".join(lines) + re.sub(r"\A(?: {4}.*\n)+", "", rest)
    return found


RUN_NAMES = ROOT / "plugins/module_utils/rules/run_names.py"


def run_names() -> str:
    """The module with the public names that tasks and plays set themselves: register, set_fact, vars."""
    found: set[str] = set()
    for path in sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")]):
        found |= {name for name in names_set(yaml.safe_load(path.read_text())) if not name.startswith("_")}
    lines = "".join(f'        "{name}",\n' for name in sorted(found))
    head, _, _ = RUN_NAMES.read_text().partition("NAMES: ")
    return f"{head}NAMES: frozenset[str] = frozenset(\n    {{\n{lines}    }}\n)\n"


def names_set(node: Any) -> set[str]:
    if isinstance(node, list):
        return {name for each in node for name in names_set(each)}
    if not isinstance(node, dict):
        return set()
    found = {name for key in ("vars", "ansible.builtin.set_fact") for name in node.get(key) or ()}
    found |= {node["register"]} if isinstance(node.get("register"), str) else set()
    return found | {name for each in node.values() for name in names_set(each)}


def texts() -> dict[Path, str]:
    found = {
        ROOT / "templates/config.ini.j2": config_ini(),
        SPECIFICATION: specification(),
        ACCESS: line_of(ACCESS.read_text(), "^__access_known: ", f"[{', '.join(access.METHODS)}]"),
        SESSION: session_specification(),
        CHANNEL_KINDS: alert_kinds(),
        GCP_VM: gcp_vm_specification(),
        HEALTH: health_module(),
        GATEWAY / "defaults/main" / IBC_DEFAULTS: ibc_defaults(),
        RUN_NAMES: run_names(),
        dashboard.PATH: dashboard.text(),
        dashboard.GOOGLE_PATH: dashboard.google_text(),
    }
    found |= documents() | hardening() | platforms()
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        found |= defaults(path.parent.parent, found.get(path) or path.read_text())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is not current")
    check = parser.parse_args().check
    changed = {path: text for path, text in texts().items() if not path.exists() or path.read_text() != text}
    for path, text in changed.items():
        name = str(path.relative_to(ROOT))
        if check:
            present = path.read_text().splitlines() if path.exists() else []
            print("\n".join(difflib.unified_diff(present, text.splitlines(), name, "generated", n=1, lineterm="")))
        else:
            path.write_text(text)
            print(f"{name}: written")
    if check and changed:
        print("not current: change the place that they are generated from, then run `make generate`")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())

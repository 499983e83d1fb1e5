"""The tables in docs that generated.py writes: each from the module that its rows are data of.

A page marks the place of one by its name in DOCUMENTED.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import yaml
from tests import role_values
from tests.lint.files import ROOT, project_files

sys.path.insert(0, str(ROOT / ".ansible/collections"))
sys.path.insert(0, str(ROOT / "sandbox/gateway"))

# Those with an alias, which is their name, for their kinds of problem alone.
from ansible_collections.ibops.gateway.plugins.module_utils.agent import problem
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers, promises
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.instead import INSTEAD
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    channel_kinds,
    journal,
    metrics,
    week,
)
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import controller_settings
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import monitoring as monitoring
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import network as network
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import errors
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import scheduler_job as scheduler_job
from ansible_collections.ibops.gateway.plugins.module_utils.host import docker_daemon as docker_daemon
from ansible_collections.ibops.gateway.plugins.module_utils.report import live_check
from ansible_collections.ibops.gateway.plugins.module_utils.rules import access
from ansible_collections.ibops.gateway.plugins.module_utils.rules import check as check
from ansible_collections.ibops.gateway.plugins.module_utils.rules import ibc_settings as ibc
from ibgw_standin import faults

# Ansible's markup as plain text.
PLAIN = [
    (r"\bL\(([^,()]+), *([^)]+)\)", r"\1 (\2)"),
    (r"\b[MP]\((?:\w+\.)*(\w+)(?:#\w+)?\)", r"\1"),
    (r"\b[CEOV]\((?:[\w.]+#\w+:(?:[\w.]+:)?)?([^()]*)\)", r"\1"),
]


def written(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def week_table() -> str:
    """The table of a live gateway's week, as docs have it."""
    heads_up, noon, _last_hour = week.reminders(datetime(2026, 11, 29, 12, tzinfo=UTC)).values()
    rows = [
        ("when (New York)", "what happens"),
        ("---", "---"),
        (f"{heads_up:%A %H:%M}", "a reminder"),
        (f"Saturday {week.CLOSE:%H:%M}", "the watcher signs the gateway off and leaves it down"),
        (week.VOIDED, "IBKR voids every token"),
        (week.OPENED, "from now on a sign-in lasts the week"),
        (
            f"{noon:%A %H:%M}, and an hour before `session_sign_in_deadline` ({week.SIGN_IN_DEADLINE})",
            "reminders, if nobody has signed in",
        ),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def access_table() -> str:
    rows = [
        ("method", "who gets through", "identity", "encryption", "moving parts", "when it fails"),
        ("---",) * 6,
        *((f"`{name}`", *method[:5]) for name, method in access.METHODS.items()),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def google_errors_table() -> str:
    """A row for each kind of error of Google's; a placeholder of its texts in italics."""
    rows = [("error", "Google answers", "what it means", "next step", "tried again"), ("---",) * 5]
    tries = {errors.NEVER: "no", errors.SOME: "up to five times", errors.ALWAYS: "until the deadline"}
    for row in errors.ROWS:
        answers = [*map(str, sorted(row.statuses)), *(f"`{reason}`" for reason in sorted(row.reasons))]
        answer = f"{', '.join(answers)}{' with the name of a constraint' if row.pattern else ''}"
        again = "once, after another look" if row.error is errors.ChangedMeanwhileError else tries[row.retry]
        meaning, step = (
            re.sub(r"\{(\w+)\}", r"*\1*", cell(text)) or "Google's own text" for text in (row.meaning, row.next_step)
        )
        rows.append((f"`{row.id}`", answer, meaning, step, again))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def organization_policies_table() -> str:
    rows = [("constraint", "way round"), ("---",) * 2]
    rows += [(f"`{name}`", re.sub(r"\{(\w+)\}", r"*\1*", cell(text))) for name, text in errors.POLICIES.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def problem_table() -> str:
    """A row for each kind of problem; a placeholder of its texts in italics."""
    rows = [("id", "what is wrong", "how to fix it"), ("---",) * 3]
    for id_, texts in sorted(problem.KINDS.items()):
        wrong, fix = (re.sub(r"\{(\w+)\}", r"*\1*", cell(text)) for text in texts)
        rows.append((f"`{id_}`", wrong, fix))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cell(text: str) -> str:
    """A text in a table of Markdown, where braces of :meth:`str.format` are single."""
    for plain in "*<|":
        text = text.replace(plain, f"\\{plain}")
    return text.replace("{{", "\\{").replace("}}", "\\}")


def playbook_options() -> str:
    rows = [("playbook", "option", "type", "default", "what it does"), ("---",) * 5]
    for playbook, known in yaml.safe_load((ROOT / "playbooks/vars/options.yml").read_text()).items():
        for name, option in known.items():
            described = option["description"]
            for pattern, plain in PLAIN:
                described = re.sub(pattern, plain, described)
            if "choices" in option:
                described += f" One of {', '.join(option['choices'])}."
            default = f"`{written(option['default'])}`" if "default" in option else ""
            rows.append((playbook, f"`{name}`", option["type"], default, cell(described)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def live_checks_table() -> str:
    """A row for each check of the live check, with its thresholds' defaults."""
    known = yaml.safe_load((ROOT / "playbooks/vars/options.yml").read_text())["live_check"]
    known |= yaml.safe_load((ROOT / "roles/gateway/meta/argument_specs.yml").read_text())["argument_specs"]["main.yml"][
        "options"
    ]
    rows = [("check", "`warn`", "`act`", "variable, default")]
    for each in live_check.CHECKS:
        shown = ", ".join(f"`{name}` {written(known[name]['default'])}" for name in each.options)
        rows.append((each.name, each.warn, each.act, shown))
    return table(rows)


def table(rows: Iterable[tuple[str, ...]]) -> str:
    head, *others = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *others))


def promises_table() -> str:
    """The basis of each promise, by controller."""
    tables = controllers.TABLES.values()
    rows = [("promise", *(each.title for each in tables))]
    for promise, text in promises.PROMISES.items():
        bases = [promises.basis(each, promise) for each in tables]
        cells = (each.rests_on if each.kept else f"**not kept**: {each.rests_on}. {each.instead}" for each in bases)
        rows.append((text, *cells))
    return table(rows)


def controller_settings_table() -> str:
    """Each setting of IBC, and what becomes of it with another controller."""
    others = [each for each in controllers.TABLES.values() if each.name in controller_settings.TABLES]
    rows = [("variable", *(f"with {each.title}" for each in others))]
    for name in ibc.OPTIONS | {ibc.BYPASS: None}:
        rows.append((f"`{name}`", *(setting_kept(controller_settings.TABLES[each.name], name) for each in others)))
    return table(rows)


def metrics_table() -> str:
    """A row for each metric of the watcher."""
    rows = [("metric", "type", "unit", "what it tells", "from", "label")]
    rows.append(
        (
            f"`{metrics.INFO}`",
            metrics.GAUGE,
            "",
            metrics.INFO_HELP,
            "its settings, the log",
            ", ".join(f"`{name}`" for name in metrics.INFO_LABELS),
        )
    )
    for each in metrics.METRICS:
        values = ", ".join(f"`{value}`" for value in each.values)
        label = f"`{each.label}`: {values}" if each.label else ""
        rows.append((f"`{each.name}`", each.kind, metrics.unit(each.name), each.help, each.source, label))
    return table(rows)


def channels_table() -> str:
    """A row for each kind of channel for alerts."""
    rows = [("kind", "needs", "may have", "what it is sent", "format by")]
    for name, kind in channel_kinds.KINDS.items():
        needs, may = (", ".join(f"`{each}`" for each in part) for part in (kind.needs, kind.may))
        rows.append((f"`{name}`", needs, may, kind.sent, kind.source))
    return table(rows)


def instead_table() -> str:
    """A row for each command of ibgwctl that is not for a Client Portal Gateway."""
    rows = [
        ("command", "instead"),
        *((f"`{name}`", cell(text.format(name="<name>"))) for name, text in INSTEAD.items()),
    ]
    return table(rows)


def rules_file(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load((ROOT / "roles/observability/vars/main/rules.yml").read_text())[name]
    return found


def alert_rules_table() -> str:
    """A row for each alerting rule of Prometheus."""
    rows = [("rule", "severity", "for", "fires when", "what to do", "expression")]
    for each in rules_file("__observability_rules"):
        shown = (cell(each["text"]), cell(each["step"]), f"`{cell_code(each['expr'])}`")
        rows.append((f"`{each['alert']}`", each["severity"], each["for"], *shown))
    return table(rows)


def records_table() -> str:
    """A row for each recording rule of Prometheus."""
    rows = [("series", "what it tells", "expression")]
    rows += [
        (f"`{each['record']}`", cell(each["text"]), f"`{cell_code(each['expr'])}`")
        for each in rules_file("__observability_records")
    ]
    return table(rows)


def cell_code(text: str) -> str:
    """Code in a table of Markdown, where a bar would end the cell."""
    return text.strip().replace("|", "\\|")


def transition_table() -> str:
    """A row for each field of a line in the journal."""
    return table([("field", "what it is"), *((f"`{name}`", text) for name, (text, _read) in journal.FIELDS.items())])


def ops_agent() -> str:
    """The Ops Agent's configuration as role observability writes it by its defaults."""
    return f"```yaml\n{role_values.value('observability', '__observability_ops_agent_text').strip()}\n```\n"


def setting_kept(own: controller_settings.Table, name: str) -> str:
    if name in own.always:
        return "always on"
    if name not in own.kept:
        return f"at its default only: {own.lacking.get(name, controller_settings.NO_SETTING)}"
    return own.kept[name] + (", from 12:00 PM on" if name in own.afternoon else "")


MARKED = re.compile(r"(<!-- generated: (?P<name>[\w -]+) -->\n)(?:.*\n)*?(?P<end><!-- end -->)")
DOCUMENTED = {
    "errors of Google": google_errors_table,
    "organization policies": organization_policies_table,
    "access methods": access_table,
    "promises per controller": promises_table,
    "settings by environment": controller_settings_table,
    "alert channels": channels_table,
    "client portal commands": instead_table,
    "alerting rules": alert_rules_table,
    "recording rules": records_table,
    "live checks": live_checks_table,
    "metrics": metrics_table,
    "the Ops Agent": ops_agent,
    "transition fields": transition_table,
    "faults of the stand-in": lambda: faults.markdown().rstrip("\n") + "\n",
    "playbook options": playbook_options,
    "problems": problem_table,
    "weekly times": week_table,
}


def documents() -> dict[Path, str]:
    """The pages with a generated part."""
    found = {}
    for path in project_files():
        text = (ROOT / path).read_text() if path.suffix == ".md" else ""
        if MARKED.search(text):
            found[ROOT / path] = MARKED.sub(lambda part: f"{part[1]}{DOCUMENTED[part['name']]()}{part['end']}", text)
    return found

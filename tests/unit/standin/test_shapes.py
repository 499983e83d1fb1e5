# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in prints nothing that neither a recording of the real IBC nor a source named in sources.yml has.

What it can print is found in its code, by the templates of its texts, and by running the faults that no recording has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.unit.standin.test_conformance import SITUATIONS, Situation, container
from tests.unit.standin.transcripts import ROOT, Transcript, plain

from ibgw_standin import faults
from ibgw_standin.testing import PACKAGE_ROOT

SOURCES = Path(__file__).parents[2] / "standin" / "sources.yml"
PACKAGE = PACKAGE_ROOT / "ibgw_standin"
# Functions whose arguments are lines of the log, of the modules that write one.
SAYS = {"log", "error", "fail", "log_error", "log_exit", "print", "_log", "JtsError"}
IBG_MODULES = ("ibg", "ibg_releases", "ibg_servers", "ibg_texts")
MODULES = ("command_server", "configuration", "handlers", "ibc", "jts", "schedule", "settings", "windows")
SCRIPTS = (
    "ibc/ibcstart.sh",
    "scripts/common.sh",
    "scripts/run.sh",
    "scripts/run_socat.sh",
    "scripts/run_ssh.sh",
    "desktop/run_tws.sh",
    "desktop/start_session.sh",
)
SLOT = "\0"
TWO_WORDS, NOT_ITS = re.compile("[A-Za-z]{2,}\\W+[A-Za-z]{2,}"), re.compile(r"ibgw_standin:|/tmp|HTTP|\d{3} ")
IBG = "gateway_controller.py"


def recorded() -> set[str]:
    """Every line of the recordings of both controllers, without IBC's time."""
    lines: set[str] = set()
    for path in ROOT.glob("*.log"):
        one = Transcript(path)
        lines |= {re.sub(r"^[-\d]+ [:\d]+ IBC: ", "", line) for line in one.lines}
    for path in (ROOT / "ibg").glob("*.log"):
        lines |= {line.partition("\t")[2] for line in path.read_text().splitlines()}
    return lines


def texts(node: ast.expr) -> Iterator[str]:
    """Yield the templates that an expression can be, with SLOT for what varies."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(each.value if isinstance(each, ast.Constant) else SLOT for each in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            for first in texts(left):
                yield from (first + second for second in texts(right))
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.Starred(value=value):
            yield from texts(value)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                yield from texts(element)
        case _:
            yield SLOT


def said_by(module: str) -> Iterator[str]:
    """Yield the templates of the lines that a module prints."""
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            aside = any(each.arg == "file" for each in node.keywords)  # on standard error
            if (name in SAYS or (name, module) == ("ValueError", "schedule")) and not aside:
                for argument in node.args:
                    yield from texts(argument)


def written_in(module: str) -> Iterator[str]:
    """Yield the texts of ibg-controller in a module: all that have two words, but docstrings, our own and HTTP's."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    within: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            within |= {id(each) for each in node.values}
        elif isinstance(node, ast.Raise):
            within |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.Expr):
            within.add(id(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in within:
            for text in texts(node):
                if TWO_WORDS.search(text) and not NOT_ITS.match(text):
                    yield re.sub(r"\{(!r)?\}", SLOT, text).strip()


def said_by_script(path: Path) -> Iterator[str]:
    """Yield the templates of the lines that a script of the image prints."""
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    for found in re.finditer(
        r"""^\s*(?:if.*; then |.*\|\| )?(echo|printf|error_exit \d)[ \t](.*)$""", text, re.MULTILINE
    ):
        for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'', found[2]):
            for line in "".join(quoted).replace("\\n", "\n").split("\n"):
                yield (
                    re.sub(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+|\$\?|%\([^)]*\)T|%[sd]", SLOT, line)
                    .replace('\\"', '"')
                    .replace("\\\\", "\\")
                )


def matches(template: str, lines: set[str]) -> bool:
    """Whether one of these lines is an instance of the template."""
    pattern = re.compile(".*".join(map(re.escape, template.split(SLOT))))
    return any(map(pattern.fullmatch, lines))


def templates() -> set[tuple[str, str]]:
    """All templates, with where they stand; those of too few letters to mean a line are left to the runs."""
    found = {(name, text) for name in MODULES for text in said_by(name)}
    found |= {(name, text) for name in SCRIPTS for text in said_by_script(PACKAGE_ROOT / "image" / name)}
    return {(name, line) for name, text in found for line in text.split("\n") if len(re.findall("[A-Za-z]", line)) > 3}


def sources() -> set[str]:
    """The lines that no recording has, with ``{}`` for what varies."""
    upstream = yaml.safe_load(SOURCES.read_text())
    return {line for files in upstream.values() for path, lines in files.items() if path != IBG for line in lines}


def test_every_text_of_ibg_controller_is_recorded_or_has_a_source() -> None:
    lines = "\n".join(each.read_text() for each in (ROOT / "ibg").glob("*.log"))
    sourced = {line for files in yaml.safe_load(SOURCES.read_text()).values() for line in files.get(IBG, ())}
    found = {text for name in IBG_MODULES for text in written_in(name)}
    unknown = {
        text.replace(SLOT, "{}") for text in found if not re.search(".*".join(map(re.escape, text.split(SLOT))), lines)
    }
    assert unknown - sourced == set()
    assert sourced - unknown == set(), "nothing prints these any more, or a recording has them"


def test_every_text_of_the_code_is_recorded_or_has_a_source() -> None:
    lines, sourced = recorded(), sources()
    unknown = {(name, text.replace(SLOT, "{}")) for name, text in templates() if not matches(text, lines)}
    assert {(name, text) for name, text in unknown if text not in sourced} == set()
    assert sourced - {text for _name, text in unknown} - SAID_IN_RUNS == set(), "nothing prints these any more"


# Faults that no recording has, and why.
UNRECORDED = {
    "connection_failed": "its reaction is in GatewayDialogHandler.java; kept for acceptance, like the next",
    "token_second_factor": "lines of 13-restart-token-then-second-factor, which README.md of the recordings names",
    "exit_at_once": "a broken image: nothing is printed between the command and the exit status",
    "expired_token": "recorded at a restart by command; here at the gateway's own",
}
SAID_IN_RUNS = {"Connection to server failed"}


def test_every_fault_of_the_log_is_recorded_or_says_why_not() -> None:
    played = {name for each in SITUATIONS.values() for name in faults.parse_list(each.fault)}
    played |= {request["name"] for each in SITUATIONS.values() for _text, request in each.later if "name" in request}
    played |= {request["fault"] for each in SITUATIONS.values() for _text, request in each.later if "fault" in request}
    known = {name for name, each in faults.FAULTS.items() if each.layer in ("login", "window")}
    assert known - played == UNRECORDED.keys() - played
    assert known >= UNRECORDED.keys()


@pytest.mark.programs
@pytest.mark.parametrize("name", UNRECORDED)
def test_what_an_unrecorded_fault_prints_is_known_all_the_same(name: str) -> None:
    everything: set[str] = set()
    for path in ROOT.glob("*.log"):
        everything |= {*plain(Transcript(path).lines)}
    one = Transcript(ROOT / "13-restart-by-own-time.log")
    one.exit_code = None
    token = name in ("token_second_factor", "expired_token")
    situation = Situation(f"{name}:times=1" if name == "connection_failed" else name)
    with container(one, situation) as stand_in:
        if token:
            stand_in.wait_until("Configuration tasks completed")
            stand_in.control({"cmd": "restart"})
        stand_in.wait_until(
            {"exit_at_once": "Gateway finished"}.get(name, "Second Factor Authentication initiated"), 1 + token
        )
        lines = {line for line in plain(stand_in.plain()) if line not in everything}
    assert {
        line
        for line in lines
        if not any(matches(each.replace("{}", SLOT), {line.removeprefix("IBC: ")}) for each in sources())
    } == set()

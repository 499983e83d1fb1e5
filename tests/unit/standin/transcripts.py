# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded logs of the real IBC, and any log in their form with all that differs from run to run taken out.

IBC has several threads, and the recordings show that nobody keeps their lines in order: the same start of the same
program has them this way and that. So a log is taken apart into what one thread writes, each compared by itself.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3] / "tests" / "transcripts"
RULE = "-" * 60
# Placeholders for values that vary by run.
_VOLATILE = [
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3} IBC: "), "IBC: "),
    (re.compile(r"^(Starting IBC version  on ).*"), r"\1<date>"),
    (re.compile(r"^(Operating system: ).*"), r"\1<system>"),
    (re.compile(r"^(Classpath=).*"), r"\1<classpath>"),
    (re.compile(r"^(Java VM Options=).*"), r"\1<options>"),
    (re.compile(r"^(    java\.runtime\.version = ).*"), r"\1<version>"),
    (re.compile(r"^(Location of java executable=).*"), r"\1<path>"),
    (re.compile(r'^"[^"]+/\S+" .*?((?: -Drestart=\S+)?) ibcalpha\.ibc\.IbcGateway "[^"]+" +$'), r"<java>\1"),
    (re.compile(r"(tws_settings/|-Drestart=)[a-z]+\b(?!\.)"), r"\1<login>"),
    (re.compile(r"(Duration since login: )\d+"), r"\1<n>"),
    (re.compile(r"(IBC: Will re-login at )[-\d :]+(;)"), r"\1<date>\2"),
    (re.compile(r"(IBC: Gateway will be .* at )[\d/ :]+"), r"\1<date>"),
    (re.compile(r"^/\S+/(\w+\.sh): line \d+: +\d+ (Killed) .*"), r"<shell: \2>"),
    (re.compile(r"^/\S+/(\w+\.sh): line \d+: kill: \(\d+\) - (.*)"), r"<shell: kill: \2>"),
    (re.compile(r"^/\S+/(\w+\.sh): line \d+: (\S+): (.*)"), r"<shell: \3>"),
]  # fmt: skip
_MINUTE = re.compile(r"\b\d\d:\d\d [AP]M\b")
# Threads of their own, whose lines fall anywhere: the pools for the configuration dialog and the main window, the
# command server, what the shell and the relay say beside it.
_BESIDE = re.compile(
    r"IBC: (Getting|Creating|Waiting for|Got) (config dialog|main window)|IBC: Main window already found"
    r"|IBC: Invoking config dialog menu|IBC: CommandServer (is starting|listening|started)"
    r"|Forking :::|<shell: |error: both|=+ An error has occurred|Error: "
)
_FOCUS = re.compile(r"event=(Activated|Focused|Lost focus|Deactivated)$|SharedOwnerFrame; event=Closed$")
# Written or not, as it happens: the JVM is halted, the screen is there before it is looked for, IBC has ended before it
# is to be.
_OPTIONAL = re.compile(r"IBC: CommandServer is shutdown|\.> (Waiting for Xvfb socket|Xvfb socket ready)|<shell: kill|$")
# The JVM is halted beside these, so that what else comes of them may be written or not.
_HALTS = re.compile(r"entitled: (Login failed|Trading Login Handoff);")
_TITLE = re.compile(r"(Connecting to server|Authenticating|Starting application)\.\.\.")
_SPLASH = re.compile(r"(entitled: )(Connecting to server|Authenticating)\.\.\.(; event=Opened)")
# Lines of threads that race with each other: a run of such lines, with one of the second kind among them, is compared
# without its order.
_RACES = [
    (
        re.compile(
            r"IBC: (Setting (ReadOnlyApi|Auto \w+ time)|Read-Only API checkbox|'Bypass|Auto \w+ time)|!{79}"
            r"|IBC: Auto restart time setting must"
        ),
        re.compile(r"IBC: Setting Auto"),
    ),
    (
        re.compile(
            r"IBC: (CommandServer closing|Login has not completed: exiting|Click button: OK|Closing command channel"
            r"|Login attempt: 2|Setting (user name|password|auto-restart time)|trading mode from settings"
            r"|Login has completed: exiting)"
        ),
        re.compile(r"IBC: (CommandServer closing|Closing command channel)"),
    ),
    (
        re.compile(
            r"\.> (Stopping IBC|Stopping socat|Stopping Xvfb|.*Received SIG|Done)|IBC returned exit status"
            r"|Finding autorestart|autorestart file|Gateway finished"
        ),
        re.compile(r"\.> Stopping"),
    ),
    (re.compile(r"Parsing arguments|\.>\t\t"), re.compile("Parsing")),
]  # fmt: skip


def plain(lines: Iterable[str], own_times: Sequence[str] = ()) -> list[str]:
    """Return the lines with what differs from run to run taken out; *own_times* are those of config.ini."""
    kept: list[str] = []
    inside = False
    for line in lines:
        if line == RULE:
            inside = not inside
        elif not inside and line != "System Properties":
            for pattern, text in _VOLATILE:
                line = pattern.sub(text, line)
            if not line.startswith("    "):
                line = _MINUTE.sub(lambda found: found[0] if found[0] in own_times else "<minute>", line)
            kept.append(_SPLASH.sub(r"\1<splash>\3", line))
    return kept


@dataclass
class Log:
    """A log, taken apart."""

    main: list[str] = field(default_factory=list)
    beside: Counter[str] = field(default_factory=Counter)
    focus: set[str] = field(default_factory=set)


def apart(lines: Iterable[str]) -> Log:
    """Take plain lines apart; runs of lines that race are sorted."""
    log = Log()
    run: list[str] = []
    race: tuple[re.Pattern[str], re.Pattern[str]] | None = None
    for line in (*lines, "end"):
        if _OPTIONAL.match(line):
            continue
        if _FOCUS.search(line):
            if "Activated" in line and not _HALTS.search(line):
                log.focus.add(_TITLE.sub("<splash>", line))
            continue
        if _BESIDE.match(line):
            log.beside[line] += 1
            continue
        if race is None or not race[0].match(line):
            log.main += sorted(run) if race and any(map(race[1].match, run)) else run
            run = []
            race = next((each for each in _RACES if each[0].match(line)), None)
        (run if race else log.main).append(line)
    log.main.pop()
    return log


@dataclass
class Action:
    """An action on the real gateway; *replies* of a command server: the greeting, then one for each line sent."""

    what: str
    at: float
    replies: list[str] = field(default_factory=list)


class Transcript:
    """One recording."""

    def __init__(self, path: Path) -> None:
        self.stem = path.stem
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        head = re.findall(r"^# ([^:\n]+): (.*)$", text, re.MULTILINE)
        header = dict(head)
        self.mode = header["mode"].split()[0]
        self.lines = [line.partition("\t")[2] for line in text.split("\n") if re.match(r"\d+\.\d+\t", line)]
        self.times = [float(found) for found in re.findall(r"^(\d+\.\d+)\t", text, re.MULTILINE)]
        code = re.match(r"\d+", header["exit code of the container (run.sh)"])
        self.exit_code = int(code[0]) if code else None
        self.environment = dict(
            re.findall(
                r"env (\w+)=([^;]*)",
                header.get(next(key for key in header if key.startswith("settings that differ")), ""),
            )
        )
        self.actions: list[Action] = []
        for key, value in head:
            at, _, what = value.partition(" ")
            if key == "action":
                self.actions.append(Action(what, float(at)))
            elif key == "reply" and self.actions and " -> " in what:
                self.actions[-1].replies.append(ast.literal_eval(what.partition(" -> ")[2]))
            elif key == "reply" and what.startswith("greeting: "):
                self.actions[-1].replies.insert(0, ast.literal_eval(what.removeprefix("greeting: ")))

    @property
    def config(self) -> str:
        """The config.ini, as IBC printed it; empty where it printed none."""
        if "IBC Settings:" not in self.lines:
            return ""
        begin = self.lines.index("IBC Settings:") + 1
        return "".join(f"{line[4:]}\n" for line in self.lines[begin : self.lines.index("End IBC Settings")])

    @property
    def own_times(self) -> list[str]:
        """The times of config.ini."""
        return _MINUTE.findall(self.config)

"""The commands that README and docs print.

They are each line of a shell block, of a job's ``run`` and of a unit's ``ExecStart``, and what stands inline and runs
on its own.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml
from tests.lint.files import ROOT

# A word of these between backquotes begins a command; of other programs only names are written inline.
INLINE = ("ansible", "ansible-doc", "ansible-playbook", "ibgwctl", "make", "gcloud", "pip")
_BLOCK = re.compile(r"^ *```shell\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_JOB = re.compile(r"^ *```yaml\n((?:(?!^ *```).)*?^ *(?:- )?run:.*?)^ *```", re.MULTILINE | re.DOTALL)
_UNIT = re.compile(r"^ExecStart=(.+)$", re.MULTILINE)
# Jobs and units name a program by its place in a virtual environment.
_PLACE = re.compile(r"(?<!\S)\S*venv/bin/(?=\w)")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(rf"`((?:{'|'.join(INLINE)})\s[^`]+)`")
# A comment begins a line, or stands behind two blanks.
_COMMENT = re.compile(r"(?:^|\s{2,})# .*$")


class Printed(t.NamedTuple):
    page: str
    command: str


def pages() -> list[Path]:
    """README and the pages that a person follows; decisions are a record of their day."""
    docs = [each for each in sorted((ROOT / "docs").rglob("*.md")) if each.parent.name != "decisions"]
    return [ROOT / "README.md", *docs]


def commands(text: str) -> list[str]:
    """Return the commands of a page, those of its blocks first."""
    found = [_PLACE.sub("", command) for command in _UNIT.findall(text)]
    scripts = [script for job in _JOB.findall(text) for script in _scripts(yaml.safe_load(job))]
    for block in [*_BLOCK.findall(text), *(_PLACE.sub("", script) for script in scripts)]:
        lines = (_COMMENT.sub("", line).strip() for line in re.sub(r"\\\n\s*", "", block).splitlines())
        found += [line for line in lines if line]
    # A table escapes its own character.
    spans = (re.sub(r"\s+", " ", span).replace(r"\|", "|") for span in _SPAN.findall(_FENCE.sub("", text)))
    return found + [span for span in spans if "[" not in span and "|" not in span]


def _scripts(value: object) -> t.Iterator[str]:
    """Yield each text under a key ``run``."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "run" and isinstance(each, str):
            yield each
        yield from _scripts(each)


def printed() -> list[Printed]:
    return [Printed(str(page.relative_to(ROOT)), command) for page in pages() for command in commands(page.read_text())]

"""Every command that README and docs print has a row that says how it is executed, and no row is left over."""

from __future__ import annotations

import collections
import re

import pytest
from tests.doors import printed, table
from tests.lint.files import ROOT

HOW = {"shell", "cloud", "gcloud", "make", "collected", "options", "machine", "host", "sandbox", "listed"}


def test_every_command_has_one_row_and_every_row_a_command() -> None:
    pages = collections.defaultdict(set)
    for page, command in printed.printed():
        pages[command].add(page)
    counted = collections.Counter(row.printed for row in table.rows())
    assert {command: sorted(each) for command, each in pages.items() if command not in counted} == {}
    assert sorted(counted.keys() - pages.keys()) == []
    assert [command for command, count in counted.items() if count > 1] == []


def test_what_is_not_run_through_both_doors_has_a_reason() -> None:
    assert {row.how for row in table.rows()} <= HOW
    assert [
        row.run for row in table.rows() if row.how in ("listed", "make", "collected", "options") and not row.why
    ] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```shell\nmake lint     # checks\n# nothing\n\nx 'a # b'\n```\n", ["make lint", "x 'a # b'"]),
        ("```shell\na --b \\\n  --c\n```\n", ["a --b --c"]),
        ("see `make\nlint` and `docker inspect x`, not `ibgwctl a|b`", ["make lint"]),
        ("```yaml\n`make lint`\n```\n", []),
        (
            "```yaml\njobs:\n  - run: .venv/bin/pip install x\n  - run: |\n      make a   # b\n      make c\n```\n",
            ["pip install x", "make a", "make c"],
        ),
        ("```ini\n[Service]\nExecStart=/srv/x/.venv/bin/ansible-playbook a.b.c\n```\n", ["ansible-playbook a.b.c"]),
    ],
)
def test_what_is_a_command(text: str, found: list[str]) -> None:
    assert printed.commands(text) == found


# The checkout's own pages, and tables that the collection's texts make; a run writes those for its caller.
OF_A_CHECKOUT = ("docs/tutorial/sandbox.md", "docs/reference")


def test_pages_name_playbooks_as_an_installed_user_runs_them() -> None:
    pages = {str(page.relative_to(ROOT)): page.read_text() for page in printed.pages()}
    found = {page: re.findall(r"(?<![/\w])playbooks/\w+\.yml", text) for page, text in pages.items()}
    assert {page: each for page, each in found.items() if each and not page.startswith(OF_A_CHECKOUT)} == {}

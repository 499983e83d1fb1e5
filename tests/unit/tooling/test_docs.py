"""The documentation: where things are, links that lead nowhere, and words that are not prose."""

from __future__ import annotations

import pathlib
import re

import pytest
from docs.build import HtmlPage, broken_links, markdown_page
from tests.lint.prose import prose, word_problems

ROOT = pathlib.Path(__file__).parents[3]
WHERE = ROOT / "docs" / "explanation" / "where.md"
FEWEST_BEHAVIOURS = 10


def test_the_files_of_where_things_are_exist() -> None:
    table = WHERE.read_text().partition("\n\n| folder")[0]
    rows = re.findall(r"^\| (.+) \| \[(.+)\]\(\.\./\.\./(.+)\) \|$", table, re.M)
    assert [path for _, _, path in rows if not (ROOT / path).is_file()] == []
    assert [shown for _, shown, path in rows if shown != path] == []
    assert len({behaviour for behaviour, _, _ in rows}) >= FEWEST_BEHAVIOURS


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("other.md", ""),
        ("other.md#the-vm", ""),
        ("#here-and-now", ""),
        ("https://example.org/nowhere", ""),
        ("gone.md", "no such file"),
        ("other.md#gone", "no such anchor"),
        ("#gone", "no such anchor"),
    ],
)
def test_links_of_markdown(tmp_path: pathlib.Path, link: str, problem: str) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(
        f"# Here, and now\n\nA [link]({link}), and no link:\n\n    [code](gone.md)\n\n```\n[code](gone.md)\n```\n"
    )
    other.write_text("# Other\n\n## The VM\n")
    found = broken_links({path: markdown_page(path) for path in (page, other)})
    assert [text.rpartition(": ")[2] for text in found] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ('<a href="other.html#id">', ""),
        ('<img src="picture.svg">', ""),
        ('<a href="https://example.org/">', ""),
        ('<a href="other.html#gone">', "no such anchor"),
        ('<img src="gone.svg">', "no such file"),
        ('<script src="https://example.org/x.js">', "the site has to stand alone"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "the site has to stand alone"),
    ],
)
def test_links_of_the_site(tmp_path: pathlib.Path, tag: str, problem: str) -> None:
    (tmp_path / "picture.svg").write_text("<svg/>")
    page, other = tmp_path / "page.html", tmp_path / "other.html"
    page.write_text(tag)
    other.write_text('<h1 id="id">')
    found = broken_links({path: HtmlPage(path).page for path in (page, other)})
    assert [re.split("[:;] ", text)[-1] for text in found] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("The authority\nsigns.", [1]),
        ("One\nAuthority, two\nauthority.", [2, 3]),
        ("Run `authority`.", []),
        ("A [CA](the-authority.md).", []),
        ("Text:\n\n    authority\n", []),
        ("```\nauthority\n```", []),
        ("- item\n  authority", [2]),
        ("an authority-key", []),
        ("Way `mtls` fails.", [1]),
    ],
)
def test_words_of_prose(text: str, lines: list[int]) -> None:
    found = word_problems(prose(text), {"authority": "CA", "way §+": "access method"})
    assert [line for line, _ in found] == lines

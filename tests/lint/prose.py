"""The English of documentation and code: proselint, codespell, and our own words, which words.yml lists.

Of plugins every text is read, messages included; of other code the comments, docstrings, and names of tasks.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from proselint.checks import __register__
from proselint.config import DEFAULT, Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile
from tests.lint.files import ROOT, project_files

WORDS = Path(__file__).with_name("words.yml")
# Fenced, indented and inline code, comments, the targets of links, and addresses. A list in a list is not code.
NOT_PROSE = re.compile(
    r"^```.*?^```|^ {4,}(?![-*\d ]).*?$|<!--.*?-->|`[^`]*`|(?<=\])\([^)]*\)|https?://\S+", re.M | re.S
)
# Breaks a run of words for the check for repeated ones, and is a mistake for no check.
GAP = "§"
# From Python 3.12 on, the text within an f-string is a token of its own.
TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
# The beginnings of a docstring or a comment that leave open what its subject is or does.
VAGUE = re.compile(r"(What|Who|Whom|Whose|Which|Whoever|As much)\b(?!.*\?)")
# Outside of Python: a block of comments, a comment of Jinja, the name of a task or a play.
REMARK = re.compile(
    r"^(?P<start>[ \t]*#) (?P<block>[^\n]*(?:\n(?P=start) [^\n]*)*)|\{# (?P<jinja>.*?) #\}|^ *- name: (?P<name>[^\n]*)",
    re.M | re.S,
)
REMARKED = {".yml", ".yaml", ".j2", ".sh", ".toml", ".cfg"}


def pages() -> list[Path]:
    """Return the pages of docs/, and the Markdown files beside the README."""
    return [path for path in project_files() if path.suffix == ".md" and path.parts[0] in {"docs", path.name}]


def prose(text: str) -> str:
    """Return the text with everything else blanked out, each character in its place."""
    text = NOT_PROSE.sub(lambda found: re.sub(r"[^\n]", GAP, found[0]), text)
    return re.sub(r"^$", GAP, text, flags=re.M)


def python_problems(path: Path, instead: dict[str, str]) -> list[tuple[int, str]]:
    """Return (line, what is wrong) of comments and docstrings, and in plugins of all texts."""
    found = [(line, text) for line, text in comment_blocks(path) if VAGUE.match(text)]
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if VAGUE.match(text):
                found.append((node.body[0].lineno, text))
    vague = [(line, f"{text.split()[0]}: begin with what it is or does") for line, text in found]
    return vague + [
        (token.start[0] + line - 1, problem)
        for token in tokens(path)
        if token.type == tokenize.COMMENT or path.parts[0] == "plugins" or token.line.lstrip().startswith('"""')
        for line, problem in word_problems(token.string, instead)
    ]


def tokens(path: Path) -> list[tokenize.TokenInfo]:
    """Return the comments and the texts of several words in a Python file."""
    with tokenize.open(ROOT / path) as file:
        return [each for each in tokenize.generate_tokens(file.readline) if each.type in TEXTS and " " in each.string]


def comment_blocks(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment that begins a block."""
    before = -1
    for token in tokens(path):
        if token.type == tokenize.COMMENT:
            if token.start[0] != before + 1:
                yield token.start[0], token.string.lstrip("# ")
            before = token.start[0]


def remark_problems(path: Path, instead: dict[str, str]) -> list[tuple[int, str]]:
    """Return (line, what is wrong) of comments and names of tasks in a file that is not Python's."""
    text = (ROOT / path).read_text()
    found = []
    for match in REMARK.finditer(text):
        remark = match["block"] or match["jinja"] or match["name"] or ""
        first = text.count("\n", 0, match.start()) + 1
        remark = re.sub(r"(?m)^[ \t]*# ", "", remark)
        found += [(first + line - 1, problem) for line, problem in word_problems(remark, instead)]
        if VAGUE.match(remark):
            found.append((first, f"{remark.split()[0]}: begin with what it is or does"))
    return found


def code_problems(instead: dict[str, str]) -> list[str]:
    found = []
    for path in project_files():
        if path.suffix == ".py":
            wrong = python_problems(path, instead)
        elif path.suffix in REMARKED and path != WORDS.relative_to(ROOT):
            wrong = remark_problems(path, instead)
        else:
            continue
        found += [f"{path}:{line}: {problem}" for line, problem in sorted(wrong)]
    return found


def word_problems(text: str, instead: dict[str, str]) -> list[tuple[int, str]]:
    """Return (line, what is wrong) for each word that we do not write."""
    found = []
    for pattern, better in instead.items():
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.I):
            line = text.count("\n", 0, match.start()) + 1
            found.append((line, f"{' '.join(match[0].split())}: write {better}"))
    return found


def problems(path: Path, words: dict[str, Any], config: Config) -> list[str]:
    source = (ROOT / path).read_text()
    text = prose(source)
    found = word_problems(text, words["instead"])
    for result in LintFile(str(path), text).lint(config):
        # proselint counts the line that it puts before the text.
        found.append((result.pos[0] - 1, f"{result.check_result.message} ({result.check_result.check_path})"))
    return [f"{path}:{line}: {problem}" for line, problem in sorted(found)]


def misspelled(words: dict[str, Any], paths: list[Path]) -> list[str]:
    command = ["codespell", "--ignore-words-list", ",".join(words["spelling"]), *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.splitlines()


def main() -> int:
    words = yaml.safe_load(WORDS.read_text())
    CheckRegistry().register_many(__register__)
    # The first entry that fits a check decides.
    config = Config(max_errors=1000, checks=dict.fromkeys(words["checks_off"], False) | DEFAULT["checks"])
    paths = pages()
    found = [problem for path in paths for problem in problems(path, words, config)] + misspelled(words, paths)
    found += code_problems(words["instead"])
    print("\n".join(found) or f"{len(paths)} pages and the code read well")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

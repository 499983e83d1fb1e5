"""The English of documentation and plugins: proselint, codespell, and our own words, which words.yml lists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
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
# The beginnings of a docstring that leave open what its subject does.
VAGUE = re.compile(r"(What|Who|Whom|Which|Whoever|As much)\b")


def pages() -> list[Path]:
    """Return the pages of docs/, and the Markdown files beside the README."""
    return [path for path in project_files() if path.suffix == ".md" and path.parts[0] in {"docs", path.name}]


def prose(text: str) -> str:
    """Return the text with everything else blanked out, each character in its place."""
    text = NOT_PROSE.sub(lambda found: re.sub(r"[^\n]", GAP, found[0]), text)
    return re.sub(r"^$", GAP, text, flags=re.M)


def sources() -> list[Path]:
    """Return the Python files of the plugins."""
    return [path for path in project_files() if path.suffix == ".py" and path.parts[0] == "plugins"]


def source_problems(path: Path, instead: dict[str, str]) -> list[str]:
    """Return what we do not write in comments, docstrings and messages, and docstrings that do not say what is done."""
    with tokenize.open(ROOT / path) as file:
        tokens = [each for each in tokenize.generate_tokens(file.readline) if each.type in TEXTS and " " in each.string]
    found = [
        (token.start[0] + line - 1, problem)
        for token in tokens
        for line, problem in word_problems(token.string, instead)
    ]
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node) or ""
            if VAGUE.match(text):
                found.append((getattr(node, "lineno", 1), f"{text.split()[0]}: begin with what it is or does"))
    return [f"{path}:{line}: {problem}" for line, problem in sorted(found)]


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
    found += [problem for path in sources() for problem in source_problems(path, words["instead"])]
    print("\n".join(found) or f"{len(paths)} pages and the plugins read well")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

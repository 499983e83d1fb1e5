"""The figures of docs/explanation/performance.md are those of bench/summary.json.

A figure is followed by its name, which the page does not show: `5.9 <!--site.second_s-->`; `-` is not measured yet.
Every other number in a table, but for limits, is a problem. `--write` puts the summary's in their places.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE, SUMMARY = ROOT / "docs/explanation/performance.md", ROOT / "bench/summary.json"
NOT_YET = "-"
FIGURE = re.compile(r"(?P<number>[\d.]+|-) <!--(?P<name>[\w.-]+)-->")
# Limits, and names that contain a number.
NO_FIGURE = re.compile(r"at most [\d.]+( \w+)?|`[^`]*`|\]\([^)]*\)")


def figures() -> dict[str, str]:
    """The texts to read, by name."""
    found: dict[str, str] = {}
    for part, of_part in json.loads(SUMMARY.read_text()).items():
        found |= {f"{part}.{name}": f"{value:.10g}" for name, value in of_part["figures"].items()}
    return found


def problems(page: str, known: t.Mapping[str, str]) -> list[str]:
    found = []
    for each in FIGURE.finditer(page):
        if (right := known.get(each["name"], NOT_YET)) != each["number"]:
            found.append(f"{each['name']} is {right}, and the page has {each['number']}")
    for line in page.splitlines():
        cells = line.strip("|").split("|")[1:] if line.startswith("|") else []
        if re.search(r"\d", NO_FIGURE.sub("", FIGURE.sub("", " ".join(cells)))):
            found.append(f"a number that no measurement gives: {line}")
    return found


def written(page: str, known: t.Mapping[str, str]) -> str:
    return FIGURE.sub(lambda each: f"{known.get(each['name'], NOT_YET)} <!--{each['name']}-->", page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the summary's figures in their places")
    page, known = PAGE.read_text(), figures()
    if parser.parse_args().write:
        page = written(page, known)
        PAGE.write_text(page)
    found = problems(page, known)
    for each in found:
        print(f"{PAGE.relative_to(ROOT)}: {each}", file=sys.stderr)
    print("every figure is measured" if not found else "make bench measures; then python -m tests.lint.figures --write")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the reference pages from the documentation inside plugins and roles: `build.py [--check]`.

docs/reference.md is the index; below it is a page for each module, filter, role and so on: its options, its examples
and what it returns. ansible-doc does the reading, so what is written here is what Ansible itself understands.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COLLECTION = "ibops.gateway"
# ansible-doc's kind -> the folder in docs/, in the order of the index.
FOLDERS = {"role": "roles", "module": "modules", "filter": "filters", "lookup": "lookups", "inventory": "inventories"}
NOTE = "<!-- Written by `make docs` from the {kind}'s own documentation; change it there. -->\n"

# Ansible's markup: https://docs.ansible.com/ansible/latest/dev_guide/ansible_markup.html
ARGUMENT = r"\(((?:[^\\()]|\\.|\([^()]*\))*)\)"
MARKUP = [
    (r"\bL\(([^,()]+), *([^)]+)\)", r"[\1](\2)"),
    (r"\bR\(([^,()]+), *[^)]+\)", r"\1"),
    (r"\bU\(([^)]+)\)", r"<\1>"),
    (r"\bB" + ARGUMENT, r"**\1**"),
    (r"\bI" + ARGUMENT, r"*\1*"),
    # M(fqcn), P(fqcn#kind); O(fqcn#kind:option) means another plugin's option.
    (r"\b(?:M|P)\(([\w.]+)(?:#\w+)?\)", r"`\1`"),
    (r"\b(?:C|E|O|RV|V)\((?:[\w.]+#\w+:(?:\w+:)?)?((?:[^\\()]|\\.|\([^()]*\))*)\)", r"`\1`"),
    (r"\\([\\)])", r"\1"),
]


def paragraphs(text: str | list[str] | None) -> list[str]:
    """Ansible's markup as Markdown, one string a paragraph."""
    result = []
    for paragraph in [text] if isinstance(text, str) else text or []:
        for pattern, replacement in MARKUP:
            paragraph = re.sub(pattern, replacement, paragraph)
        result.append(" ".join(paragraph.split()))
    return result


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def type_of(option: dict[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    return f"{kind} of {option['elements']}" if option.get("elements") else kind


def default_of(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    default = option.get("default")
    return "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def option_rows(options: dict[str, Any], prefix: str = "") -> list[list[str]]:
    rows = []
    for name, option in sorted(options.items(), key=lambda each: (not each[1].get("required", False), each[0])):
        text = paragraphs(option["description"])
        if option.get("choices"):
            text.append("One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + ".")
        rows.append([f"`{prefix}{name}`", type_of(option), default_of(option), " ".join(text)])
        rows += option_rows(option.get("options") or option.get("suboptions") or {}, f"{prefix}{name}.")
    return rows


def return_rows(values: dict[str, Any], prefix: str = "") -> list[list[str]]:
    rows = []
    for name, value in values.items():
        text = " ".join(paragraphs(value["description"]))
        rows.append([f"`{prefix}{name}`", type_of(value), str(value.get("returned", "")), text])
        rows += return_rows(value.get("contains") or {}, f"{prefix}{name}.")
    return rows


def options_section(title: str, options: dict[str, Any]) -> list[str]:
    rows = option_rows(options)
    return [title, "", *table(["option", "type", "default", "meaning"], rows), ""] if rows else []


def plugin_page(kind: str, name: str, entry: dict[str, Any]) -> list[str]:
    doc = entry["doc"]
    lines = [f"# {name}", "", NOTE.format(kind=kind), *paragraphs(doc["short_description"] + "."), ""]
    for paragraph in paragraphs(doc["description"]):
        lines += [paragraph, ""]
    lines += options_section("## Options", doc.get("options", {}))
    attributes = doc.get("attributes", {})
    if attributes:
        rows = [
            [key, value["support"], " ".join(paragraphs(value.get("details")))] for key, value in attributes.items()
        ]
        lines += ["## Behaviour", "", *table(["attribute", "support", "details"], rows), ""]
    if entry.get("examples"):
        lines += ["## Examples", "", "```yaml", entry["examples"].strip(), "```", ""]
    if entry.get("return"):
        lines += ["## Returned", "", *table(["value", "type", "when", "meaning"], return_rows(entry["return"])), ""]
    return lines


def role_page(name: str, entry: dict[str, Any]) -> list[str]:
    # One file, or a directory of them.
    files = sorted((ROOT / "roles" / name.rsplit(".", 1)[1] / "defaults").glob("**/*.yml"))
    defaults = {key: value for file in files for key, value in (yaml.safe_load(file.read_text()) or {}).items()}
    lines = [f"# Role {name}", "", NOTE.format(kind="role")]
    for entry_point, spec in entry["entry_points"].items():
        if entry_point != "main":
            lines += [f"## Entry point `{entry_point}`", ""]
        lines += [*paragraphs(spec["short_description"] + "."), ""]
        for paragraph in paragraphs(spec.get("description")):
            lines += [paragraph, ""]
        options = {
            key: option if "default" in option else {**option, "default": defaults.get(key)}
            for key, option in spec.get("options", {}).items()
        }
        lines += options_section("## Variables" if entry_point == "main" else "### Variables", options)
    return lines


def pages() -> dict[Path, str]:
    """Path below docs/ -> content, for everything that the collection documents."""
    command = ["ansible-doc", "--metadata-dump", "--no-fail-on-errors", COLLECTION]
    dump = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)["all"]
    found: dict[Path, list[str]] = {}
    index = ["# Reference", "", "<!-- Written by `make docs`. -->", ""]
    for kind, folder in FOLDERS.items():
        entries = {name: entry for name, entry in dump.get(kind, {}).items() if name.startswith(f"{COLLECTION}.")}
        if not entries:
            continue
        rows = []
        for name, entry in sorted(entries.items()):
            if "error" in entry:
                raise SystemExit(f"{kind} {name}: {entry['error']}")
            path = Path(folder) / f"{name.rsplit('.', 1)[1]}.md"
            found[path] = role_page(name, entry) if kind == "role" else plugin_page(kind, name, entry)
            summary = entry["entry_points"]["main"] if kind == "role" else entry["doc"]
            rows.append([f"[{path.stem}]({path})", *paragraphs(summary["short_description"])])
        index += [f"## {folder.capitalize()}", "", *table([kind, "what it is for"], rows), ""]
    found[Path("reference.md")] = index
    return {path: "\n".join(lines).rstrip() + "\n" for path, lines in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is not current")
    check = parser.parse_args().check
    wanted = pages()
    present = {path.relative_to(DOCS) for folder in FOLDERS.values() for path in (DOCS / folder).glob("*.md")}
    stale = sorted(present - wanted.keys())
    changed = [path for path, text in wanted.items() if not (DOCS / path).exists() or (DOCS / path).read_text() != text]
    for path in [*changed, *stale]:
        print(f"docs/{path}: {'not current: run `make docs`' if check else 'removed' if path in stale else 'written'}")
    if not check:
        for path in stale:
            (DOCS / path).unlink()
        for path in changed:
            (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / path).write_text(wanted[path])
    print(f"{len(wanted)} pages, {len(changed)} changed, {len(stale)} stale")
    return int(check and bool(changed or stale))


if __name__ == "__main__":
    sys.exit(main())

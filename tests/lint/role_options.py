"""Each role's defaults and argument_specs name the same options, and each entry point is named by its file.

Texts and values are tests/lint/generated.py's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from tests.lint.files import ROOT


def load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


def validates(tasks: Path) -> bool:
    """Whether a file of tasks, or one that it imports, has the action that refuses settings."""
    text = tasks.read_text()
    imported = re.findall(r"(?m)^ +(?:ansible\.builtin\.)?import_tasks: (\w+\.yml)$", text)
    return "ibops.gateway.validate:" in text or any(validates(tasks.parent / name) for name in imported)


def problems(role: Path) -> list[str]:
    # One file, or a directory of them.
    defaults = {name: value for file in role.glob("defaults/**/*.yml") for name, value in load(file).items()}
    entry_points = load(role / "meta/argument_specs.yml").get("argument_specs", {})
    options = {name: option for entry in entry_points.values() for name, option in entry.get("options", {}).items()}
    where = role.relative_to(ROOT)
    if not entry_points:
        return [f"{where}: meta/argument_specs.yml is missing or empty"]
    return [
        *(
            f"{where}: entry point {name} is not a file of tasks/ (of main Ansible checks the arguments as well)"
            for name in entry_points
            if not (name.endswith(".yml") and (role / "tasks" / name).is_file())
        ),
        *(
            f"{where}: tasks/{name} does not call ibops.gateway.validate"
            for name, entry in entry_points.items()
            if entry.get("options") and not validates(role / "tasks" / name)
        ),
        *(
            f"{where}: {name} is in the defaults, not in meta/argument_specs.yml"
            for name in defaults.keys() - options.keys()
        ),
        *(
            f"{where}: {name} is in meta/argument_specs.yml, neither required nor in the defaults"
            for name, option in options.items()
            if name not in defaults and not option.get("required")
        ),
        *(
            f"{where}: {name} is required and has a default"
            for name in defaults
            if options.get(name, {}).get("required")
        ),
    ]


if __name__ == "__main__":
    found = [problem for role in sorted((ROOT / "roles").iterdir()) if role.is_dir() for problem in problems(role)]
    print("\n".join(sorted(found)) or "every role's defaults and argument_specs agree")
    sys.exit(bool(found))

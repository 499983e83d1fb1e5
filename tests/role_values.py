"""The values that a role's variables have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[1] / "roles"


def value(role: str, expression: str, **settings: Any) -> Any:
    """The value of an expression in the role, with *settings* for some of its defaults and variables."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in (*sorted(ROLES.glob(f"{role}/defaults/*.yml")), *sorted(ROLES.glob(f"{role}/vars/main/*.yml"))):
        variables |= loader.load_from_file(str(path), trusted_as_template=True)
    return Templar(loader, {**variables, **settings}).template(trust_as_template(f"{{{{ {expression} }}}}"))

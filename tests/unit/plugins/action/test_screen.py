"""A screen: printed as it is, returned line by line, with the commands of whoever started the run."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible import constants as C
from ansible import context

from ansible_collections.ibops.gateway.plugins.action import screen


@pytest.mark.parametrize(("callback", "prints"), [("default", True), ("ibops.gateway.tasks_json", False)])
def test_text_and_data(monkeypatch: pytest.MonkeyPatch, callback: str, prints: bool) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"args": ("ibops.gateway.site",), "inventory": ["h.yml"]})
    monkeypatch.setattr(C, "DEFAULT_STDOUT_CALLBACK", callback)
    printed: list[str] = []
    text = "\nState  ready\n\nNext\n  look  ansible-playbook playbooks/status.yml\n"
    task = types.SimpleNamespace(
        args={"text": text, "data": {"state": "ready"}}, check_mode=False, async_val=0, diff=False
    )
    shell = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/tmp"))
    action: t.Any = screen.ActionModule(
        task=task, connection=shell, play_context=None, loader=None, templar=None, shared_loader_obj=None
    )
    action._display = types.SimpleNamespace(display=printed.append)
    result = action.run(task_vars={"inventory_hostname": "vm"})
    lines = ["State  ready", "", "Next", "  look  ansible-playbook ibops.gateway.status -i h.yml"]
    assert result == {"changed": False, "lines": lines, "data": {"state": "ready"}}
    assert printed == (["\n" + "\n".join(lines) + "\n"] if prints else [])

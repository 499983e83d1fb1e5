"""Last, after the week: the runbook of docs/how-to/restore.md, for a machine that is lost."""

from __future__ import annotations

import json
import typing as t

from testinfra.host import Host


def test_a_lost_machine_is_back_by_one_command_and_one_approval(playbook: t.Callable[..., t.Any], host: Host) -> None:
    """The inventory's own settings: its phone approves what it is asked, once a push."""
    assert playbook("playbooks/teardown.yml", "live").status == 0
    run = playbook("playbooks/restore.yml", "live")
    assert run.status == 0, run.printed
    assert "sandbox-live is ready, made from the inventory" in run.printed
    pushes = host.run("docker logs ibgw-live 2>&1 | grep -c 'Second Factor Authentication initiated'")
    assert int(pushes.stdout) == 1
    events = [
        json.loads(line) for line in host.file("/var/lib/ibgw/live/session/history.jsonl").content_string.splitlines()
    ]
    assert not [each for each in events if each["event"] == "kill"]

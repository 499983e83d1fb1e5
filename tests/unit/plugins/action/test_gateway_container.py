"""The image's pull: all of it in time, from a registry of any kind, and told by the variable's name."""

from __future__ import annotations

import pathlib
import types
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.ibops.gateway.plugins.action import gateway_container

IMAGE = "registry.example/ib-gateway@sha256:" + "0" * 64
NEEDS_IMAGE, MADE = {"needs": "image"}, {"changed": True, "step": "make"}
Result = dict[str, t.Any]


def play(*answers: Result, **more: object) -> tuple[Result, list[Result]]:
    """The action's result where the host answers so; and what the host was asked for."""
    left, asked = list(answers), []

    def execute(module_name: str, module_args: Result, **_rest: object) -> Result:
        asked.append({"module": module_name, **module_args})
        return dict(left.pop(0))

    task = types.SimpleNamespace(
        args={"container": {"image": IMAGE}, "pull_timeout": 20, **more}, check_mode=False, async_val=0
    )
    shell = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/tmp"))
    action = gateway_container.ActionModule(
        task=task, connection=shell, play_context=None, loader=DataLoader(), templar=None, shared_loader_obj=None
    )
    action._execute_module = execute
    action._find_needle = lambda _folder, path: path
    return action.run(task_vars={"inventory_hostname": "vm"}), asked


def test_pulls_within_one_deadline() -> None:
    result, asked = play(NEEDS_IMAGE, {"changed": True, "rc": 0}, MADE)
    assert result["changed"]
    assert asked[1]["argv"] == ["timeout", "--kill-after=5", "20", "docker", "pull", "--quiet", IMAGE]
    assert asked[2]["settled"] == ["image"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rc": gateway_container.LATE, "stderr": ""}, "20 s (gateway_pull_timeout)"),
        ({"rc": 1, "stderr": "manifest unknown\x1b[2J"}, r"manifest unknown\x1b[2J"),
        ({"msg": "no docker"}, "no docker"),
    ],
)
def test_a_failed_pull_names_variable_and_host(answer: Result, said: str) -> None:
    result, asked = play(NEEDS_IMAGE, {"failed": True, **answer})
    assert result["failed"]
    assert result["msg"].startswith("gateway_image: vm ")
    assert said in result["msg"]
    assert len(asked) == 2


def test_a_keystore_is_handed_on_byte_by_byte(tmp_path: pathlib.Path) -> None:
    keystore = tmp_path / "own.jks"
    keystore.write_bytes(b"\xfe\xed\x00\r\n\x80")
    result, asked = play(MADE, portal={"conf": "x", "keystore": str(keystore)})
    assert result["step"] == "make"
    assert asked[0]["portal"] == {"conf": "x", "keystore": "/u0ADQqA"}
    assert "portal" not in play(MADE)[1][0]

"""A machine is made, started, replaced, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.machine import __main__ as command
from sandbox.machine.common import SandboxError


class Backend:
    """A backend that records its calls."""

    def __init__(self, found: dict[str, Any] | None) -> None:
        self.found = found
        self.done: list[str] = []

    def inspect(self, _name: str) -> dict[str, Any] | None:
        return self.found

    def wanted(self, options: dict[str, Any]) -> dict[str, Any]:
        return options | {"key": "ours"}

    def made_from(self, found: dict[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = found["options"]
        return options

    def create(self, _options: dict[str, Any]) -> None:
        self.done.append("create")

    def start(self, _name: str) -> None:
        self.done.append("start")

    def remove(self, _name: str) -> bool:
        self.done.append("remove")
        return True


WANTED = {"name": "m", "release": "trixie", "key": "ours"}
OTHER_RELEASE = WANTED | {"release": "bookworm"}
OTHER_CHECKOUT = WANTED | {"key": "theirs"}


@pytest.mark.parametrize(
    ("options", "running", "message", "done"),
    [
        (None, False, "made m", ["remove", "create"]),
        (WANTED, True, "", []),
        (WANTED, False, "started m", ["start"]),
        (OTHER_RELEASE, True, 'replaced m (release: "bookworm" -> "trixie")', ["remove", "create"]),
        (OTHER_CHECKOUT, True, f"replaced m ({command.OTHER_KEY})", ["remove", "create"]),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_a_machine_becomes_what_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any] | None,
    running: bool,
    message: str,
    done: list[str],
    check: bool,
) -> None:
    backend = Backend(options and {"options": options, "running": running})
    monkeypatch.setitem(command.BACKENDS, "fake", backend)
    asked = {"backend": "fake", "replace": True, "name": "m", "release": "trixie"}
    assert command.make(asked, check) == message
    assert backend.done == ([] if check else done)


def test_a_live_machine_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Backend({"options": OTHER_RELEASE, "running": True})
    monkeypatch.setitem(command.BACKENDS, "fake", backend)
    with pytest.raises(SandboxError, match=r'release: "bookworm" -> "trixie".*teardown\.yml'):
        command.make({"backend": "fake", "replace": False, "name": "m", "release": "trixie"}, check=False)
    assert backend.done == []

"""Clean removes a checkout's own objects from the engine, and what all share after the last."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox.machine import clean
from sandbox.machine.common import LABEL, ROOT, SandboxError

OURS = str(ROOT)


class Engine:
    """An engine's labelled objects: kind -> name -> (checkout, value of the sandbox's label)."""

    def __init__(self, other: str) -> None:
        self.objects = {
            "container": {"m-1": (OURS, "machine"), "m-2": (other, "machine"), "theirs": ("", "image")},
            "volume": {"v-1": (OURS, "registry"), "v-2": (other, "registry")},
            "network": {"access": (OURS, "access"), "shared": ("", "network")},
            "image": {"i-1": ("", "image")},
        }

    def docker(self, *words: str) -> str:
        match words:
            case ("ps", "--all", "--filter", label, "--format", _):
                return self.rows("container", label)
            case ("volume" | "network" as kind, "ls", "--filter", label, "--format", _):
                return self.rows(kind, label)
            case ("images", "--filter", label, "--quiet", "--no-trunc"):
                return "\n".join(line.partition("\t")[0] for line in self.rows("image", label).splitlines())
            case ("rm", "--force", "--volumes", name):
                del self.objects["container"][name]
            case ("volume" | "network" as kind, "rm", name):
                del self.objects[kind][name]
            case ("rmi", "--force", name):
                del self.objects["image"][name]
            case _:
                raise AssertionError(words)
        return ""

    def rows(self, kind: str, label: str) -> str:
        assert label == f"label={LABEL}"
        return "\n".join("\t".join([name, *labels]) for name, labels in self.objects[kind].items())

    def names(self) -> list[str]:
        return sorted(name for objects in self.objects.values() for name in objects)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The folder of another checkout."""
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


def cleaned(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> list[str]:
    """Run clean on an engine; return the names of the objects that are left."""
    monkeypatch.setattr(clean, "docker", engine.docker)
    assert clean.remove_objects() == []
    return engine.names()


def test_another_checkout_keeps_all_that_it_uses(monkeypatch: pytest.MonkeyPatch, other: Path) -> None:
    assert cleaned(monkeypatch, Engine(str(other))) == ["i-1", "m-2", "shared", "theirs", "v-2"]


def test_the_last_checkout_takes_what_all_share(monkeypatch: pytest.MonkeyPatch, other: Path) -> None:
    engine = Engine(str(other))
    del engine.objects["container"]["m-2"], engine.objects["volume"]["v-2"]
    assert cleaned(monkeypatch, engine) == ["theirs"]


def test_what_a_checkout_left_that_is_gone_is_removed(monkeypatch: pytest.MonkeyPatch, other: Path) -> None:
    engine = Engine(str(other))
    other.rmdir()
    assert cleaned(monkeypatch, engine) == ["theirs"]


def test_a_checkout_that_may_not_be_looked_at_is_there(monkeypatch: pytest.MonkeyPatch, other: Path) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(path)

    with monkeypatch.context() as unreadable:
        unreadable.setattr("os.stat", refuse)
        left = cleaned(unreadable, Engine(str(other)))
    assert left == ["i-1", "m-2", "shared", "theirs", "v-2"]


def test_a_machine_of_before_there_were_owners_keeps_what_it_uses(monkeypatch: pytest.MonkeyPatch, other: Path) -> None:
    engine = Engine(str(other))
    engine.objects["container"]["m-2"] = ("", "machine")
    assert {"i-1", "m-2", "shared"} <= set(cleaned(monkeypatch, engine))


def test_what_docker_refuses_to_remove_is_named(monkeypatch: pytest.MonkeyPatch, other: Path) -> None:
    engine = Engine(str(other))

    def docker(*words: str) -> str:
        if words == ("volume", "rm", "v-1"):
            raise SandboxError("volume is in use")
        return engine.docker(*words)

    monkeypatch.setattr(clean, "docker", docker)
    assert clean.remove_objects() == ["The volume v-1 stays: volume is in use"]

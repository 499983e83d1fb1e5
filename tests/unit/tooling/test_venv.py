"""The script requirements/venv takes the Python that PYTHON names, or refuses."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[3]


def python(path: pathlib.Path, version: str) -> None:
    """Write a program that answers the question for its version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("wanted", "status", "told"),
    [
        ("", 0, ()),
        ("3.11", 0, ()),
        ("python3.11", 0, ()),
        ("3.13", 1, ("3.11", "3.13")),
        ("/bin/python3.13", 1, ("/bin/python3.13",)),
        ("3.12", 1, ("python3.12",)),
    ],
)
def test_a_venv_of_another_python_is_refused(
    tmp_path: pathlib.Path, wanted: str, status: int, told: tuple[str, ...]
) -> None:
    (tmp_path / "requirements").mkdir()
    script = shutil.copy(ROOT / "requirements/venv", tmp_path / "requirements/venv")
    python(tmp_path / ".venv/bin/python", "3.11")
    (tmp_path / ".venv/.locks").touch()
    for version in ("3.11", "3.13"):
        python(tmp_path / f"bin/python{version}", version)
    (tmp_path / "bin/python3.12").symlink_to("/nowhere")
    environment = {"PATH": f"{tmp_path}/bin{os.pathsep}/usr/bin{os.pathsep}/bin", "PYTHON": wanted}
    done = subprocess.run(["bash", script, "made"], env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert all(each in done.stderr for each in told), done.stderr

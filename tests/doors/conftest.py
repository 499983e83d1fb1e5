"""The artefact, built once."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.doors.door import BIN
from tests.lint.files import ROOT


@pytest.fixture(scope="session")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact that `ansible-galaxy collection build` makes of this tree."""
    place = tmp_path_factory.mktemp("artefact")
    command = [BIN / "ansible-galaxy", "collection", "build", "--output-path", place]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = place.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def unpacked(artefact: Path) -> Path:
    place = artefact.parent / "unpacked"
    with tarfile.open(artefact) as tar:
        tar.extractall(place, filter="data")
    return place

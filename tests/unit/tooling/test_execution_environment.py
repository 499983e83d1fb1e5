"""ansible-builder's part: what the example's context is made of, and what the collection says that it needs."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.programs
ROOT = pathlib.Path(__file__).parents[3]
BUILDER = pathlib.Path(sys.executable).parent / "ansible-builder"
EXAMPLE = ROOT / "examples/execution_environment/execution-environment.yml"


def test_the_example_becomes_a_context(tmp_path: pathlib.Path) -> None:
    command = [BUILDER, "create", "--file", EXAMPLE, "--context", tmp_path, "--output-filename", "Containerfile"]
    subprocess.run(command, check=True, capture_output=True)
    text = (tmp_path / "Containerfile").read_text()
    assert 'ARG EE_BASE_IMAGE="docker.io/library/debian:trixie-slim"' in text
    # Without it the first install of the builder's would need an ensurepip, which Debian has not.
    assert "pip_install" not in text
    collections = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text())["collections"]
    assert collections == [{"name": "ibops.gateway"}]


def test_the_collection_says_what_it_needs() -> None:
    command = [BUILDER, "introspect", ROOT / ".ansible/collections"]
    found = yaml.safe_load(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    needs = {kind: [line.partition("  # ")[0] for line in lines] for kind, lines in found.items()}
    shipped = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert needs["python"] == shipped
    assert needs["system"] == ["openssh-client [platform:dpkg]", "openssh-clients [platform:rpm]"]

"""A role alone in a user's play, without group gateways: it predicts, or says which variable is missing."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

DIGEST = "registry.example/ib-gateway@sha256:" + "0" * 64


def play(tmp_path: pathlib.Path, root: pathlib.Path, role: str, **variables: object) -> tuple[int, str]:
    """Predict the role for this machine, as root or not; the status, and what was printed in one line."""
    path = tmp_path / "play.yml"
    own = {"hosts": "somewhere", "gather_facts": False, "roles": [f"ibops.gateway.{role}"], "vars": variables}
    path.write_text(yaml.safe_dump([own]))
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"somewhere": {"ansible_python_interpreter": sys.executable}}}})
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    place = {"ANSIBLE_COLLECTIONS_PATH": str(root / ".ansible/collections"), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    program = pathlib.Path(sys.executable).parent / "ansible-playbook"
    run = subprocess.run(
        [program, path.name, "-i", "hosts.yml", "-c", "local", "--check"],
        cwd=tmp_path,
        env=environment | place | {"DOCKER_HOST": "unix:///nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return run.returncode, " ".join((run.stdout + run.stderr).split())


@pytest.mark.parametrize(
    ("role", "missing"),
    [
        ("gateway", "gateway_mode"),
        ("session", "gateway_mode"),
        ("access", "gateway_mode"),
    ],
)
def test_what_is_missing_is_named(tmp_path: pathlib.Path, pytestconfig: pytest.Config, role: str, missing: str) -> None:
    status, text = play(tmp_path, pytestconfig.rootpath, role)
    assert status == 2
    assert missing in text


def test_a_gateway_without_a_user_is_refused(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    status, text = play(tmp_path, pytestconfig.rootpath, "gateway", gateway_mode="paper", gateway_image=DIGEST)
    assert status == 2
    assert "gateway_user" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("role", ["session", "access"])
def test_the_mode_is_enough(tmp_path: pathlib.Path, pytestconfig: pytest.Config, role: str) -> None:
    status, text = play(tmp_path, pytestconfig.rootpath, role, gateway_mode="paper")
    assert status == 0, text
    assert "undefined" not in text

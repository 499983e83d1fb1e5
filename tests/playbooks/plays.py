"""Runs a playbook with a fake Google Cloud for the real one."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from tests.fake_gcp.server import FakeGcp


def played(root: pathlib.Path, fake: FakeGcp, playbook: str, *arguments: str, **more: str) -> tuple[int, str]:
    """Run it; its status and what it printed, in one line. *more* goes to its environment."""
    place = {"GCP_RUN_ENDPOINT": fake.endpoint, "GCP_SCHEDULER_ENDPOINT": fake.endpoint, "GCP_ACCESS_TOKEN": fake.token}
    # No way to the real Google.
    sealed = {"https_proxy": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1", "LC_ALL": "C.UTF-8"}
    run = subprocess.run(
        [f"{pathlib.Path(sys.executable).parent}/ansible-playbook", playbook, *arguments],
        cwd=root,
        env=os.environ | sealed | place | more,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return run.returncode, " ".join((run.stdout + run.stderr).split())

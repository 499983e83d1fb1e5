"""A look at the fake that runs as a process of its own."""

from __future__ import annotations

from typing import Any

import requests
from tests.fake_gcp.__main__ import COMPUTE_PORT
from tests.fake_gcp.secrets import TOKEN


def get(path: str, project: str = "demo-project") -> Any:
    """A resource or a list, as the API answers it, by its path below the project."""
    url = f"http://127.0.0.1:{COMPUTE_PORT}/compute/v1/projects/{project}/{path}"
    reply = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    reply.raise_for_status()
    return reply.json()

"""The files that docs/how-to/cloud_run.md prints."""

from __future__ import annotations

import re

from tests.lint.files import ROOT

DIGEST = "sha256:" + "0" * 64


def job_settings(file: str) -> str:
    """The page's block for *file*, such as pipeline.yml, with a digest filled in."""
    page = (ROOT / "docs/how-to/cloud_run.md").read_text()
    (block,) = re.findall(rf"with this {re.escape(file)}:\n\n```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(block).replace("sha256:…", DIGEST)

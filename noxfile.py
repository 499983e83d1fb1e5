"""nox sessions, as in other collections: `nox -l` lists them, `nox -s lint` runs one.

nox usually makes a virtual environment for each session and installs into it. Here every session runs in the
environment that nox itself runs in, which is .venv with its locked versions: nothing is downloaded, and `nox` and
`make` reach the same verdict. lint, sanity, docs and changelog are stages of tests/run.py; the other sessions are
antsibull-nox's, configured in antsibull-nox.toml.
"""

from __future__ import annotations

import antsibull_nox
import nox

nox.options.default_venv_backend = "none"
nox.options.envdir = ".cache/nox"

STAGES = {
    "lint": "lint",
    "sanity": "lint-sanity",
    "docs": "lint-collection-docs lint-site",
    "changelog": "lint-changelog",
}


def add(name: str, stages: str) -> None:
    def run(session: nox.Session) -> None:
        session.run("python", "tests/run.py", *session.posargs, *stages.split())

    run.__doc__ = f"Run tests/run.py {stages}"
    nox.session(name=name, default=name == "lint")(run)


for name, stages in STAGES.items():
    add(name, stages)
antsibull_nox.load_antsibull_nox_toml()

"""ansible-test sanity on what the collection ships, in a real ansible_collections/ibops/gateway.

ansible-test refuses a symlinked collection, keeps its virtual environments under $HOME, passes no PIP_* variable on,
and fetches pip from a site of its own. So it works on a copy in .cache/sanity, with a HOME there that holds this
machine's pip settings in one file and a bootstrap that takes pip from Python itself. The environments stay for the
next run.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import yaml
from ansible_test._internal.python_requirements import get_venv_packages
from tests.lint.files import ROOT, project_files

WORK = ROOT / ".cache" / "sanity"
HOME = WORK / "home"
COLLECTION = WORK / "ansible_collections" / "ibops" / "gateway"
# Not shipped, but effective: the files that may break a rule, with reasons.
ALSO = ("tests/sanity/*",)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

BOOTSTRAP = '''\
"""Stands in for get-pip.py: the pip that comes with Python, brought to the versions asked for."""
import subprocess, sys
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *wanted]).returncode)
'''


def shipped() -> list[Path]:
    """Project files without those that galaxy.yml leaves out of the artefact."""
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]

    def leaves_out(path: Path) -> bool:
        parents = [str(path), *map(str, path.parents)]
        return any(fnmatch.fnmatch(name, pattern) for name in parents for pattern in ignored)

    return [
        path
        for path in project_files()
        if not leaves_out(path) or any(fnmatch.fnmatch(str(path), also) for also in ALSO)
    ]


def copy_collection() -> None:
    shutil.rmtree(COLLECTION, ignore_errors=True)
    for path in shipped():
        target = COLLECTION / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    # ansible-test asks git for the files. Without a repository here the one around answers, and that ignores .cache.
    subprocess.run(["git", "init", "--quiet", str(COLLECTION)], check=True)


def make_home() -> None:
    """HOME with the effective pip settings, pip's cache, and the bootstrap where ansible-test looks for it."""
    settings = configparser.RawConfigParser()
    settings.add_section("global")
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    for name, value in re.findall(r"^\S*\.([\w-]+)=(.*)$", listing, re.M):
        settings["global"][name] = ast.literal_eval(value)
    settings["global"]["quiet"] = "2"
    (HOME / ".config/pip").mkdir(parents=True, exist_ok=True)
    with (HOME / ".config/pip/pip.conf").open("w") as file:
        settings.write(file)

    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pip"
    link = HOME / ".cache" / "pip"
    if cache.is_dir() and not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(cache)
    # Each ansible-core asks for a pip of its own.
    pip = get_venv_packages(SimpleNamespace(version=PYTHON))["pip"].replace(".", "_")
    bootstrap = HOME / f".ansible/test/cache/get_pip_{pip}.py"
    bootstrap.parent.mkdir(parents=True, exist_ok=True)
    bootstrap.write_text(BOOTSTRAP)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "arguments", nargs="*", help="for ansible-test sanity, for example `-- --test validate-modules`"
    )
    arguments = parser.parse_args().arguments
    copy_collection()
    make_home()
    command = ["ansible-test", "sanity", "--color", "no", "--python", PYTHON, *arguments]
    return subprocess.run(command, cwd=COLLECTION, env=os.environ | {"HOME": str(HOME)}).returncode


if __name__ == "__main__":
    sys.exit(main())

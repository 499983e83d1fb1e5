"""The changelog: fragments are well-formed, and CHANGELOG.md is what the releases say: `changelog.py [--preview]`.

Checked on a copy in .cache/changelog, where the present fragments are released as well, so that no surprise is left for
the day of the release.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

import yaml
from tests.lint.files import ROOT, project_files

COPY = ROOT / ".cache" / "changelog" / "ansible_collections" / "ibops" / "gateway"
# Read by antsibull-changelog: the fragments, and the plugins and roles, to list new ones.
READ = ("changelogs", "galaxy.yml", "meta", "plugins", "roles")


def copy_collection() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    for path in project_files():
        if path.parts[0] in READ:
            target = COPY / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target)


def antsibull(*arguments: str) -> None:
    subprocess.run(["antsibull-changelog", *arguments], cwd=COPY, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preview", action="store_true", help="print what the next release would say")
    preview = parser.parse_args().preview
    copy_collection()
    antsibull("lint")
    if (COPY / "changelogs" / "changelog.yaml").exists():
        antsibull("lint-changelog-yaml", "changelogs/changelog.yaml")
        antsibull("generate")
        if (COPY / "CHANGELOG.md").read_text() != (ROOT / "CHANGELOG.md").read_text():
            print("CHANGELOG.md is not what changelogs/changelog.yaml says: run `antsibull-changelog generate`")
            return 1
    fragments = list((COPY / "changelogs" / "fragments").glob("*.yml"))
    if fragments:
        version = yaml.safe_load((COPY / "galaxy.yml").read_text())["version"]
        antsibull("release", "--version", version, "--update-existing", "--reload-plugins")
    print((COPY / "CHANGELOG.md").read_text() if preview else f"{len(fragments)} fragments make a release")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)} failed, as shown above")

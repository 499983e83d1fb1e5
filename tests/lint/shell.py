"""shellcheck on every shell script of the project, found by its first line."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.lint.files import ROOT, project_files

SHEBANG = re.compile(rb"#!.*\b(ba|da)?sh\b")


def scripts() -> list[str]:
    found = []
    for path in project_files():
        with (ROOT / path).open("rb") as file:
            # A template's shebang is real, the rest of it is not shell yet.
            if path.suffix != ".j2" and SHEBANG.match(file.readline()):
                found.append(str(path))
    return found


if __name__ == "__main__":
    command = ["shellcheck", "--severity=style", "--external-sources", "--source-path=SCRIPTDIR", *scripts()]
    sys.exit(subprocess.run(command, cwd=ROOT).returncode)

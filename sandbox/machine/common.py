"""Names, paths, and command execution, shared by all parts of the sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".sandbox"
CACHE = STATE / "cache"
LOGS = STATE / "log"

# Every Docker object of the sandbox carries this label; its value is the object's kind. A second label names the
# checkout that it belongs to. The network and the images have none: all checkouts of an engine share them.
LABEL = "ibops.gateway.sandbox"
CHECKOUT_LABEL = f"{LABEL}.checkout"
NETWORK = "ibgw-sandbox"
SUBNET = "10.211.0.0/16"
RELEASES = ("trixie", "bookworm")

HEARTBEAT_SECONDS = 10


class SandboxError(Exception):
    """An action failed; the message says why and what to do."""


def machine_image(release: str) -> str:
    """The machine image that this checkout's set-up made of a release."""
    note = machine_image_note(release)
    if not note.exists():
        raise SandboxError(
            f"There is no machine image of {release} yet. Run `sandbox/setup --release {release}`, which builds it."
        )
    return note.read_text().strip()


def machine_image_note(release: str) -> Path:
    """The file in which set-up notes that image's tag."""
    return STATE / f"machine-{release}_image"


def gone(checkout: str) -> bool:
    """Whether a checkout has been deleted; one that this user has no permission to see counts as present."""
    try:
        os.stat(checkout)
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def as_root(command: Sequence[str]) -> list[str]:
    """The command with sudo in front if needed; SandboxError without sudo."""
    if os.geteuid() == 0:
        return list(command)
    if not shutil.which("sudo"):
        raise SandboxError(f"'{command[0]}' needs root. Run this as root, or install sudo.")
    # Without a terminal, sudo cannot ask for a password and fails at once.
    return ["sudo", *([] if sys.stdin.isatty() else ["-n"]), *command]


def run(command: Sequence[str], stdin: str | None = None) -> str:
    """The standard output of a command, stripped; SandboxError with its output when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise SandboxError(f"'{' '.join(command[:6])}' failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def run_long(title: str, log_name: str, command: Sequence[str]) -> None:
    """Run a long command: output to .sandbox/log, progress messages, and the end of the output on failure."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{log_name}.log"
    say(f"{title} (log: {log.relative_to(ROOT)})")
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    code = process.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    print(f"    {time.monotonic() - started:.0f} s so far: {_last_line(log)}", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise SandboxError(f"'{command[0]}' ended with status {code}. The end of {log.relative_to(ROOT)}:\n{tail}")
    print(f"    done in {time.monotonic() - started:.0f} s", flush=True)


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 400))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip()[-100:] for line in reversed(lines) if line.strip()), "no output yet")


_docker_prefix: list[str] = []


def docker_command(*arguments: str) -> list[str]:
    """A docker command, with sudo in front once that has proved necessary."""
    return [*_docker_prefix, "docker", *arguments]


def docker(*arguments: str, stdin: str | None = None) -> str:
    """The standard output of a docker command, through sudo if the engine's socket requires it."""
    if not shutil.which("docker"):
        raise SandboxError("There is no 'docker' command on this machine. Run `make setup`, which installs an engine.")
    done = subprocess.run(docker_command(*arguments), input=stdin, capture_output=True, text=True)
    error = done.stderr.strip()
    if done.returncode == 0:
        return done.stdout.strip()
    if not _docker_prefix and os.geteuid() != 0 and "permission denied" in error.lower():
        _docker_prefix[:] = as_root([])
        return docker(*arguments, stdin=stdin)
    _explain(error, arguments)


def _explain(error: str, arguments: Sequence[str]) -> NoReturn:
    if "Cannot connect to the Docker daemon" in error or "failed to connect to the docker API" in error:
        raise SandboxError("The Docker engine of this machine is not running. Run `make setup`, which starts it.")
    raise SandboxError(f"'docker {' '.join(arguments[:4])}' failed: {error}")


def labelled(kind: str, **labels: str) -> list[str]:
    """Options of `docker run` and the like that label an object as one of this checkout's sandbox."""
    pairs = {LABEL: kind, CHECKOUT_LABEL: str(ROOT)} | {f"{LABEL}.{name}": value for name, value in labels.items()}
    return [word for name, value in pairs.items() for word in ("--label", f"{name}={value}")]


def present(kind: str, name: str, template: str) -> str | None:
    """Return what `docker <kind> inspect` prints for an object by a Go template; None when there is no such object."""
    try:
        return docker(kind, "inspect", "--format", template, name)
    except SandboxError as error:
        if "no such" in str(error).lower() or "not found" in str(error).lower():
            return None
        raise

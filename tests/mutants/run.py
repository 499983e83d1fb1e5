"""Run the tests of a module against its mutants: a fork each of a process that has its libraries loaded."""

from __future__ import annotations

import importlib.machinery
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
import yaml  # noqa: F401 - loaded once, for all forks
from hypothesis import settings
from tests.mutants.source import Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
# A mutant that never ends is killed; so many times as long as the tests take, and at least so many seconds.
PATIENCE, LEAST_SECONDS = 10.0, 20


class BaselineError(Exception):
    """The tests do not pass on the module as it is."""


def survivors(path: Path, tests: list[str], chosen: list[Mutant], workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each of the *chosen* mutants of the module at *path*, and whether its *tests* pass with it."""
    began = time.monotonic()
    if _wait(_fork(path, None, tests, 600)) != 0:
        raise BaselineError(f"{path.name}: its tests fail without any mutant: pytest {' '.join(tests)}")
    seconds = max(int(PATIENCE * (time.monotonic() - began)), LEAST_SECONDS)
    running: dict[int, Mutant] = {}
    left = list(reversed(chosen))
    while left or running:
        while left and len(running) < workers:
            mutant = left.pop()
            running[_fork(path, mutant.code(), tests, seconds)] = mutant
        process, status = os.wait()
        if process in running:
            yield running.pop(process), os.waitstatus_to_exitcode(status) == 0


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _fork(path: Path, code: str | None, tests: list[str], seconds: int) -> int:
    """Return the process that runs the tests, with *code* in the place of what *path* has; exit status 0: they pass."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        # The alarm ends also a loop that nothing else ends.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        if code is not None:
            _replace(path, code)
        status = _test(tests)
    finally:
        os._exit(status)


def _replace(path: Path, code: str) -> None:
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        if os.path.realpath(self.path) == str(path):
            return compile(code, self.path, "exec", dont_inherit=True)
        return original(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


def _test(tests: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "faulthandler_timeout=0", "--tb=no"]
        # Fewer examples than `make test` tries, and none remembered: a survivor is the same in every run.
        settings.register_profile("mutants", deadline=None, derandomize=True, database=None, max_examples=25)
        plugin = _Profile()
        sys.path.insert(0, str(ROOT))
        return int(pytest.main([*options, f"--basetemp={place}/tmp", *tests], plugins=[plugin]))


class _Profile:
    def pytest_collection(self) -> None:
        settings.load_profile("mutants")

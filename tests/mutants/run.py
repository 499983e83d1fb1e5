"""Run the tests of a module against its mutants: a fork each of a process that has collected them.

A fork runs, the fastest first, the tests that call the changed function, and ends with the first that fails. That one
has to pass on the module as it is at once, so that a test that fails by chance kills nothing. A mutant whose tests do
not end within the limit counts as killed only where the same tests then need less than a fifth of the limit without it:
else the machine was busy, and nobody knows.
"""

from __future__ import annotations

import gc
import importlib.machinery
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import settings
from tests.mutants.source import Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
KILLED, HUNG, UNDECIDED, SURVIVED = "killed", "hung", "undecided", "survived"
# A limit is this many times what the tests took before, and at least so many seconds; and what a fork may allocate.
PATIENCE, LEAST_SECONDS, BASELINE_SECONDS, MOST_BYTES = 8, 5, 600, 4 << 30
# Exit status of a fork whose failed test passes without the mutant.
PROVEN = 99
OPTIONS = [
    "-q",
    "-m",
    "not long",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-o",
    "faulthandler_timeout=0",
    "--tb=no",
]


class BaselineError(Exception):
    """The tests do not pass on the module as it is."""


def verdicts(path: Path, tests: list[str], chosen: list[Mutant], workers: int) -> list[tuple[Mutant, str]]:
    """Return each of the *chosen* mutants of the module at *path* with what its *tests* make of it."""
    tests = [str(ROOT / each) for each in tests]
    plugin = _Server(path, tests, chosen, workers)
    sys.path.insert(0, str(ROOT))
    # Imported again, to record the calls of an import, which a conftest may begin before any collection.
    _forget(path)
    plugin.imports.begin()
    status = pytest.main([*OPTIONS, "-s", "-qq", "--no-header", "--no-summary", *tests], plugins=[plugin])
    if plugin.fault or status not in (0, 5):
        raise BaselineError(f"{path.name}: its tests fail without any mutant: {plugin.fault or status}")
    return plugin.verdicts


@dataclass
class _Run:
    """A fork: its mutant, its tests, its limit, and the directory in which it says what failed."""

    mutant: Mutant
    items: list[pytest.Item]
    seconds: int
    place: tempfile.TemporaryDirectory[str]

    def told(self) -> str:
        file = Path(self.place.name, "failed")
        return file.read_text() if file.exists() else ""


# Plugins are compared by identity: pytest keeps them in sets where tests are in several directories.
@dataclass(eq=False)
class _Profile:
    """Fewer examples than `make test` tries, and none remembered: a survivor is the same in every run."""

    def pytest_collection(self) -> None:
        settings.register_profile("mutants", deadline=None, derandomize=True, database=None, max_examples=25)
        settings.load_profile("mutants")


@dataclass(eq=False)
class _Server(_Profile):
    path: Path
    tests: list[str]
    chosen: list[Mutant]
    workers: int
    fault: str = ""
    verdicts: list[tuple[Mutant, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.imports = _Calls(self.path)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # Functions called during the import shape the module: changing one requires another import.
        self.at_import = self.imports.end()
        self.items = {each.nodeid: each for each in session.items}
        try:
            self._baseline()
            self._judge()
        except BaselineError as error:
            self.fault = str(error)
        return True

    # The tests of each function

    def _baseline(self) -> None:
        """Run every test once, and note how long it takes and which functions of the module it calls."""
        with tempfile.TemporaryDirectory(prefix="mutants-") as place:
            status = _wait(_fork(place, BASELINE_SECONDS, lambda: self._traced(place)))
            told = Path(place, "baseline")
            failed = Path(place, "failed")
            if status or not told.exists():
                raise BaselineError(failed.read_text() if failed.exists() else f"no end within {BASELINE_SECONDS} s")
            report = json.loads(told.read_text())
        self.seconds: dict[str, float] = report["seconds"]
        self.called: dict[str, set[str]] = {name: set(calls) for name, calls in report["called"].items()}

    def _traced(self, place: str) -> int:
        calls = _Calls(self.path)
        seconds, called = {}, {}
        for name, item in self.items.items():
            calls.begin()
            began = time.monotonic()
            if not _passes(item):
                Path(place, "failed").write_text(name)
                return 1
            seconds[name], called[name] = time.monotonic() - began, sorted(calls.end())
        Path(place, "baseline").write_text(json.dumps({"seconds": seconds, "called": called}))
        return 0

    def _items_of(self, mutant: Mutant) -> list[pytest.Item]:
        everywhere = not mutant.body or mutant.body in self.at_import
        names = [name for name in self.items if everywhere or mutant.body in self.called[name]]
        return [self.items[name] for name in sorted(names, key=self.seconds.__getitem__)]

    # Judging

    def _judge(self) -> None:
        self.functions: dict[str, list[FunctionType]] = {}
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and os.path.realpath(each.__code__.co_filename) == str(self.path):
                self.functions.setdefault(each.__code__.co_qualname, []).append(each)
        gc.freeze()
        self._import_unchanged()
        running: dict[int, _Run] = {}
        left = list(reversed(self.chosen))
        while left or running:
            while left and len(running) < self.workers:
                run = self._run(left.pop())
                running[self._start(run)] = run
            process, status = os.wait()
            if process in running:
                _end_group(process)
                run = running.pop(process)
                self.verdicts.append((run.mutant, self._verdict(run, os.waitstatus_to_exitcode(status))))
                run.place.cleanup()

    def _run(self, mutant: Mutant) -> _Run:
        items = self._items_of(mutant)
        before = sum(self.seconds[each.nodeid] for each in items)
        return _Run(mutant, items, max(int(PATIENCE * before), LEAST_SECONDS), _directory())

    def _start(self, run: _Run) -> int:
        code = run.mutant.code()
        in_place = [] if run.mutant.body in self.at_import else self.functions.get(run.mutant.body, [])
        compiled = _function(compile(code, str(self.path), "exec", dont_inherit=True), run.mutant.body)
        if compiled and in_place and all(each.__code__.co_freevars == compiled.co_freevars for each in in_place):

            def work() -> int:
                originals = [each.__code__ for each in in_place]
                for each in in_place:
                    each.__code__ = compiled
                status = _test(run.items, run.place.name)
                for each, original in zip(in_place, originals, strict=True):
                    each.__code__ = original
                return PROVEN if status and _passes(self.items[run.told()]) else status

            return _fork(run.place.name, run.seconds, work)
        return _fork(run.place.name, run.seconds, lambda: self._imported(code, run.items, run.place.name))

    def _import_unchanged(self) -> None:
        """Tests that fail because everything is imported once more would kill each mutant that needs it."""
        with _directory() as place:
            items = [*self.items.values()]
            status = _wait(_fork(place, BASELINE_SECONDS, lambda: self._imported(self.path.read_text(), items, place)))
            if status:
                failed = Path(place, "failed")
                told = failed.read_text() if failed.exists() else f"exit status {status}"
                raise BaselineError(f"imported once more: {told}")

    def _imported(self, code: str, items: list[pytest.Item], place: str) -> int:
        """Import everything of the project once more, with *code* in the place of what the module has."""
        _forget(self.path)
        _replace(self.path, code)
        order = {item.nodeid: at for at, item in enumerate(items)}
        status = int(pytest.main([*OPTIONS, "-x", *self.tests], plugins=[_Ordered(order, place)]))
        return status

    def _verdict(self, run: _Run, status: int) -> str:
        if status == 0:
            return SURVIVED
        if status == PROVEN:
            return KILLED
        failed = run.told()
        if status == -signal.SIGALRM and not failed:
            took = self._takes(run.items, run.seconds)
            return HUNG if took < run.seconds / 5 else UNDECIDED
        # Without a name nothing could be collected, or the process has died: the mutant's doing.
        if not failed or self._takes([self.items[failed]], run.seconds) < run.seconds:
            return KILLED
        return UNDECIDED

    def _takes(self, items: list[pytest.Item], seconds: int) -> float:
        """The seconds that tests take on the module as it is; infinite where they fail or do not end in time."""
        began = time.monotonic()
        with _directory() as place:
            process = _fork(place, seconds, lambda: _test(items, place))
            status = _wait(process)
            _end_group(process)
        return time.monotonic() - began if status == 0 else float("inf")


@dataclass(eq=False)
class _Ordered(_Profile):
    """Run the tests in a process that collects again, in the *order* by their names; failures are recorded."""

    order: dict[str, int]
    place: str

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.order.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid in self.order:
            Path(self.place, "failed").write_text(report.nodeid)


class _Calls:
    """Record the functions of the module at *path* that are called between begin and end, in any thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._called = str(path), set[CodeType]()

    def begin(self) -> None:
        self._called.clear()
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def end(self) -> set[str]:
        """Their qualified names, a function within a function under its outermost one."""
        sys.settrace(None)
        threading.settrace(None)
        files = {each.co_filename: os.path.realpath(each.co_filename) for each in tuple(self._called)}
        names = {each.co_qualname for each in self._called if files.get(each.co_filename) == self._path}
        return {each.partition(".<locals>")[0] for each in names}

    def _trace(self, frame: FrameType, _event: str, _argument: Any) -> None:
        self._called.add(frame.f_code)


def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)


def _forget(path: Path) -> None:
    """Import everything of the project again, the module at *path* included."""
    places = (str(ROOT), str(path.parent))
    for name in [name for name, module in sys.modules.items() if name != "__main__" and _is_within(module, places)]:
        if not name.startswith("tests.mutants"):
            del sys.modules[name]


def _is_within(module: ModuleType, places: tuple[str, ...]) -> bool:
    """Whether a module, or a package without a file, is in one of the *places*, what is installed aside."""
    file = getattr(module, "__file__", None)
    paths = [file] if file else [str(each) for each in getattr(module, "__path__", ())]
    return any(each.startswith(places) and "site-packages" not in each for each in paths)


def _function(code: CodeType, name: str) -> CodeType | None:
    """The code of the function with the qualified *name* within that of a module."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    direct = [each for each in inner if each.co_qualname == name]
    return direct[-1] if direct else next(filter(None, (_function(each, name) for each in inner)), None)


def _test(items: list[pytest.Item], place: str) -> int:
    for item in items:
        if not _passes(item):
            Path(place, "failed").write_text(item.nodeid)
            return 1
    return 0


def _passes(item: pytest.Item) -> bool:
    failed = item.session.testsfailed
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return item.session.testsfailed == failed


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _end_group(process: int) -> None:
    """End what a fork has started and left behind."""
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _fork(place: str, seconds: int, work: Callable[[], int]) -> int:
    """Return the process that does the *work* and ends with what that returns."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.setsid()
        # The alarm ends also a loop that nothing else ends.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = place
        # A path that a mutant has made relative stays in it.
        os.chdir(place)
        status = work()
    finally:
        os._exit(status)


def _replace(path: Path, code: str) -> None:
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        if os.path.realpath(self.path) == str(path):
            return compile(code, self.path, "exec", dont_inherit=True)
        return original(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]  # each import goes through it

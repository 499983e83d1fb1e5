# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare an image with role gateway's assumptions; it is inspected, never run.

The engine reports its environment, labels, user, command and architecture; its files are read from a container that is
created and never started. They are hostile until bounded: links are not followed, and files are read only up to their
expected size. The assumed layout is that of gnzsnz/ib-gateway-docker at b2c0259; tests/image holds the stand-in to it.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import io
import re
import tarfile
import typing as t

from ..agent import releases
from ..agent.controller import controllers, promises
from ..agent.engine.client import Engine, EngineError, NotFoundError, TooLongError
from ..agent.releases import IBC, IBG_CONTROLLER
from ..agent.session.inspection import RELEASE_VARIABLE, variables
from ..agent.text import printable
from . import controller_settings

HOME = "/home/ibgateway"
SCRIPTS, IBC_DIR, PROGRAM = f"{HOME}/scripts", f"{HOME}/ibc", f"{HOME}/Jts/ibgateway"
ENTRY = f"{SCRIPTS}/run.sh"
ENVIRONMENT = {
    "HOME": HOME,
    "TWS_PATH": f"{HOME}/Jts",
    "TWS_INI": "jts.ini",
    "TWS_INI_TMPL": "jts.ini.tmpl",
    "IBC_PATH": IBC_DIR,
    "SCRIPT_PATH": SCRIPTS,
}
SCRIPT_FILES = (ENTRY, f"{SCRIPTS}/common.sh", f"{SCRIPTS}/run_socat.sh", f"{HOME}/Jts/jts.ini.tmpl")
TEMPLATE, IBC_VERSION = f"{IBC_DIR}/config.ini.tmpl", f"{IBC_DIR}/version"
# A file by which to recognize each controller in an image. The last one is known but not supported.
CONTROLLERS = {
    IBC: f"{IBC_DIR}/scripts/ibcstart.sh",
    IBG_CONTROLLER: f"{SCRIPTS}/gateway_controller.py",
    "ibctl": "/opt/ibctl/ibctl",
}
SUPPORTED = tuple(controllers.TABLES)
# Earlier versions launch a second gateway beside the one that restarts itself: a push each night (its CHANGELOG,
# 0.9.0).
OLDEST = {IBG_CONTROLLER: (0, 9, 0)}
# The version that the release workflow writes; an image built from the Dockerfile has that of its base.
VERSION_LABEL, SOURCE_LABEL = "org.opencontainers.image.version", "org.opencontainers.image.source"


class Layout(t.NamedTuple):
    """The layout of a program's image: its *environment*, *entry* point and *scripts*, each controller's file, a
    controller's *extra* needs beyond the base image, IBC's settings *template* and *version*, the *program*'s folder by
    release. With *root* it starts as root, and gives its files to the role's uid by itself."""

    title: str
    environment: c.Mapping[str, str]
    entry: str
    scripts: tuple[str, ...]
    controllers: c.Mapping[str, str]
    extra: c.Mapping[str, tuple[str, ...]]
    template: str
    version: str
    program: str
    root: bool


# The second is gnzsnz/ib-gateway-docker's tws-rdesktop (its Dockerfile.tws), with the init of linuxserver/rdesktop.
LAYOUTS = {
    "gateway": Layout(
        "IB Gateway",
        ENVIRONMENT,
        ENTRY,
        SCRIPT_FILES,
        CONTROLLERS,
        {IBG_CONTROLLER: (f"{HOME}/gateway-input-agent.jar",)},
        TEMPLATE,
        IBC_VERSION,
        PROGRAM,
        root=False,
    ),
    "tws": Layout(
        "TWS",
        {
            "HOME": "/config",
            "TWS_PATH": "/opt/ibkr",
            "TWS_INI": "jts.ini",
            "TWS_INI_TMPL": "jts.ini.tmpl",
            "IBC_PATH": "/opt/ibc",
            "SCRIPT_PATH": "/defaults",
        },
        "/init",
        (
            "/custom-services.d/start_session.sh",
            "/defaults/run_tws.sh",
            "/defaults/common.sh",
            "/defaults/run_socat.sh",
            "/opt/ibkr/jts.ini.tmpl",
        ),
        {
            IBC: "/opt/ibc/scripts/ibcstart.sh",
            IBG_CONTROLLER: "/defaults/gateway_controller.py",
            "ibctl": CONTROLLERS["ibctl"],
        },
        {},
        "/opt/ibc/config.ini.tmpl",
        "/opt/ibc/version",
        "/opt/ibkr/ibgateway",
        True,
    ),
}
# Keys that IBC reads and its template lacks (IBC's source).
KEYS_OUTSIDE_TEMPLATE = frozenset({"IncludeStackTraceForExceptions", "LogComponents", "ShowAllTrades"})
# The template has 20 kB, the other files one line.
MAX_BYTES = 1 << 16
# A tar archive of one file: headers, padding and end.
_TAR_BYTES = 1 << 14
# In Go's FileMode, everything but a regular file has one of these bits.
_TYPE_BITS = 0x8F280000
_SHOWN_KEYS = 8

# Severities of a difference: reported only; refused unless the operator accepts it; refused.
NOTES = ("release_ends", "controller_version", "new_keys", "health_check", "unknown_image")
ACCEPTABLE = (
    "release_unknown",
    "release_not_accepted",
    "architecture",
    "user",
    "uid",
    "paths",
    "entry_point",
    "no_template",
    "unknown_keys",
    "live_costs",
)
REFUSED = (
    "program",
    "no_controller",
    "other_controller",
    "two_controllers",
    "controller_too_old",
    "setting",
    "live_promise",
    "not_a_file",
    "too_big",
)


class Wanted(t.NamedTuple):
    """The container to make from an image: its *uid*, its *environment* (with the mode), IBC's settings template
    *config*; *accept*: those of :data:`ACCEPTABLE` that are not refused. *platform* is the engine's, *now* in epoch
    seconds, *program* a key of :data:`LAYOUTS`."""

    uid: int
    environment: c.Mapping[str, str]
    config: str
    accept: c.Collection[str]
    platform: str
    now: float
    program: str = "gateway"

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.program]


class Difference(t.NamedTuple):
    """A difference between *wanted* and *found*; *text* describes it to a person."""

    id: str
    refused: bool
    wanted: str
    found: str
    text: str


class Files:
    """The inspected files of an image: those that are *there*, the *texts* and *owners* of those that were read, and
    their faults (``too_big``, ``not_a_file``)."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._engine, self._container = engine, container
        self.there: set[str] = set()
        self.texts: dict[str, str] = {}
        self.owners: dict[str, int] = {}
        self.faults: dict[str, str] = {}

    def look(self, path: str, most: int | None = MAX_BYTES) -> None:
        """Note whether *path* exists, and is a file of at most *most* bytes (None: any size)."""
        found = self._engine.path_stat(self._container, path)
        if found is None:
            return
        self.there.add(path)
        if found["mode"] & _TYPE_BITS or found.get("linkTarget"):
            self.faults[path] = "not_a_file"
        elif most is not None and found["size"] > most:
            self.faults[path] = "too_big"

    def read(self, path: str) -> None:
        """Inspect *path*, and keep its text and its owner."""
        self.look(path)
        if path not in self.there or path in self.faults:
            return
        try:
            archive = self._engine.archive(self._container, path, MAX_BYTES + _TAR_BYTES)
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
                member = tar.next()
                content = tar.extractfile(member) if member and member.isreg() and not member.issparse() else None
                if member is None or content is None:
                    raise tarfile.TarError
                self.texts[path] = content.read(MAX_BYTES).decode("utf-8", "replace")
                self.owners[path] = member.uid
        except TooLongError:
            self.faults[path] = "too_big"
        except (tarfile.TarError, ValueError, OSError):
            self.faults[path] = "not_a_file"


class Report(t.NamedTuple):
    """An image: its *release*, its *controller* and the controller's version (None: unknown, or its files were not
    read), the matching *known* image (or None), and the *differences*."""

    image: str
    release: str | None
    controller: str | None
    controller_version: str | None
    known: str | None
    differences: tuple[Difference, ...]

    @property
    def refusals(self) -> list[str]:
        return [f"{each.id}: {each.text}" for each in self.differences if each.refused]

    def as_dict(self) -> dict[str, t.Any]:
        """Return it JSON-ready, with *refused* and as aligned *lines*."""
        return {
            **self._asdict(),
            "differences": [each._asdict() for each in self.differences],
            "refused": bool(self.refusals),
            "lines": self.lines(),
        }

    def lines(self) -> list[str]:
        """Return it as lines for a terminal."""
        controller = f"{self.controller or 'not known'} {self.controller_version or ''}".strip()
        lines = [f"image       {self.image}", f"release     {self.release or 'not known'}", f"controller  {controller}"]
        lines += [f"known       {self.known}"] * bool(self.known)
        for each in self.differences:
            verdict = "REFUSED" if each.refused else "note" if each.id in NOTES else "accepted"
            lines.append(f"{verdict:10}  {each.id}: {each.text}")
        return lines if self.differences else [*lines, "as expected"]


def container_name(container: str) -> str:
    """Return the name of the container made to inspect an image for gateway container *container*."""
    return f"{container}.image"


def examine(engine: Engine, image: str, wanted: Wanted, container: str | None = None) -> Report:
    """Inspect *image* on this host; with the name of a *container*, also its files: the container is created for that,
    never started, and removed. Raises EngineError, NotFoundError for a missing image."""
    found = engine.image(image)
    config: c.Mapping[str, t.Any] = found.get("Config") or {}
    environment = variables(config.get("Env"))
    release = environment.get(RELEASE_VARIABLE, "")
    files = None if container is None else _files(engine, image, container, release, wanted.layout)
    names = _controllers(config, files, wanted.layout)
    version = _version(config, files, names, wanted.layout)
    known = releases.parse(release)
    differences = [
        *_by_release(release, environment, wanted.now),
        *_by_config(found, config, environment, wanted),
        *_by_controller(names, controllers.of_image(config), version, files is not None),
        *(_by_files(files, release, wanted, names) if files else ()),
        *_by_promises(names, wanted),
        *_by_table(known, names, version, wanted.program),
    ]
    return Report(
        image,
        str(known) if known else None,
        names[0] if len(names) == 1 else None,
        printable(version, 40) or None,
        _known(known, names, version, wanted.program),
        tuple(each._replace(refused=_refused(each.id, wanted.accept)) for each in differences),
    )


def _refused(kind: str, accept: c.Collection[str]) -> bool:
    return kind in REFUSED or (kind in ACCEPTABLE and kind not in accept)


def _difference(kind: str, wanted: object, found: object, text: str) -> Difference:
    return Difference(kind, False, printable(str(wanted)), printable(str(found)), printable(text, 400))


# Checks by the engine's description


def _by_release(release: str, environment: c.Mapping[str, str], now: float) -> c.Iterator[Difference]:
    known = releases.parse(release)
    if known is None or environment.get("TWS_MAJOR_VRSN") != release:
        text = f"{RELEASE_VARIABLE} is {release!r} and TWS_MAJOR_VRSN {environment.get('TWS_MAJOR_VRSN')!r}"
        yield _difference("release_unknown", "a release such as 10.50.1d in both", release, text)
    if known is None:
        return
    ends = releases.outlook(release, None, now)
    if ends.severity != releases.OK:
        over = releases.refusal(release, now) is not None
        kind = releases.NOT_ACCEPTED if over else "release_ends"
        yield _difference(kind, f"{ends.minimum} or later from {ends.accepted_until} on", release, ends.text)


def _by_config(
    found: c.Mapping[str, t.Any], config: c.Mapping[str, t.Any], environment: c.Mapping[str, str], wanted: Wanted
) -> c.Iterator[Difference]:
    platform = f"{found.get('Os')}/{found.get('Architecture')}"
    if platform != wanted.platform:
        yield _difference(
            "architecture", wanted.platform, platform, f"it is for {platform}, the host {wanted.platform}"
        )
    layout = wanted.layout
    user, expected = str(config.get("User") or ""), f"{wanted.uid}:{wanted.uid}"
    if layout.root:
        if user not in ("", "root", "0", "0:0"):
            yield _difference("user", "root", user, f"it is made for user {user!r}, and its init has to be root")
    elif user not in (expected, str(wanted.uid)):
        kind = "uid" if re.fullmatch(r"[1-9]\d*(:\d+)?", user) else "user"
        yield _difference(
            kind, expected, user, f"it is made for user {user or 'root'!r}, the role runs it as {expected}"
        )
    expected_of = layout.environment
    wrong = {name: environment.get(name) for name, value in expected_of.items() if environment.get(name) != value}
    if wrong:
        text = ", ".join(f"{name} is {value!r} and not {expected_of[name]!r}" for name, value in wrong.items())
        yield _difference("paths", expected_of, wrong, text)
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    if command != [layout.entry]:
        yield _difference("entry_point", [layout.entry], command, f"it starts {command}, and not {layout.entry}")
    program = environment.get("GATEWAY_OR_TWS")
    if program != wanted.program:
        yield _difference(
            "program", wanted.program, program, f"GATEWAY_OR_TWS is {program!r}: it is not {layout.title}"
        )
    if config.get("Healthcheck"):
        text = "it has a HEALTHCHECK, by which autoheal and others restart it; a restart can be a push"
        yield _difference("health_check", None, config["Healthcheck"], text)


# Checks by its files


def _controllers(config: c.Mapping[str, t.Any], files: Files | None, layout: Layout) -> list[str]:
    """Return the controllers in an image; one labelled as ibg-controller's has only that."""
    there = [name for name, path in layout.controllers.items() if files and path in files.there]
    if controllers.of_image(config) == IBG_CONTROLLER:
        return [IBG_CONTROLLER] if files is None or IBG_CONTROLLER in there else []
    return there


def _version(config: c.Mapping[str, t.Any], files: Files | None, names: list[str], layout: Layout) -> str:
    labels: c.Mapping[str, t.Any] = config.get("Labels") or {}
    if names == [IBG_CONTROLLER]:
        own = IBG_CONTROLLER in str(labels.get(SOURCE_LABEL, ""))
        return str(labels.get(VERSION_LABEL, "")).removeprefix("v") if own else ""
    return files.texts.get(layout.version, "").strip() if files and names == [IBC] else ""


def _by_controller(found: list[str], meant: str, version: str, looked: bool) -> c.Iterator[Difference]:
    names = " and ".join(found)
    if not found:
        if looked:
            yield _difference("no_controller", SUPPORTED, "none", f"it has none of {', '.join(CONTROLLERS)}")
    elif len(found) > 1:
        text = f"{names} are in it, and without the label {controllers.IBG_LABEL} nobody knows which one is meant"
        yield _difference("two_controllers", SUPPORTED, names, text)
    elif names != meant:
        label = f"it has no label {controllers.IBG_LABEL}, by which the role knows it"
        text = f"{names} drives its gateway, and {label if names in SUPPORTED else 'the role does not know it'}"
        yield _difference("other_controller", SUPPORTED, names, text)
    elif names in OLDEST and (numbers := tuple(map(int, re.findall(r"\d+", version)[:3]))) and numbers < OLDEST[names]:
        least = ".".join(map(str, OLDEST[names]))
        text = f"{names} {version} launches a second gateway at each daily restart; {least} and later do not"
        yield _difference("controller_too_old", least, version, text)


def _by_promises(names: list[str], wanted: Wanted) -> c.Iterator[Difference]:
    """Check which settings, and on live which promises, the controller can keep."""
    if len(names) != 1 or names[0] not in SUPPORTED:
        return
    controller = controllers.by_name(names[0])
    for problem in controller_settings.problems(controller.name, controller.title, wanted.config):
        yield _difference("setting", "", problem.id, str(problem))
    if wanted.environment.get("TRADING_MODE") != "live":
        return
    for promise, text in promises.PROMISES.items():
        found = promises.basis(controller, promise)
        if not found.kept:
            kind = "live_promise" if promise in promises.LIVE else "live_costs"
            says = f"{controller.title} does not keep on live: {text}; {found.rests_on}. {found.instead}"
            yield _difference(kind, promise, controller.name, says)


def _by_files(files: Files, release: str, wanted: Wanted, names: list[str]) -> c.Iterator[Difference]:
    for path, fault in files.faults.items():
        text = f"{path} has more than {MAX_BYTES} bytes" if fault == "too_big" else f"{path} is not a regular file"
        yield _difference(fault, "a small file", path, text)
    layout = wanted.layout
    own = [path for name in names for path in layout.extra.get(name, ())]
    needed = (*layout.scripts, layout.version, *own, *_options(release, layout))
    missing = [path for path in needed if path not in files.there]
    if missing:
        yield _difference("paths", "", missing, f"it has no {', '.join(missing)}")
    others = {path: uid for path, uid in files.owners.items() if uid != wanted.uid}
    if others and not layout.root:
        text = ", ".join(f"{path} belongs to uid {uid}" for path, uid in others.items())
        yield _difference("uid", wanted.uid, sorted(set(others.values())), f"{text}, and not to {wanted.uid}")
    if names == [IBG_CONTROLLER]:
        return
    template = layout.template
    if template not in files.there:
        yield _difference("no_template", template, None, f"it has no {template}, so that IBC's keys are not known")
    elif template in files.texts:
        yield from _by_keys(keys(wanted.config), keys(files.texts[template]))


def _by_keys(ours: set[str], theirs: set[str]) -> c.Iterator[Difference]:
    unknown, new = sorted(ours - theirs - KEYS_OUTSIDE_TEMPLATE), sorted(theirs - ours)
    if unknown:
        yield _difference("unknown_keys", "", unknown, f"its IBC has no {_some(unknown)}, which the settings have")
    if new:
        yield _difference("new_keys", "", new, f"its IBC has {_some(new)}, which get IBC's defaults")


def _rows(known: releases.Release | None, names: list[str], program: str) -> list[releases.KnownImage]:
    rows = (row for row in releases.IMAGES if known and row.holds(known) and row.program == program)
    return [row for row in rows if row.controller in names]


def _known(known: releases.Release | None, names: list[str], version: str, program: str) -> str | None:
    for row in _rows(known, names, program):
        if row.controller_version == version:
            return "; ".join(filter(None, (row.repository, f"digest of an {row.digest}", row.differs)))
    return None


def _by_table(known: releases.Release | None, names: list[str], version: str, program: str) -> c.Iterator[Difference]:
    """Compare release and controller with the known images."""
    if known is None or not version:
        return
    rows = _rows(known, names, program)
    if not rows:
        text = f"release {known} with {names[0]} {version} is not among the images that this collection knows"
        yield _difference("unknown_image", "a known image", known, text)
    elif version not in [row.controller_version for row in rows]:
        expected = " or ".join(row.controller_version for row in rows)
        text = f"release {known} is known with {names[0]} {expected}, and this one has {version}"
        yield _difference("controller_version", expected, version, text)


def keys(text: str) -> set[str]:
    """Return the keys of an IBC settings template."""
    lines = (line.strip() for line in text.splitlines())
    return {line.partition("=")[0].strip() for line in lines if "=" in line and line[0] not in "#!="}


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN_KEYS
    return ", ".join(names[:_SHOWN_KEYS]) + (f" and {more} more" if more > 0 else "")


def _options(release: str, layout: Layout) -> list[str]:
    return [f"{layout.program}/{release}/ibgateway.vmoptions"] if releases.parse(release) else []


def _files(engine: Engine, image: str, container: str, release: str, layout: Layout) -> Files:
    """Inspect the files of *image* in a *container* that is created for it and never started."""
    with contextlib.suppress(NotFoundError):
        engine.remove(container)
    request = {"Image": image, "Cmd": ["true"], "NetworkDisabled": True, "HostConfig": {"NetworkMode": "none"}}
    engine.create(container, request)
    try:
        files = Files(engine, container)
        for path in layout.scripts:
            files.look(path)
        extra = (each for paths in layout.extra.values() for each in paths)
        for path in (*layout.controllers.values(), *extra):
            files.look(path, None)
        for path in (layout.template, layout.version, *_options(release, layout)):
            files.read(path)
        return files
    finally:
        with contextlib.suppress(EngineError):
            engine.remove(container)

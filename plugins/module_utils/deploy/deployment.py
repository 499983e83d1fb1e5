# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy one gateway's container, from the look to the verdict, under one lease.

The new container is created beside the old one as ``<container>.new`` before the old one is signed off. The old one is
kept as ``<container>.old`` until the new one is ready, and put back if that fails. An interrupted run leaves these
names behind; the next one continues from them (:func:`recover`).
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..agent import files
from ..agent.controller.commands import ChannelError
from ..agent.engine import neighbours
from ..agent.engine.client import Engine, EngineError, NotFoundError
from ..agent.session import policy
from ..agent.session.acting import Acting
from ..agent.session.control import UNREQUESTED, Refused
from ..agent.session.inspection import NETWORK_LABEL, REVISION_LABEL
from ..agent.session.lifecycle import SessionError
from ..agent.session.store import Grant, Record
from ..host import container_user
from . import image

NONE, PENDING, MAKE, START, REPLACE, RESUME, PROVE, REFUSE = (
    "none",
    "pending",
    "make",
    "start",
    "replace",
    "resume",
    "prove",
    "refuse",
)
ALWAYS, IF_RUNNING, NEVER = "always", "if_running", "never"
# Label of a new container: whether the one it replaces was running, for the run after an interrupted one.
REPLACES_LABEL = "ibops.gateway.replaces"
RUNNING, DOWN = "running", "down"
# Seconds for which the lease is kept while the control node announces the push. During a pull, which takes minutes, the
# lease is free: the run looks again afterwards.
PUSH_SECONDS = 30.0


@dataclass(frozen=True)
class Found:
    """The state of a gateway's container.

    ``there``: it runs, will start by itself, or is ``frozen``; ``was_running``: it is down because a run that was
    replacing it was interrupted; ``unproven``: it runs, and its predecessor still exists; ``kept``: its sign-in is
    kept.
    """

    there: bool = False
    frozen: bool = False
    revision: str | None = None
    was_running: bool = False
    unproven: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Decision:
    """The step, whether a new container is made, and whether it is started."""

    step: str
    makes: bool = False
    starts: bool = False
    why: str = ""


class Described(Protocol):
    """The part of a gateway's descriptor that a deployment goes by."""

    @property
    def name(self) -> str: ...

    @property
    def mode(self) -> str: ...

    @property
    def container(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def revision(self) -> str: ...


@dataclass(frozen=True)
class Order:
    """The desired state of gateway ``descriptor.name``.

    ``request`` is what the engine is asked to create, ``parameters`` the options of :func:`.settings_files.entries`.
    ``start`` is ALWAYS, IF_RUNNING or NEVER; ``now``: a live gateway does not wait for its next sign-in; ``recreate``:
    replace the container even without a difference; ``asked``: this run names live gateways; ``change_mode``: the
    operator allows another mode. ``accept``: differences of the image to accept (:data:`.image.ACCEPTABLE`). Seconds:
    ``ready_seconds`` until the API is ready, ``stop_seconds`` until Docker stops what IBC does not.
    """

    descriptor: Described
    user: str
    request: Mapping[str, Any]
    parameters: Mapping[str, Any]
    start: str = ALWAYS
    now: bool = False
    recreate: bool = False
    asked: bool = True
    change_mode: bool = False
    ready_seconds: float = 180.0
    stop_seconds: float = 90.0
    accept: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        return self.descriptor.mode == policy.LIVE


def decide(found: Found, order: Order) -> Decision:
    """Decide the step. Pure; the cases are a table in the tests."""
    differs = order.recreate or found.revision != order.descriptor.revision
    if found.there:
        step = _decide_there(found, order, differs)
    else:
        # Starting a live gateway costs a push, so only a person does it.
        ran = found.was_running and not order.live
        starts = order.start == ALWAYS or (order.start == IF_RUNNING and ran)
        if starts and found.kept:
            step = Decision(RESUME, differs, True)
        else:
            step = Decision(MAKE if differs else START if starts else NONE, differs, starts)
    if order.live and not order.asked and step.step not in (NONE, REFUSE):
        return Decision(REFUSE, why=UNREQUESTED.format(name=order.descriptor.name))
    return step


def _decide_there(found: Found, order: Order, differs: bool) -> Decision:
    if not differs:
        return Decision(PROVE if found.unproven else NONE)
    if order.live and not order.now:
        return Decision(PENDING)
    if found.frozen:
        container = order.descriptor.container
        return Decision(
            REFUSE,
            why=f"container {container} is frozen (docker pause), so that nobody can sign it off: docker unpause "
            f"{container}, then run again",
        )
    return Decision(REPLACE, True, order.start != NEVER)


class Containers:
    """The containers of one gateway by their three names; renaming and removing."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.engine = engine
        self.name, self.new, self.old = neighbours.own_names(container)
        # Made to inspect an image; never started.
        self.look_at = image.container_name(container)

    def look(self, name: str) -> dict[str, Any] | None:
        try:
            return self.engine.inspect(name)
        except NotFoundError:
            return None

    def status(self, name: str) -> str:
        """The engine's status; empty if it does not exist."""
        found = self.look(name)
        return str(found["State"]["Status"]) if found else ""

    def label(self, name: str, label: str) -> str | None:
        found = self.look(name)
        return (found["Config"].get("Labels") or {}).get(label) if found else None

    def discard(self, name: str) -> None:
        with contextlib.suppress(NotFoundError):
            self.engine.remove(name)

    def recover(self) -> None:
        """Undo an interrupted run's replacement that does not run.

        A running container stays: it may be signed in. Its predecessor then stays as well, until the new one is proven.
        """
        self.discard(self.new)
        self.discard(self.look_at)
        if self.status(self.old) and self.status(self.name) not in neighbours.THERE:
            self.discard(self.name)
            self.engine.rename(self.old, self.name)

    def accept(self) -> None:
        """Put the new one in the place of the old one, which is down, and keep the last proven one."""
        if self.status(self.old):
            self.discard(self.name)
        elif self.status(self.name):
            self.engine.rename(self.name, self.old)
        self.engine.rename(self.new, self.name)

    def return_to_old(self) -> bool:
        """Put the old container back in place of a stopped replacement; False without an old one."""
        waits = bool(self.status(self.new))
        self.discard(self.new)
        if not self.status(self.old):
            return waits and bool(self.status(self.name))
        self.discard(self.name)
        self.engine.rename(self.old, self.name)
        return True


@dataclass
class Done:
    """The result of a run, or its prediction while the control node has to meet ``needs`` first (``image``, ``push``;
    empty: none) and nothing is touched; and the image's report (None: not on this host, or not inspected)."""

    step: str
    starts: bool
    changed: bool
    diff: list[dict[str, str]]
    needs: str = ""
    image: image.Report | None = None


class Deployment(abc.ABC):
    """Carry out one order; *settled* are the needs that the control node has met. The subclasses know the APIs."""

    # The API, as the containers' label says it.
    stack: str

    def __init__(self, order: Order, control: Acting, settled: tuple[str, ...] = ()) -> None:
        self.order, self.control, self.engine, self.settled = order, control, control.engine, settled
        self.containers = Containers(control.engine, order.descriptor.container)
        # The mode in the descriptor on this host; empty without one.
        self.deployed_mode = ""
        self.report: image.Report | None = None

    # Steps that differ by API

    @abc.abstractmethod
    def entries(self) -> list[files.Entry]:
        """The files that the container is started with, and the descriptor, parents first."""

    @abc.abstractmethod
    def backup(self) -> Backup:
        """Those of them to restore with the old container."""

    @abc.abstractmethod
    def _ask_image(self, found: Found, decision: Decision, check: bool) -> bool:
        """Whether this host has the image. Refused if it is unsuitable."""

    @abc.abstractmethod
    def _sign_off(self) -> None:
        """Stop the running container, gently."""

    @abc.abstractmethod
    def _begin(self, record: Record, step: str) -> None:
        """Start the container for this *step* and wait until its API is ready; SessionError."""

    @abc.abstractmethod
    def _prove(self, record: Record) -> None:
        """Wait until the API of a started container is ready; SessionError."""

    @abc.abstractmethod
    def _end(self, record: Record) -> None:
        """Stop a container that did not become ready."""

    @abc.abstractmethod
    def _begin_again(self, record: Record, grant: Grant | None) -> None:
        """Start the old container again, without waiting."""

    @abc.abstractmethod
    def _worth_its_push(self) -> bool:
        """Whether a live gateway is signed in, with trouble behind the API: that does not justify wasting the approved
        push."""

    @abc.abstractmethod
    def _await_ready(self) -> None:
        """Wait until the API of a container that this run leaves alone is ready; SessionError."""

    @abc.abstractmethod
    def _look(self) -> None:
        """Look once, for the facts."""

    @abc.abstractmethod
    def facts(self, check: bool) -> dict[str, Any]:
        """Return what the last look showed, JSON-ready; in check mode look first."""

    def _kept(self, record: Record) -> bool:
        """Whether the sign-in of the live gateway, which is down, is kept."""
        return False

    def _objection(self, decision: Decision) -> str:
        """Return why this API's rules forbid the decision; empty if they do not."""
        return ""

    def _accept(self, decision: Decision) -> None:
        """Put a new container in the place of the old one, which is down."""
        if decision.makes:
            self.containers.accept()

    def _restore(self, backup: Backup) -> None:
        backup.restore()

    def _finish(self, decision: Decision) -> None:
        """Remove what the proven container replaced."""
        self.containers.discard(self.containers.old)

    # Looking

    def found(self, record: Record, around: list[neighbours.Neighbour]) -> Found:
        names = {each.name for each in around}
        container = self.containers
        # After a run interrupted between two renames, only the old one exists.
        name = container.name if container.name in names else container.old
        status = container.status(name)
        there = status in neighbours.THERE
        cut = container.new in names or container.old in names
        labels = (container.label(container.new, REPLACES_LABEL), container.label(container.name, REPLACES_LABEL))
        if not there and container.old in names:
            name = container.old
        return Found(
            there,
            status == "paused",
            container.label(name, REVISION_LABEL),
            cut and not there and RUNNING in labels,
            there and container.old in names,
            self.order.live and not there and self._kept(record),
        )

    def refuse(self, around: list[neighbours.Neighbour], found: Found, decision: Decision) -> None:
        """Raise Refused where another deployment on this host forbids the decision."""
        order, wanted = self.order, self.order.descriptor
        names = neighbours.own_names(wanted.container)
        mine = neighbours.Candidate(wanted.name, names, wanted.mode, (order.user,), (wanted.port,), self.stack)
        why = neighbours.mode_objection(mine, around, self.deployed_mode, order.change_mode) or decision.why
        if not why and decision.step not in (NONE, PROVE):
            why = neighbours.objection(mine, around) or self._port_taken(around, found)
        why = why or self._objection(decision)
        if why:
            raise Refused(f"{why}. Nothing was touched.")

    def _port_taken(self, around: list[neighbours.Neighbour], found: Found) -> str:
        wanted = self.order.descriptor
        if found.there and any(wanted.port in each.ports for each in around if each.name == wanted.container):
            return ""
        listener = neighbours.listening(wanted.port)
        return listener and (
            f"gateway_port: on {wanted.port} of this host {listener} listens: choose another port, or stop that program"
        )

    # Acting

    def run(self, check: bool) -> Done:
        """Carry out the order; in check mode only predict it. Raises SessionError, EngineError, OSError."""
        control, order = self.control, self.order
        if check:
            return self._run(control.store.load(order.descriptor.mode), check=True)
        with control.acting("a deployment") as record:
            done = self._run(record, check=False)
            if done.needs:
                control.keep = PUSH_SECONDS if done.needs == "push" else 0.0
        if done.needs:
            return done
        if done.step in (NONE, PENDING) and order.start == ALWAYS:
            # Nothing has been changed yet, so there is nothing to undo, and others may act meanwhile.
            self._await_ready()
        elif not done.starts:
            self._look()
        return done

    def _run(self, record: Record, check: bool) -> Done:
        order = self.order
        around = neighbours.around(self.engine)
        found = self.found(record, around)
        decision = decide(found, order)
        self.refuse(around, found, decision)
        entries = self.entries()
        diff = self._account(check=True) + files.reconcile(entries, check=True)
        acts = decision.step not in (NONE, PENDING)
        here = self._ask_image(found, decision, check)
        done = Done(decision.step, decision.starts, bool(diff) or acts, diff, image=self.report)
        signs_in = order.live and decision.starts and decision.step != RESUME
        if check:
            return done
        # One that waits for the next sign-in is asked now, too: then it is too late to choose another.
        if not here and (decision.makes or decision.step == PENDING):
            return replace(done, needs="image")
        if signs_in and "push" not in self.settled:
            return replace(done, needs="push")
        self.containers.recover()
        backup = self.backup()
        try:
            self._account(check=False)
            files.reconcile(entries, check=False)
            if decision.makes:
                self._create(RUNNING if found.there or found.was_running else DOWN)
            if decision.step == REPLACE:
                self._sign_off()
        except BaseException:
            self.containers.discard(self.containers.new)
            backup.restore()
            raise
        if acts:
            self._go_on(record, decision, backup, found.there or found.was_running)
        return done

    def _account(self, check: bool) -> list[dict[str, str]]:
        """Reserve the uid of the container's processes."""
        try:
            return container_user.reserve(self.order.parameters["uid"], check)
        except container_user.TakenError as fault:
            raise Refused(f"{fault}. Nothing was touched.") from fault

    def _go_on(self, record: Record, decision: Decision, backup: Backup, ran: bool) -> None:
        """Continue with the old one down: from here on, a failure is undone."""
        grant = record.grant
        try:
            self._accept(decision)
            if decision.starts:
                self._begin(record, decision.step)
            elif decision.step == PROVE:
                self._prove(record)
        except (SessionError, EngineError, ChannelError, OSError) as error:
            now = self._put_back(record, backup, grant, ran and not self.order.live)
            raise SessionError(f"{error} {now}".strip()) from error
        self._finish(decision)

    def _create(self, replaces: str) -> None:
        request = dict(self.order.request)
        request["Labels"] = {
            **request["Labels"],
            REVISION_LABEL: self.order.descriptor.revision,
            REPLACES_LABEL: replaces,
        }
        new = self.containers.new
        self.engine.create(new, request)
        for network in self.engine.networks(f"{NETWORK_LABEL}={self.order.descriptor.name}"):
            self.engine.connect(network, new)

    def _put_back(self, record: Record, backup: Backup, grant: Grant | None, again: bool) -> str:
        """Undo the replacement; *again*: restart the old one under its *grant*. Returns the resulting state in
        words."""
        control = self.control
        if self.order.live and self._worth_its_push():
            self.containers.discard(self.containers.old)
            return ""
        with contextlib.suppress(EngineError):
            self._end(record)
        record.stopped_by = control.by
        if not self.containers.return_to_old():
            return "The gateway is down."
        self._restore(backup)
        control.store.note("put_back", f"the container before is put back by {control.by}", control.now())
        if not again:
            return "The container before is back, and down."
        self._begin_again(record, grant)
        return "The container before is back, and starting."


class Backup:
    """Files that a container is started with, as they were before a run wrote them; only root can access them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._states = {path: files.read(path) for path in paths}

    def text(self, path: str) -> str:
        """The saved text of one of them; empty if there was no such file."""
        return str(self._states[path].get("content", ""))

    def restore(self) -> None:
        """Restore them in the order of the paths."""
        for path, state in self._states.items():
            if state != files.read(path):
                files.write(path, state)

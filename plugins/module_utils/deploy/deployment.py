# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy one gateway's container, from the look to the verdict, under one lease.

The new container is created beside the old one as ``<container>.new`` before the old one is signed off. The old one is
kept as ``<container>.old`` until the new one is ready, and put back if that fails. An interrupted run leaves these
names behind; the next one continues from them (:func:`recover`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..agent import files, releases
from ..agent.api import verdicts
from ..agent.controller import controllers, milestones, password
from ..agent.controller.commands import ChannelError
from ..agent.engine import neighbours
from ..agent.engine.client import Engine, EngineError, NotFoundError
from ..agent.session import descriptor, lifecycle, policy
from ..agent.session.control import UNREQUESTED, Control, Refused
from ..agent.session.descriptor import Descriptor, DescriptorError
from ..agent.session.inspection import NETWORK_LABEL, REVISION_LABEL, Gateway
from ..agent.session.lifecycle import SessionError
from ..agent.session.store import Grant, Record
from ..agent.session.wait import wait_for
from ..host import container_user
from . import image, settings_files

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


@dataclass(frozen=True)
class Order:
    """The desired state of gateway ``descriptor.name``.

    ``request`` is what the engine is asked to create, ``parameters`` the options of :func:`.settings_files.entries`.
    ``start`` is ALWAYS, IF_RUNNING or NEVER; ``now``: a live gateway does not wait for its next sign-in; ``recreate``:
    replace the container even without a difference; ``asked``: this run names live gateways; ``change_mode``: the
    operator allows another mode. ``accept``: differences of the image to accept (:data:`.image.ACCEPTABLE`). Seconds:
    ``ready_seconds`` until the API is ready, ``stop_seconds`` until Docker stops what IBC does not.
    """

    descriptor: Descriptor
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


def controller_of(engine: Engine, name: str, image: str) -> str:
    """Return the name of gateway *name*'s controller with *image*. Raises EngineError.

    The image determines it. If the image is not on this host, no container is made from it, so the deployed controller
    counts.
    """
    try:
        return controllers.of_image(engine.image(image).get("Config") or {})
    except NotFoundError:
        pass
    try:
        return descriptor.load(name).controller
    except DescriptorError:
        return controllers.DEFAULT


class Ended(Exception):
    """A rule of the session refuses a start; *step* is the next step."""

    def __init__(self, step: policy.Step) -> None:
        self.step = step


@dataclass
class Done:
    """The result of a run, or its prediction while the control node has to meet ``needs`` first (``image``, ``push``;
    empty: none) and nothing is touched; and the image's report (None: not on this host)."""

    step: str
    starts: bool
    changed: bool
    diff: list[dict[str, str]]
    needs: str = ""
    image: image.Report | None = None


class Deployment:
    """Carry out one order; *settled* are the needs that the control node has met."""

    def __init__(self, order: Order, control: Control, settled: tuple[str, ...] = ()) -> None:
        self.order, self.control, self.engine, self.settled = order, control, control.engine, settled
        self.containers = Containers(control.engine, order.descriptor.container)
        descriptor.refuse_portal(order.descriptor.name)
        # The deployed descriptor has the port of the running command server; a damaged one is rewritten.
        try:
            self.deployed: Descriptor | None = descriptor.load(order.descriptor.name)
        except DescriptorError:
            self.deployed = None

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
            self.order.live and not there and self.control.kept(record),
        )

    def refuse(self, around: list[neighbours.Neighbour], found: Found, decision: Decision) -> None:
        """Raise Refused where another deployment on this host forbids the decision."""
        order, wanted = self.order, self.order.descriptor
        names = neighbours.own_names(wanted.container)
        mine = neighbours.Candidate(wanted.name, names, wanted.mode, (order.user,), (wanted.port,))
        mode = self.deployed.mode if self.deployed else ""
        why = neighbours.mode_objection(mine, around, mode, order.change_mode) or decision.why
        if not why and decision.step not in (NONE, PROVE):
            why = neighbours.objection(mine, around) or self._port_taken(around, found)
        if not why and decision.step == PENDING:
            why = self._other_controller()
        if why:
            raise Refused(f"{why}. Nothing was touched.")
        if order.live and decision.starts and decision.step != RESUME:
            self.control.refuse_closed_week()

    def _port_taken(self, around: list[neighbours.Neighbour], found: Found) -> str:
        wanted = self.order.descriptor
        if found.there and any(wanted.port in each.ports for each in around if each.name == wanted.container):
            return ""
        listener = neighbours.listening(wanted.port)
        return listener and (
            f"gateway_port: on {wanted.port} of this host {listener} listens: choose another port, or stop that program"
        )

    def _other_controller(self) -> str:
        """Return why a running live gateway cannot switch to this controller at its next sign-in: until then its log
        would be read by the wrong table."""
        wanted, there = self.order.descriptor, self.containers.look(self.containers.name)
        if there is None or controllers.controller_of(there["Config"]) == wanted.controller:
            return ""
        runs, meant = (
            controllers.by_name(each).title for each in (controllers.controller_of(there["Config"]), wanted.controller)
        )
        return (
            f"gateway_image: live gateway {wanted.name} runs with {runs}, and {wanted.image} has {meant}. Stop it "
            f"(ibgwctl stop {wanted.name}) and sign in again by playbooks/live_signin.yml, or with the phone at hand "
            "-e gateway_apply=now"
        )

    def _ask_image(self, found: Found, decision: Decision, check: bool) -> image.Report | None:
        """Inspect the image before trusting it; Refused if it is unsuitable.

        Its files are inspected when a container is made from it, but not in check mode, since that takes a container
        (never started). An existing container that is started now, or by the following sign-in, is refused only for its
        release; one that runs, or stays down, is never refused.
        """
        order, made = self.order, decision.makes
        environment = dict(each.partition("=")[::2] for each in order.request["Env"])
        wanted = image.Wanted(
            int(str(order.parameters["uid"])),
            environment,
            str(order.parameters["config"]),
            order.accept,
            self.engine.platform(),
            self.control.now(),
            order.descriptor.program,
        )
        place = self.containers.look_at if made and not check else None
        try:
            report = image.examine(self.engine, order.descriptor.image, wanted, place)
        except NotFoundError:
            return None
        refusals = report.refusals
        if not made and decision.step != PENDING:
            refusals = [each for each in refusals if each.startswith(releases.NOT_ACCEPTED)]
        signs_in_next = order.start == NEVER and not found.there
        if refusals and (decision.step not in (NONE, PROVE) or signs_in_next):
            raise Refused(
                f"gateway_image: {order.descriptor.image} is not what it must be ({'; '.join(refusals)}). Choose "
                "another digest; gateway_image_accept takes what is wanted so. Nothing was touched."
            )
        return report

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
            if not wait_for(control.gateway, verdicts.READY, order.ready_seconds):
                raise SessionError(not_ready(control.gateway))
        elif not done.starts:
            control.gateway.refresh()
        return done

    def _run(self, record: Record, check: bool) -> Done:
        order = self.order
        around = neighbours.around(self.engine)
        found = self.found(record, around)
        decision = decide(found, order)
        self.refuse(around, found, decision)
        entries = settings_files.entries({**order.parameters, "jts": None})
        diff = self._account(check=True) + files.reconcile(entries, check=True)
        acts = decision.step not in (NONE, PENDING)
        asked = self._ask_image(found, decision, check)
        done = Done(decision.step, decision.starts, bool(diff) or acts, diff, image=asked)
        signs_in = order.live and decision.starts and decision.step != RESUME
        if check:
            return done
        # One that waits for the next sign-in is asked now, too: then it is too late to choose another.
        if asked is None and (decision.makes or decision.step == PENDING):
            return replace(done, needs="image")
        if signs_in and "push" not in self.settled:
            return replace(done, needs="push")
        self.containers.recover()
        backup = Backup(order.parameters)
        try:
            self._account(check=False)
            files.reconcile(entries, check=False)
            if decision.makes:
                self._create(RUNNING if found.there or found.was_running else DOWN)
            if decision.step == REPLACE:
                self._sign_off(self.deployed or order.descriptor)
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
            if decision.makes or decision.starts:
                self._hold_jts(self.order.parameters["jts"])
            if decision.makes:
                self.containers.accept()
            if decision.step == RESUME:
                self.control.resume_kept(record, self.order.ready_seconds)
            elif decision.starts:
                self._start(record)
                self._prove(record)
            elif decision.step == PROVE:
                self._prove(record)
        except (SessionError, EngineError, ChannelError, OSError) as error:
            now = self._put_back(record, backup, grant, ran and not self.order.live)
            raise SessionError(f"{error} {now}".strip()) from error
        self.containers.discard(self.containers.old)
        if decision.makes:
            password.leave_disk(self.order.descriptor.name)

    def _create(self, replaces: str) -> None:
        request = dict(self.order.request)
        request["Labels"] = {
            **request["Labels"],
            REVISION_LABEL: self.order.descriptor.revision,
            REPLACES_LABEL: replaces,
        }
        new = self.containers.new
        password.make_place(self.order.descriptor.name, int(self.order.parameters["uid"]))
        self.engine.create(new, request)
        for network in self.engine.networks(f"{NETWORK_LABEL}={self.order.descriptor.name}"):
            self.engine.connect(network, new)

    def _sign_off(self, deployed: Descriptor) -> None:
        gateway = Gateway(deployed.endpoint(), deployed, self.engine)
        outcome = lifecycle.stop(gateway, self.engine, self.order.stop_seconds, check=False)
        if outcome.changed:
            text = f"stopped by {self.control.by} ({', '.join(outcome.actions)})"
            self.control.store.note("stop", text, self.control.now())

    def _hold_jts(self, text: str) -> None:
        if text:
            entries = settings_files.entries({**self.order.parameters, "jts": text})
            files.reconcile([each for each in entries if each.path.endswith("/jts.ini")], check=False)

    def _start(self, record: Record) -> None:
        self.control.begin(record, self.control.grant(None))
        self.control.store.note("start", f"started by {self.control.by}", self.control.now())

    def _prove(self, record: Record) -> None:
        """Wait until the API is ready; a session rule, or a signed-in live gateway, ends the wait early."""
        control = self.control

        def look() -> None:
            lifecycle.enable_api(control.gateway, self.engine)
            policy.observe(record, policy.seen(control.gateway, asked=False), control.plan, control.now())
            step = policy.decide(record, policy.seen(control.gateway, asked=False), control.plan, control.now())
            if step and step.action in ("stop", "kill"):
                raise Ended(step)

        try:
            ready = wait_for(control.gateway, verdicts.READY, self.order.ready_seconds, tell=look)
        except Ended as ended:
            if ended.step.action == "kill":
                self.engine.kill(self.containers.name)
            if ended.step.cause:
                record.blocked = ended.step.cause
                control.store.note("blocked", ended.step.why, control.now(), cause=ended.step.cause)
            raise SessionError(not_ready(control.gateway)) from ended
        if not ready:
            raise SessionError(not_ready(control.gateway))

    def _put_back(self, record: Record, backup: Backup, grant: Grant | None, again: bool) -> str:
        """Undo the replacement; *again*: restart the old one under its *grant*. Returns the resulting state in
        words."""
        control = self.control
        if self.order.live and self._worth_its_push():
            self.containers.discard(self.containers.old)
            return ""
        with contextlib.suppress(EngineError):
            control.end(record, self.order.stop_seconds)
        record.stopped_by = control.by
        if not self.containers.return_to_old():
            return "The gateway is down."
        self._hold_jts(backup.restore())
        control.store.note("put_back", f"the container before is put back by {control.by}", control.now())
        if not again:
            return "The container before is back, and down."
        control.allow(record, grant)
        self.engine.start(self.containers.name)
        return "The container before is back, and starting."

    def _worth_its_push(self) -> bool:
        """Signed in to live, with trouble behind the API: that does not justify wasting the approved push."""
        gateway = self.control.gateway
        signed_in = gateway.summary.phase in (milestones.SIGNED_IN, milestones.CONFIGURED)
        return signed_in and gateway.judgement().state == verdicts.DEGRADED


def not_ready(gateway: Gateway) -> str:
    judgement = gateway.judgement()
    return (
        f"gateway {gateway.deployed().name} is not ready but {judgement.state}: {judgement.reason}. Next step: "
        f"{judgement.next_step}"
    )


class Backup:
    """The files that a container is started with, as they were before a run wrote them; only root can access them."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        place = f"{parameters['config_dir']}/{parameters['gateway_name']}"
        self._paths = [f"{place}/{each}" for each in ("jts.keys", "ibc/config.ini.tmpl", "password")]
        self._paths += [f"{place}/{each}" for each in settings_files.DESKTOP_SCRIPTS]
        self._paths.append(f"{place}/gateway.json")
        self._states = {path: files.read(path) for path in self._paths}

    def restore(self) -> str:
        """Restore them, the descriptor last; return the saved keys of jts.ini."""
        for path, state in self._states.items():
            if state != files.read(path):
                files.write(path, state)
        return str(self._states[self._paths[0]].get("content", ""))

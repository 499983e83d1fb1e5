# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment of an IB Gateway or TWS: its image is inspected, its controller signs it off, the rules of its session
hold."""

from __future__ import annotations

from typing import Any

from ..agent import files, playbooks, releases
from ..agent.api import verdicts
from ..agent.controller import controllers, milestones, password
from ..agent.engine import neighbours
from ..agent.engine.client import Engine, NotFoundError
from ..agent.session import descriptor, lifecycle, policy
from ..agent.session.control import Control, Refused
from ..agent.session.descriptor import Descriptor, DescriptorError
from ..agent.session.inspection import Gateway
from ..agent.session.lifecycle import SessionError
from ..agent.session.store import Grant, Record
from ..agent.session.wait import wait_for
from . import image, settings_files
from .deployment import NEVER, NONE, PENDING, PROVE, RESUME, Backup, Decision, Deployment, Found, Order


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


class GatewayDeployment(Deployment):
    """Carry out one order for the gateway of *control*."""

    stack = neighbours.TWS
    control: Control

    def __init__(self, order: Order, control: Control, settled: tuple[str, ...] = ()) -> None:
        super().__init__(order, control, settled)
        descriptor.refuse_portal(control.descriptor.name)
        # The deployed descriptor has the port of the running command server; a damaged one is rewritten.
        try:
            self.deployed: Descriptor | None = descriptor.load(control.descriptor.name)
            self.deployed_mode = self.deployed.mode
        except DescriptorError:
            self.deployed = None

    @property
    def _place(self) -> str:
        return f"{self.order.parameters['config_dir']}/{self.order.parameters['gateway_name']}"

    def entries(self, jts: str | None = None) -> list[files.Entry]:
        return settings_files.entries({**self.order.parameters, "jts": jts})

    def backup(self) -> Backup:
        names = ("jts.keys", "ibc/config.ini.tmpl", "password", *settings_files.DESKTOP_SCRIPTS, descriptor.FILE)
        return Backup(f"{self._place}/{each}" for each in names)

    def _kept(self, record: Record) -> bool:
        return self.control.kept(record)

    def _objection(self, decision: Decision) -> str:
        if decision.step == PENDING:
            return self._other_controller()
        if self.order.live and decision.starts and decision.step != RESUME:
            self.control.refuse_closed_week()
        return ""

    def _other_controller(self) -> str:
        """Return why a running live gateway cannot switch to this controller at its next sign-in: until then its log
        would be read by the wrong table."""
        wanted, there = self.control.descriptor, self.containers.look(self.containers.name)
        if there is None or controllers.controller_of(there["Config"]) == wanted.controller:
            return ""
        runs, meant = (
            controllers.by_name(each).title for each in (controllers.controller_of(there["Config"]), wanted.controller)
        )
        return (
            f"gateway_image: live gateway {wanted.name} runs with {runs}, and {wanted.image} has {meant}. Stop it "
            f"(ibgwctl stop {wanted.name}) and sign in again by {playbooks.LIVE_SIGNIN}, or with the phone at hand "
            "-e gateway_apply=now"
        )

    def _ask_image(self, found: Found, decision: Decision, check: bool) -> bool:
        """Inspect the image before trusting it; False where this host does not have it, Refused if it is unsuitable.

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
            self.control.descriptor.program,
        )
        place = self.containers.look_at if made and not check else None
        try:
            self.report = image.examine(self.engine, self.control.descriptor.image, wanted, place)
        except NotFoundError:
            return False
        refusals = self.report.refusals
        if not made and decision.step != PENDING:
            refusals = [each for each in refusals if each.startswith(releases.NOT_ACCEPTED)]
        signs_in_next = order.start == NEVER and not found.there
        if refusals and (decision.step not in (NONE, PROVE) or signs_in_next):
            raise Refused(
                f"gateway_image: {self.control.descriptor.image} is not what it must be ({'; '.join(refusals)}). "
                "Choose another digest; gateway_image_accept takes what is wanted so. Nothing was touched."
            )
        return True

    def _create(self, replaces: str) -> None:
        password.make_place(self.control.descriptor.name, int(self.order.parameters["uid"]))
        super()._create(replaces)

    def _sign_off(self) -> None:
        deployed = self.deployed or self.control.descriptor
        gateway = Gateway(deployed.endpoint(), deployed, self.engine)
        outcome = lifecycle.stop(gateway, self.engine, self.order.stop_seconds, check=False)
        if outcome.changed:
            text = f"stopped by {self.control.by} ({', '.join(outcome.actions)})"
            self.control.store.note("stop", text, self.control.now())

    def _accept(self, decision: Decision) -> None:
        if decision.makes or decision.starts:
            self._hold_jts(self.order.parameters["jts"])
        super()._accept(decision)

    def _hold_jts(self, text: str) -> None:
        if text:
            files.reconcile([each for each in self.entries(text) if each.path.endswith("/jts.ini")], check=False)

    def _begin(self, record: Record, step: str) -> None:
        if step == RESUME:
            self.control.resume_kept(record, self.order.ready_seconds)
            return
        self.control.begin(record, self.control.grant(None))
        self.control.store.note("start", f"started by {self.control.by}", self.control.now())
        self._prove(record)

    def _prove(self, record: Record) -> None:
        """Wait until the API is ready; a session rule, or a signed-in live gateway, ends the wait early."""
        control = self.control

        def look() -> None:
            lifecycle.enable_api(control.gateway, self.engine)
            seen = control.observe(record, asked=False)
            step = policy.decide(record, seen, control.plan, control.now())
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
            raise SessionError(self._not_ready()) from ended
        if not ready:
            raise SessionError(self._not_ready())

    def _finish(self, decision: Decision) -> None:
        super()._finish(decision)
        if decision.makes:
            password.leave_disk(self.control.descriptor.name)

    def _end(self, record: Record) -> None:
        self.control.end(record, self.order.stop_seconds)

    def _restore(self, backup: Backup) -> None:
        backup.restore()
        self._hold_jts(backup.text(f"{self._place}/jts.keys"))

    def _begin_again(self, record: Record, grant: Grant | None) -> None:
        self.control.allow(record, grant)
        self.engine.start(self.containers.name)

    def _worth_its_push(self) -> bool:
        gateway = self.control.gateway
        signed_in = gateway.summary.phase in (milestones.SIGNED_IN, milestones.CONFIGURED)
        return signed_in and gateway.judgement().state == verdicts.DEGRADED

    def _await_ready(self) -> None:
        if not wait_for(self.control.gateway, verdicts.READY, self.order.ready_seconds):
            raise SessionError(self._not_ready())

    def _look(self) -> None:
        self.control.gateway.refresh()

    def facts(self, check: bool) -> dict[str, Any]:
        if check:
            self.control.gateway.look(ask=False)
        return self.control.gateway.report()

    def _not_ready(self) -> str:
        judgement = self.control.gateway.judgement()
        return (
            f"gateway {self.control.descriptor.name} is not ready but {judgement.state}: {judgement.reason}. "
            f"Next step: {judgement.next_step}"
        )

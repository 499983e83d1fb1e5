# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ibgwctl``: the session of a gateway, on its host and from a shell. Role `session` installs it.

Exit status: 0 done (status, wait-ready: the gateway is ready); 1 condition not met, or failed; 2 wrong usage; 3 a
person is needed (the reason is printed); 4 somebody else acts on this gateway; 5 refused by a rule, nothing was
touched.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .. import playbooks, releases
from ..api import verdicts
from ..controller import password
from ..controller.commands import ChannelError
from ..engine.client import EngineError
from ..portal import place
from . import alerts, descriptor, lifecycle, plan, policy, spool, watching
from .channel_kinds import Alert
from .control import Control, Refused
from .lease import BusyError
from .lifecycle import SessionError
from .managed import Managed

if TYPE_CHECKING:
    import argparse

DONE, NOT_SO, USAGE, NEEDS_PERSON, BUSY, REFUSED = range(6)
# Events that a sign-in leaves in the history, and its last one.
SIGN_IN_STEP, ENDED, FAILED = "sign_in_step", "ended", "failed"
Result = dict[str, Any]
Say = Callable[[str, str], None]


def status(control: Managed, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    """Look at the gateway now; nothing is changed."""
    record = control.store.load(control.descriptor.mode)
    before = copy.copy(record)
    late = policy.late_seconds(record, control.plan, control.now())
    control.glance(record)
    if options.plan_fault:
        policy.unreadable(record, options.plan_fault, before, control.now())
    codes = {verdicts.READY: DONE, verdicts.BLOCKED: NEEDS_PERSON}
    more = {
        "watcher": watching.fault(watching.unit(control.descriptor.name), late),
        "release": control.gateway.release(control.now())._asdict(),
    }
    shown = policy.shown(record, control.plan, control.now(), control.descriptor.weekly)
    return codes.get(record.state, NOT_SO), shown | more


def start(control: Control, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    outcome = control.start(options.allow_signin, options.minutes)
    return DONE, dataclasses.asdict(outcome)


def stop(control: Managed, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, dataclasses.asdict(control.stop(options.timeout or 60.0))


def restart(control: Control, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, dataclasses.asdict(control.restart(options.timeout or 300.0))


def pause(control: Control, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, dataclasses.asdict(control.pause(options.timeout or 180.0))


def resume(control: Control, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, dataclasses.asdict(control.resume(options.timeout or 300.0))


def wait_ready(control: Managed, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    ready, final, report = control.await_ready(options.timeout or 180.0)
    code = DONE if ready else NEEDS_PERSON if final else NOT_SO
    return code, {name: report[name] for name in ("state", "api_state", "reason", "next_step", "accounts")}


def skip(control: Control, _options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, {"actions": [control.skip()]}


def later(control: Control, _options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, {"actions": [control.later()]}


def sign_in(control: Control, options: argparse.Namespace, say: Say) -> tuple[int, Result]:
    """Sign in; the steps also go to the history, where a remote caller follows them.

    With ``--by`` nobody is at this command: how it ended is an alert.

    A password that no Secret Manager has was handed over by the control node, or is asked for.
    """
    name = control.descriptor.name
    control.password = password.take(name)
    if options.password_stdin:
        control.password = sys.stdin.readline().rstrip("\n")
    elif control.password is None and not control.descriptor.password_secret and sys.stdin.isatty():
        import getpass

        control.password = getpass.getpass(f"IBKR password of gateway {name}: ")

    def tell(step: str, text: str) -> None:
        control.store.note(SIGN_IN_STEP, text, control.now(), step=step)
        say(step, text)

    try:
        record = control.sign_in(tell, options.force)
    except Exception as error:
        control.store.note(SIGN_IN_STEP, str(error), control.now(), step=FAILED)
        raise
    control.store.note(SIGN_IN_STEP, "", control.now(), step=ENDED)
    return DONE, policy.shown(record, control.plan, control.now())


def history(control: Managed, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    return DONE, {"events": control.store.history(last=options.last)}


def alert_test(control: Managed, _options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    """Send a test through every channel, regardless of its severities, and print each answer."""
    name, host, now = control.descriptor.name, control.plan.host, control.now()
    channels = alerts.load(alerts.path(name)) if os.path.exists(alerts.path(name)) else []
    if not channels:
        raise SessionError(f"gateway {name} has no channel for alerts: set session_alerts and run {playbooks.SITE}")
    title = " on ".join(filter(None, (name, host))) + ": a test of this channel"
    text, step = f"Sent by {operator()}. The gateway's alerts come here.", "Nothing is to be done."
    test = Alert(f"test/{now:.0f}", name, host, "info", title, text, step, now)
    answers = alerts.attempt_all(channels, test, alerts.TEST_SECONDS)
    found = [
        {"channel": called, "delivered": answer.delivered, "answer": answer.said}
        for called, answer in zip(alerts.names_of(channels), answers, strict=True)
    ]
    failed = [each["channel"] for each in found if not each["delivered"]]
    said = f"not delivered by {', '.join(map(str, failed))}" if failed else f"all {len(found)} channels took it"
    control.store.note("alert_test", said, now, by=operator())
    return NOT_SO if failed else DONE, {"channels": found}


def support_bundle(control: Managed, options: argparse.Namespace, _say: Say) -> tuple[int, Result]:
    """Collect what a maintainer would ask for, redacted, in one file; nothing else is changed."""
    from . import bundle  # only here: it loads much

    now = time.time()
    path = os.path.abspath(options.output or bundle.default_path(control.descriptor.name, now))
    content = bundle.make(control, now)
    try:
        bundle.write(path, content)
    except OSError as error:
        raise SessionError(f"{path} cannot be written: {error.strerror}; name a new file by --output") from error
    return DONE, {"file": path, "bytes": len(content)}


# For a gateway of either API, and with a damaged plan.
OF_EVERY: dict[str, tuple[Callable[[Managed, argparse.Namespace, Say], tuple[int, Result]], str]] = {
    "status": (status, "what the gateway does, and until when"),
    "wait-ready": (wait_ready, "wait until the API is ready"),
    "history": (history, "what happened"),
    "alert-test": (alert_test, "send a test through every channel of alerts"),
    "support-bundle": (support_bundle, "collect what a maintainer asks for, redacted, in one file"),
    "stop": (stop, "stop, and stay stopped; an IB Gateway signs off at IBKR first"),
}
# For a Client Portal Gateway there is something else (portal/instead.py).
OF_IB_GATEWAY: dict[str, tuple[Callable[[Control, argparse.Namespace, Say], tuple[int, Result]], str]] = {
    "start": (start, "start a paper gateway (live: see sign-in)"),
    "restart": (restart, "restart by IBC, which keeps the sign-in"),
    "sign-in": (sign_in, "sign a live gateway in: somebody approves a push"),
    "skip": (skip, "leave the next sign-in by appointment out"),
    "later": (later, "put the next sign-in by appointment off by an hour, or be reminded then"),
    "pause": (pause, "stop a live gateway and keep its sign-in (experimental)"),
    "resume": (resume, "start a paused gateway on the kept sign-in (experimental)"),
}


def parser() -> argparse.ArgumentParser:
    import argparse

    top = argparse.ArgumentParser("ibgwctl", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Why the plan cannot be read, if it cannot, and the host that it names; and of the units' commands, which have no
    # --json.
    top.set_defaults(plan_fault="", host="", json=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_function, help_text) in (OF_EVERY | OF_IB_GATEWAY).items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("name", help="the gateway", nargs="?")
        # A run of Ansible that continues through this command, under its lease.
        command.add_argument("--owner", help=argparse.SUPPRESS)
        # The remote requester, and the end of the sign-in.
        command.add_argument("--by", default="", help=argparse.SUPPRESS)
        command.add_argument("--until", type=float, default=math.inf, help=argparse.SUPPRESS)
        command.add_argument("--json", action="store_true", help="print JSON; sign-in: an object a line")
        if name in ("stop", "restart", "wait-ready", "pause", "resume"):
            command.add_argument("--timeout", type=float, help="seconds")
        if name == "start":
            command.add_argument("--allow-signin", action="store_true", help="live: the phone is at hand")
            command.add_argument("--minutes", type=float, help="stop it after so many minutes")
        if name == "sign-in":
            command.add_argument("--force", action="store_true", help="sign in again though it is ready")
            command.add_argument(
                "--password-stdin", action="store_true", help="read the password from standard input, one line"
            )
        if name == "history":
            command.add_argument("--last", type=int, default=50, help="so many events (default: 50)")
        if name == "support-bundle":
            command.add_argument("--output", metavar="FILE", help="a new file (default: one in this directory)")
    commands.add_parser("watch", help="watch a gateway until stopped; systemd runs it").add_argument("name")
    commands.add_parser("answers", help="listen to answers until stopped; systemd runs it").add_argument("name")
    return top


def operator() -> str:
    """Return this command's user, to be shown to others who are refused meanwhile."""
    who = os.environ.get("SUDO_USER") or os.environ.get("USER") or f"user {os.getuid()}"
    return f"{who} (ibgwctl, process {os.getpid()})"


def named(name: str | None) -> str:
    """Return the gateway's name; optional where this host has only one."""
    here = descriptor.all_deployed()
    if name or len(here) == 1:
        return name or here[0]
    raise descriptor.DescriptorError(f"name one of the gateways of this host: {', '.join(here) or 'there is none'}")


def parsed(arguments: list[str]) -> Any:
    """Parse a command. Those of the units, which keep what they load, do without argparse and its 1.5 MiB."""
    match arguments:
        case ["watch" | "answers" as command, name] if not name.startswith("-"):
            return types.SimpleNamespace(command=command, name=name, json=False, plan_fault="", host="")
    return parser().parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; return the exit status."""
    options = parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        if options.command == "watch":
            from .watcher import watch  # only here: what sends alerts

            watch(options.name)
        if options.command == "answers":
            from ..answers.service import serve  # only here: what listens

            descriptor.refuse_portal(options.name, options.command)
            serve(options.name, plan.load(options.name))
        name = named(options.name)
        wanted, options.plan_fault = plan.load_or_default(name)
        options.host = wanted.host
        if options.command in OF_IB_GATEWAY:
            descriptor.refuse_portal(name, options.command)
        if options.plan_fault and options.command not in OF_EVERY:
            raise descriptor.DescriptorError(options.plan_fault)
        code, result = carry_out(managed(name, wanted, options), options)
        if options.plan_fault:
            result["plan_fault"] = options.plan_fault
    except (descriptor.DescriptorError, alerts.ChannelsError) as error:
        code, result = code_of(error), {"error": str(error)}
    print_result(options, result)
    return code


def managed(name: str, wanted: plan.Plan, options: argparse.Namespace) -> Managed:
    """Return gateway *name*, whatever its API; raises DescriptorError."""
    owner = options.owner or options.by or operator()
    if not place.is_here(name):
        return Control(descriptor.load(name), wanted, owner=owner, until=options.until)
    from ..portal.control import PortalControl  # only there: TLS, and a websocket

    try:
        return PortalControl(name, wanted, owner)
    except (OSError, ValueError) as error:
        raise descriptor.DescriptorError(str(error)) from error


def carry_out(control: Managed, options: argparse.Namespace) -> tuple[int, Result]:
    """Carry a command out; how one ended that somebody has asked for from afar is an alert."""
    try:
        code, result = act(control, options)
    except (SessionError, BusyError, ChannelError, EngineError, alerts.ChannelsError) as error:
        code, result = code_of(error), {"error": str(error)}
    # That a gateway is blocked is an alert by itself.
    if options.by and code != NEEDS_PERSON:
        tell(control, options, result)
    return code, result


def act(control: Managed, options: argparse.Namespace) -> tuple[int, Result]:
    say = teller(options)
    if isinstance(control, Control) and options.command in OF_IB_GATEWAY:
        return OF_IB_GATEWAY[options.command][0](control, options, say)
    return OF_EVERY[options.command][0](control, options, say)


def tell(control: Managed, options: argparse.Namespace, result: Result) -> None:
    name, host, now = control.descriptor.name, control.plan.host, control.now()
    what = f"{options.command} failed" if "error" in result else f"{options.command} is done"
    title = f"{name} on {host}: {what}" if host else f"{name}: {what}"
    done = ", ".join(result.get("actions", ()))
    until = result.get("valid_until_new_york")
    text = result.get("error") or (f"Valid until {until} New York time" if until else done)
    severity, step = ("warning", policy.SIGN_IN_STEP) if "error" in result else ("info", "")
    key = f"{options.command}/{now:.0f}"
    text = f"{text}. It was asked for by {options.by}."
    spool.drop(control.store.directory, Alert(key, name, host, severity, title, text, step, now))


def code_of(error: Exception) -> int:
    if isinstance(error, Refused | descriptor.OtherStackError):
        return REFUSED
    if isinstance(error, BusyError):
        return BUSY
    return NEEDS_PERSON if isinstance(error, lifecycle.BlockedError) else NOT_SO


def teller(options: argparse.Namespace) -> Say:
    """Return a function that prints a sign-in's steps as they happen."""

    def say(step: str, text: str) -> None:
        write(options, json.dumps({"step": step, "text": text}) if options.json else text)

    return say


def write(options: argparse.Namespace, line: str) -> None:
    sys.stdout.write(playbooks.on_host(line, options.host) + "\n")
    sys.stdout.flush()


def print_result(options: argparse.Namespace, result: Result) -> None:
    if "error" in result and not options.json:
        sys.stderr.write(f"ibgwctl: {playbooks.on_host(result['error'], options.host)}\n")
        return
    for line in [json.dumps(result)] if options.json else _lines(options, result):
        write(options, line)


def _lines(options: argparse.Namespace, result: Result) -> Iterator[str]:
    """Yield *result* for a person."""
    if "events" in result:
        for event in result["events"]:
            yield f"{policy.moment(event['at']):%Y-%m-%d %H:%M:%S} UTC  {event['event']:<12} {event['text']}"
    elif "file" in result:
        yield f"{result['file']} ({result['bytes'] / 1024:.0f} KiB): look through it before you send it to anybody"
    elif "channels" in result:
        for each in result["channels"]:
            yield f"{each['channel']:<16} {'ok' if each['delivered'] else 'FAILED':<6}  {each['answer']}"
    elif "state" in result:
        yield f"{result.get('gateway') or options.name}: {result['state']}: {result['reason']}"
        if result.get("valid_until_new_york"):
            yield f"valid until {result['valid_until_new_york']} New York time"
        if result.get("signs_in_at"):
            yield f"signs in by appointment on {result['signs_in_at']}"
        ends = result.get("release")
        if ends and ends["severity"] != releases.OK:
            yield ends["text"]
        fault = result.get("plan_fault")
        yield from filter(
            None, (result["next_step"], result.get("watcher"), fault if fault != result["reason"] else "")
        )
    else:
        yield ", ".join(result["actions"]) or "nothing to do"

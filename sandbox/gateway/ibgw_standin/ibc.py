# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the 'JVM': IBC starts the gateway, signs it in, sets it up, serves commands, ends with an exit code.

``ibcstart.sh`` of the image runs this module in its loop, under the name java, with CONFIG_INI SETTINGS_DIRECTORY
SESSION_ID [RESTART_DIRECTORY]. What outlives one run is in :mod:`ibgw_standin.memory` and :mod:`ibgw_standin.tokens`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import faults, jts, options, schedule, settings
from .command_server import CommandServer
from .commands import gateway_commands
from .control import DEFAULT_SOCKET, Command, ControlServer, Reply
from .gateway import PORTS, Faults, Gateway
from .login import Login
from .memory import Memory
from .server import ApiServer
from .tokens import SettingsDirectory

VERSION = "3.24.1"
UNHANDLED, INTERNAL_STATE = 1100, 1110
"""IBC's exit codes; the shell sees them modulo 256."""

CLOSE_SECONDS = RECONNECT_SECONDS = 0.2
"""How long File > Close takes, and Ctrl-Alt-F or -R."""


def log(message: str) -> None:
    """Write a line as IBC does: local time with milliseconds, ``IBC:``, the message."""
    now = datetime.now()
    print(f"{now:%Y-%m-%d %H:%M:%S}:{now.microsecond // 1000:03d} IBC: {message}", flush=True)


def log_error(code: int, *lines: str) -> None:
    """Write an error between lines of 79 exclamation marks, and the exit code that follows from it."""
    frame = "!" * 79
    print(frame, flush=True)
    for line in lines:
        log(line)
    print(frame, flush=True)
    log(f"Exiting after error with exit code={code}")


class Ibc:
    """IBC and the gateway in one process."""

    def __init__(self, config: settings.Settings, ini: jts.JtsIni, ini_path: Path, directory: SettingsDirectory,
                 opts: options.Options, memory: Memory) -> None:  # fmt: skip
        self.config = config
        self.options = opts
        self.directory = directory
        self.memory = memory
        self.mode = config.text("TradingMode")
        self.gateway = Gateway(
            self.mode,
            accounts=opts.accounts,
            max_version=opts.max_version,
            time_zone=ini.time_zone,
            read_only=config.flag("ReadOnlyApi"),
            active=memory.faults,
            walks_login=True,
        )
        self.gateway.dialog_shown = memory.counts.get("dialog_shown", 0)
        self.login = Login(self)
        self._ini, self._ini_path = ini, ini_path
        self._zone = schedule.zone(ini.time_zone)
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stopping = False
        self._restart = ""
        self._restart_at: datetime | None = None
        self._rescheduled = asyncio.Event()
        self._logged_in = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        port = config.number("OverrideTwsApiPort") or PORTS[self.mode]
        self.server = ApiServer(self.gateway, "127.0.0.1", port)
        self.gateway.on_change.append(self._faults_changed)

    log = staticmethod(log)

    @property
    def user(self) -> str:
        """The user that config.ini names."""
        return self.config.text("IbLoginId")

    async def run(self, socket_path: str, restart_directory: str) -> int:
        """Live one life; return IBC's exit code."""
        self.memory.count("starts")
        control = ControlServer(socket_path, gateway_commands(self.gateway, self.server) | self._commands())
        await control.start()
        self.spawn(self._command_server)
        self.spawn(lambda: self._session(restart_directory))
        code = await self._ended
        self.memory.counts["dialog_shown"] = self.gateway.dialog_shown
        self.memory.save()
        control.close()
        return code

    def spawn(self, work: Callable[[], Any]) -> None:
        """Run a coroutine beside the others; an error in it ends the JVM as an unhandled exception does."""

        async def guarded() -> None:
            try:
                await work()
            except (OSError, ValueError, KeyError) as error:
                log_error(UNHANDLED, f"{type(error).__name__}: {error}")
                self.exit(UNHANDLED)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def exit(self, code: int) -> None:
        """End the JVM."""
        if not self._ended.done():
            self._ended.set_result(code)

    def fail(self, code: int, message: str) -> None:
        """End the JVM with an error in the log."""
        log_error(code, message)
        self.exit(code)

    def cold_restart(self) -> None:
        """End so that ibcstart begins anew, with a full login."""
        log("Cold restart in progress")
        self.memory.count("cold_restarts")
        self.directory.flag("COLDRESTART")
        self.exit(0)

    async def _session(self, restart_directory: str) -> None:
        await self.login.run(restart_directory)
        self.memory.count("logins")
        jts.write(self._ini_path, jts.own(self._ini, self.mode))
        self.directory.login_directory(self.user)
        log("Login has completed")
        paper = self.mode == "paper"
        self.gateway.update(logged_in=True, disclaimer_open=paper)
        self._logged_in.set()
        self._configure()
        if paper:
            await self._accept_disclaimer()
        log("Configuration tasks completed")
        await self._follow_clock()

    def _configure(self) -> None:
        restart, logoff = self.config.text("AutoRestartTime"), self.config.text("AutoLogoffTime")
        if restart:
            log(f"Auto restart time set to {restart}")
            self.gateway.restart_time = restart
        elif logoff:
            log(f"Auto logoff time set to {logoff}")
            self.gateway.restart_time = logoff
        if self.config.text("ReadOnlyApi"):
            log(f"Read-Only API checkbox is now set to: {str(self.config.flag('ReadOnlyApi')).lower()}")

    async def _accept_disclaimer(self) -> None:
        log("detected dialog entitled: Warning; event=Opened")
        if self.config.flag("AcceptNonBrokerageAccountWarning"):
            await asyncio.sleep(self.options.disclaimer_seconds)
            log("Click button: I understand and accept")
            self.gateway.update(disclaimer_open=False)

    # --- the clock -------------------------------------------------------------------------------------------------

    def _next_event(self) -> schedule.Event | None:
        """Return when the session ends by itself or by command, and how."""
        if self._restart_at is not None:
            return self._restart_at, self._restart
        now = datetime.now(UTC)
        return schedule.next_event(self.config.text, self._zone, schedule.local_zone(), now)

    async def _follow_clock(self) -> None:
        here, now = schedule.local_zone(), datetime.now(UTC)
        if cold := self.config.text("ColdRestartTime"):
            at = schedule.next_time(cold, here, now, schedule.SUNDAY)
            log(f"Gateway will be cold restarted at {at:%Y/%m/%d %H:%M}")
        if down := self.config.text("ClosedownAt"):
            log(f"Gateway will be shut down at {schedule.closedown(down, here, now):%Y/%m/%d %H:%M}")
        while True:
            self._rescheduled.clear()
            event = self._next_event()
            # in steps, because a clock that is set does not wake a sleeper
            left = min((event[0] - datetime.now(UTC)).total_seconds(), 60.0) if event else 3600.0
            try:
                await asyncio.wait_for(self._rescheduled.wait(), max(left, 0.0))
            except TimeoutError:
                if event and event[0] <= datetime.now(UTC):
                    return self._happen(event[1])

    def _happen(self, event: str) -> None:
        match event:
            case "RESTART" | "PAUSE":
                self.directory.write_token(self.user)
                if event == "PAUSE":
                    self.directory.flag("PAUSE")
                self.exit(0)
            case "COLD":
                self.cold_restart()
            case _:
                self.exit(0)

    # --- the command server ----------------------------------------------------------------------------------------

    async def _command_server(self) -> None:
        port = self.config.number("CommandServerPort")
        if not port:
            return
        allowed = [name.strip() for name in self.config.text("ControlFrom").split(",") if name.strip()]
        prompt, info = self.config.text("CommandPrompt"), not self.config.flag("SuppressInfoMessages")
        server = CommandServer(self, port, self.config.text("BindAddress"), allowed, prompt, info)
        try:
            await server.start()
        except OSError as error:
            log(f"CommandServer failed to create socket: {error.strerror}")

    def stop(self) -> bool:
        """STOP: close the gateway if it is signed in, else end at once."""
        if self._stopping:
            return False
        self._stopping = True
        if self.gateway.logged_in:
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.exit, 0)
        else:
            log("Login has not completed: exiting immediately")
            asyncio.get_running_loop().call_later(0.02, self.exit, 0)  # the reply leaves first
        return True

    def begin_restart(self, pause: bool) -> bool:
        """RESTART or PAUSE: once in the life of a JVM."""
        if self._restart:
            return False
        self._restart = "PAUSE" if pause else "RESTART"
        return True

    async def restart_time(self) -> str:
        """Set the gateway's restart to the next full minute of *our* clock, which it reads in *its* zone."""
        await self._logged_in.wait()
        now = datetime.now(UTC)
        text = schedule.next_minute(schedule.local_zone(), now)
        at = schedule.next_time(text, self._zone, now)
        short = self.options.restart_seconds
        if short is not None and at - now < timedelta(minutes=2):
            at = now + timedelta(seconds=short)
        self._restart_at = at
        log(f"Auto restart time set to {text}")
        self._rescheduled.set()
        return text

    def reconnect(self) -> None:
        """RECONNECTDATA and RECONNECTACCOUNT: the link goes and comes."""
        self.gateway.interrupt_link(RECONNECT_SECONDS)

    # --- the control socket ----------------------------------------------------------------------------------------

    def _commands(self) -> dict[str, Command]:
        base = gateway_commands(self.gateway, self.server)

        def status(request: Mapping[str, Any]) -> Reply:
            more = {"login_state": self.login.state, "restart_pending": self._restart} | self.memory.counts
            counts = dict.fromkeys(("starts", "logins", "pushes", "cold_restarts"), 0)
            return counts | base["status"](request) | more | {"dialog_shown": self.gateway.dialog_shown}

        def restart(request: Mapping[str, Any]) -> Reply:
            """The gateway's own restart, now."""
            if not self.gateway.logged_in:
                raise ValueError("not logged in: the gateway restarts itself only when it is")
            self._restart, self._restart_at = "RESTART", datetime.now(UTC)
            self._rescheduled.set()
            return {}

        def relogin(request: Mapping[str, Any]) -> Reply:
            """The gateway has to sign in again; IBC lets it."""
            log("detected dialog entitled: Re-login is required; event=Opened")
            log("Click button: Re-login")
            return base["relogin"](request)

        def die(request: Mapping[str, Any]) -> Reply:
            """The JVM ends with this exit code, as if it had crashed."""
            asyncio.get_running_loop().call_later(0.02, self.exit, int(request.get("code", 1)))
            return {}

        return {
            "status": status,
            "approve": lambda request: self.login.answer_push(True),
            "decline": lambda request: self.login.answer_push(False),
            "restart": restart,
            "relogin": relogin,
            "exit": die,
        }

    def _faults_changed(self, before: Faults, after: Faults) -> None:
        self.memory.faults = after
        self.memory.save()
        if "exit_at_once" in after:
            self.exit(int(after["exit_at_once"].get("code", 1)))
        new = [name for name in after if name.startswith("existing_session") and name not in before]
        if new and self.gateway.logged_in:
            self.spawn(self.login.yield_or_keep)


async def _main(config_path: Path, directory: Path, session: str, restart_directory: str) -> int:
    socket_path = os.environ.get("STANDIN_SOCKET", DEFAULT_SOCKET)
    log(f"version: {VERSION} (stand-in)")
    log(f"using default settings provider: ini file is {config_path}")
    try:
        opts, memory = options.read(), Memory(Path(socket_path).with_suffix(".json"))
        if "exit_at_once" in memory.faults:
            return int(memory.faults["exit_at_once"].get("code", 1))
        config = settings.load(config_path)
        for key, value in config.masked().items():
            log(f"    {key}={value}")
        ini_path = directory / "jts.ini"
        ini = jts.prepare(ini_path, config.text("TrustedTwsApiClientIPs"))
    except settings.InvalidSettings as error:
        log_error(error.code, *error.problems)
        return error.code
    except jts.JtsError as error:
        log_error(error.code, str(error))
        return error.code
    except (OSError, faults.UnknownFault, ValueError) as error:
        log_error(INTERNAL_STATE, str(error))
        return INTERNAL_STATE
    try:
        ibc = Ibc(config, ini, ini_path, SettingsDirectory(directory, session), opts, memory)
    except OSError as error:
        log_error(UNHANDLED, f"the API port cannot be opened: {error}")
        return UNHANDLED
    return await ibc.run(socket_path, restart_directory)


def main() -> None:
    """Run one life; the exit code is what the shell sees of IBC's."""
    if len(sys.argv) not in (4, 5):
        log_error(1102, f"usage: {sys.argv[0]} CONFIG_INI SETTINGS_DIRECTORY SESSION_ID [RESTART_DIRECTORY]")
        sys.exit(1102 % 256)
    config, directory, session, *restart = sys.argv[1:]
    os.umask(0o077)
    time.tzset()
    code = asyncio.run(_main(Path(config), Path(directory), session, restart[0] if restart else ""))
    sys.stdout.flush()
    os._exit(code % 256)  # connections end with the process, as a JVM's do


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the 'JVM': IBC starts the gateway, signs it in, sets it up, serves commands, ends with an exit code.

``ibcstart.sh`` of the image runs this module in its loop, under the name java, with CONFIG_INI SETTINGS_DIRECTORY
SESSION_ID [RESTART_DIRECTORY]. State that outlives one run is in :mod:`ibgw_standin.memory` and
:mod:`ibgw_standin.tokens`. Its output follows IbcTws.java, StopTask.java and RestartTask.java of IBC at
commit 2fee90c.
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
from .configuration import AUTO_RESTART, Configuration, GatewaySettings
from .control import DEFAULT_SOCKET, Command, ControlServer, Reply
from .gateway import PORTS, TWS_PORTS, Faults, Gateway
from .handlers import INTERNAL_STATE, LOGGED_IN, Handlers
from .memory import Memory
from .program import LOGGED_IN as SIGNED_IN
from .program import LOGGING_IN, SHOWN, Program
from .server import ApiServer
from .tokens import SettingsDirectory
from .windows import Desktop

VERSION = "3.24.1"
UNHANDLED, INI_MISSING, INVALID_SETTING = 1100, 1103, 1105
"""IBC's exit codes; the shell sees them modulo 256."""

X_ENDED = 1
"""Java's exit code when the X server ends."""

SOON = timedelta(minutes=2)
"""The minute that RESTART and PAUSE set comes sooner."""

CLOSE_SECONDS, RECONNECT_SECONDS = 1.5, 0.2
"""How long File > Close takes, and Ctrl-Alt-F or -R."""

PROPERTIES = {"java.version": "standin", "java.vm.name": "standin", "os.name": "Linux"}


def log(message: str) -> None:
    """Write a line as IBC does: local time with milliseconds, ``IBC:``, the message."""
    now = datetime.now()
    print(f"{now:%Y-%m-%d %H:%M:%S}:{now.microsecond // 1000:03d} IBC: {message}", flush=True)


def log_error(*lines: str) -> None:
    """Write an error between lines of 79 exclamation marks."""
    frame = "!" * 79
    print(frame, flush=True)
    for line in lines:
        log(line)
    print(frame, flush=True)


def log_exit(code: int, *lines: str) -> int:
    """Write an error and the exit code that follows from it; returns the code."""
    log_error(*lines)
    log(f"Exiting after error with exit code={code}")
    return code


class Ibc:
    """IBC and the gateway in one process."""

    def __init__(self, config: settings.Settings, problems: list[str], directory: SettingsDirectory,
                 opts: options.Options, memory: Memory) -> None:  # fmt: skip
        self.config = config
        self.problems = problems
        self.options = opts
        self.directory = directory
        self.memory = memory
        self.mode = config.text("TradingMode") if config.text("TradingMode") in PORTS else "live"
        usual = (TWS_PORTS if opts.tws else PORTS)[self.mode]
        self._kept = GatewaySettings(directory.login_path(self.user) / "standin.json", usual, opts.tws)
        self.gateway = Gateway(
            self.mode,
            accounts=opts.accounts,
            max_version=opts.max_version,
            read_only=config.flag("ReadOnlyApi"),
            active=memory.faults,
            walks_login=True,
        )
        self.gateway.api_enabled = self._kept.api_enabled
        self.gateway.dialog_shown = memory.counts.get("dialog_shown", 0)
        self.handlers = Handlers(self)
        self.desktop = Desktop(self.handlers.seen)
        self.configuration = Configuration(self, self._kept)
        self.program = Program(self)
        self._ini = jts.JtsIni()
        self._zone = schedule.zone("")
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stopping = self._halted = False
        self._restart = ""
        self._restart_at: datetime | None = None
        self._rescheduled = asyncio.Event()
        self._main_window = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        port = config.number("OverrideTwsApiPort") or opts.api_port or usual
        self.server = ApiServer(self.gateway, "127.0.0.1", port)
        self.gateway.on_change.append(self._faults_changed)
        self._command_server = CommandServer(self, config)

    def log(self, message: str) -> None:
        """Write a line of IBC's log, as long as the JVM lives."""
        if not self._halted:
            log(message)

    def error(self, *lines: str) -> None:
        """Write an error between its two lines of exclamation marks, as long as the JVM lives."""
        if not self._halted:
            log_error(*lines)

    @property
    def user(self) -> str:
        """The user that config.ini names."""
        return self.config.text("IbLoginId")

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password as in the login window."""
        return self.user, self.config.text("IbPassword")

    async def run(self, socket_path: str, restart_directory: str) -> int:
        """Run once; return IBC's exit code."""
        self.memory.count("starts")
        control = ControlServer(socket_path, gateway_commands(self.gateway, self.server) | self._commands())
        await control.start()
        self.spawn(self._watch_display)
        await self._command_server.start()
        try:
            self._start(restart_directory)
        except ValueError as error:
            self.fail(INVALID_SETTING, str(error))
        except jts.JtsError as error:
            self.fail(error.code, str(error))
        code = await self._ended
        self.memory.counts["dialog_shown"] = self.gateway.dialog_shown
        self.memory.save()
        control.close()
        return code

    def _start(self, restart_directory: str) -> None:
        """Begin the session; ValueError for a time that IBC cannot read, JtsError for a jts.ini that it cannot use."""
        end = schedule.ibcs_end(self.config.text, schedule.local_zone(), datetime.now(UTC))
        if end is not None:
            what = "cold restarted" if end[1] == "COLD" else "shut down"
            log(f"Gateway will be {what} at {end[0]:%Y/%m/%d %H:%M}")
            self.spawn(lambda: self._end_at(*end))
        log(f"TWS Settings directory is: {self.directory.path}")
        self.handlers.start_session(bool(restart_directory))
        self._ini = jts.prepare(self.directory.path / "jts.ini", self.config.text("TrustedTwsApiClientIPs"), log)
        self.problems += self._ini.problems
        self.gateway.time_zone = self._ini.time_zone
        self._zone = schedule.zone(self._ini.time_zone)
        log("Starting TWS" if self.options.tws else "Starting Gateway")
        self.configuration.at_start()
        self.spawn(lambda: self.program.run(restart_directory))

    def spawn(self, work: Callable[[], Any]) -> None:
        """Run a coroutine beside the others; an error in it ends the JVM as an unhandled exception does."""

        async def guarded() -> None:
            try:
                await work()
            except (OSError, ValueError, KeyError) as error:
                log_error("An exception has occurred:")
                log(f"Exiting after error with exit code={UNHANDLED}")
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                self.exit(UNHANDLED)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def later(self, seconds: float, act: Callable[[], None]) -> Callable[[], None]:
        """Act after these seconds of the stand-in's time; returns a handle to cancel."""
        handle = asyncio.get_running_loop().call_later(self.options.real(seconds), self._unless_ended, act)
        return handle.cancel

    def _unless_ended(self, act: Callable[[], None]) -> None:
        if not self._ended.done():
            act()

    def exit(self, code: int) -> None:
        """End the JVM."""
        if not self._ended.done():
            self._ended.set_result(code)

    def fail(self, code: int, message: str) -> None:
        """End the JVM with an error in the log."""
        self.exit(log_exit(code, message))
        self._halted = True

    async def _watch_display(self) -> None:
        """End as Java does when the X server ends, if there is one."""
        display = os.environ.get("DISPLAY", "")
        if not display:
            return
        folder = os.environ.get("STANDIN_TMP", str(Path(DEFAULT_SOCKET).parent))
        path = f"{folder}/.X11-unix/X{display.removeprefix(':')}"
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            await reader.read()
        except ConnectionResetError:
            pass
        finally:
            writer.close()
        self.exit(X_ENDED)

    # --- the gateway's windows -------------------------------------------------------------------------------------

    def main_window_found(self) -> None:
        """The main window has opened."""
        self._main_window.set()

    async def main_window(self) -> None:
        """Wait for the main window, and say so as DefaultMainWindowManager does."""
        log("Getting main window")
        if self._main_window.is_set():
            log("Main window already found")
            return
        log("Creating main window future")
        await self._main_window.wait()
        log("Got main window from future")

    def signed_in(self) -> None:
        """The login has completed."""
        self.memory.count("logins")
        directory = self.directory.login_directory(self.user)
        ini = self.directory.path / "jts.ini"
        try:
            ini.write_text(str(jts.own(self._ini, self.mode)), encoding="utf-8")
        except OSError as error:
            print(f"{directory}: {error}", file=sys.stderr)
        self.gateway.update(
            logged_in=True, disclaimer_open=self.mode == "paper" and "disclaimer_early" not in self.gateway.faults
        )
        self.spawn(self._follow_clock)

    # --- the clock -------------------------------------------------------------------------------------------------

    def _next_event(self) -> schedule.Event:
        """Return when and how the gateway ends, by itself or by command."""
        if self._restart_at is not None:
            return self._restart_at, self._restart
        action = "RESTART" if self._kept.action == AUTO_RESTART else "LOGOFF"
        now = datetime.now(UTC)
        if self.options.restart_seconds is not None:
            now += SOON  # a command's restart did not wait for the minute that it set, which is still to come
        return schedule.next_time(self._kept.time, self._zone, now), action

    async def _follow_clock(self) -> None:
        await self.configuration.idle.wait()
        while True:
            self._rescheduled.clear()
            at, event = self._next_event()
            if await self._reached(at):
                return await self._happen(event)

    async def _reached(self, at: datetime) -> bool:
        """Wait for a moment; False if another one replaces it. In steps, since setting the clock does not wake a
        sleeper."""
        while (left := (at - datetime.now(UTC)).total_seconds()) > 0:
            try:
                await asyncio.wait_for(self._rescheduled.wait(), min(left, 60.0))
            except TimeoutError:
                continue
            return False
        return True

    async def _happen(self, event: str) -> None:
        if event != "LOGOFF":
            self.directory.write_token(self.user)
        await asyncio.sleep(self.options.real(self.options.login_seconds / 5))
        self.exit(0)

    async def _end_at(self, at: datetime, event: str) -> None:
        """ClosedownAt and ColdRestartTime are IBC's own: both STOP, and the latter is followed by a full login."""
        while (left := (at - datetime.now(UTC)).total_seconds()) > 0:
            await asyncio.sleep(min(left, 60.0))
        self.stop(cold=event == "COLD")

    # --- the command server ----------------------------------------------------------------------------------------

    def stop(self, cold: bool = False) -> bool:
        """Close the gateway if it is signed in, else end at once; False if already stopping."""
        if self._stopping:
            return False
        self._stopping = True
        if cold:
            self.memory.count("cold_restarts")
            self.directory.flag("COLDRESTART")
        act = self._close if self.handlers.state == LOGGED_IN else self._halt
        if cold:
            act()
        else:
            asyncio.get_running_loop().call_later(0.01, act)  # the channel that sent the command is closed first
        return True

    def _close(self) -> None:
        log("Login has completed: exiting via [File, Close] menu")
        log("Getting main window")
        log("Main window already found")
        if "close_hangs" not in self.gateway.faults:
            self.later(CLOSE_SECONDS, lambda: self.exit(0))

    def _halt(self) -> None:
        """Stop without further output."""
        self._command_server.close()
        log("Login has not completed: exiting immediately")
        self._halted = True
        self.exit(0)

    def begin_restart(self, pause: bool) -> bool:
        """RESTART or PAUSE: once per JVM."""
        verb = "PAUSE" if pause else "RESTART"
        log(f"RestartTask: pauseOnly = {str(pause).lower()}")
        log(f"RestartTask: verb = {verb}")
        if self._restart:
            log(f"{verb} already in progress")
            return False
        self._restart = verb
        if pause:
            self.directory.flag("PAUSE")
        return True

    async def restart_time(self) -> str:
        """Set the gateway's restart to the next full minute of *our* clock, which it reads in *its* zone."""
        await self.main_window()
        if self.options.tws:
            # By its menu File > Restart..., which IB Gateway lacks (RestartTask.java).
            self._restart_at = datetime.now(UTC)
            self._rescheduled.set()
            return ""
        now = datetime.now(UTC)
        text = schedule.next_minute(schedule.local_zone(), now)
        log(f"Setting auto-restart time to {text}")
        self.configuration.restart_at(text)
        at = schedule.next_time(text, self._zone, now)
        short = self.options.restart_seconds
        if short is not None and at - now < SOON:
            at = now + timedelta(seconds=short)
        self.spawn(lambda: self._reschedule(at))
        return text

    async def _reschedule(self, at: datetime) -> None:
        """The new time takes effect once it is in the gateway's settings."""
        await self.configuration.idle.wait()
        self._restart_at = at
        self._rescheduled.set()

    async def enable_api(self) -> str:
        """ENABLEAPI: the checkbox of TWS's settings, which stays as it is from then on.

        As IBC does, it waits for the settings' dialog without a limit (DefaultConfigDialogManager.getConfigDialog).
        """
        if not self.options.tws:
            return "ERROR ENABLEAPI is not valid for the IB Gateway"
        done = asyncio.get_running_loop().create_future()
        self.configuration.ask(lambda: done.set_result(self.configuration.enable_api()))
        changed = await done
        self.gateway.api_enabled = True
        self.gateway.update()
        return "OK configured" if changed else "OK already configured"

    async def reconnect(self) -> None:
        """RECONNECTDATA and RECONNECTACCOUNT: drop and restore the link."""
        await self.main_window()
        self.gateway.interrupt_link(RECONNECT_SECONDS)

    # --- the control socket ----------------------------------------------------------------------------------------

    def _commands(self) -> dict[str, Command]:
        base = gateway_commands(self.gateway, self.server)

        def status(request: Mapping[str, Any]) -> Reply:
            own = {"login_state": self.program.state, "restart_pending": self._restart,
                   "settings_problems": self.problems}  # fmt: skip
            counts = dict.fromkeys(("starts", "logins", "pushes", "cold_restarts"), 0) | self.memory.counts
            return counts | base["status"](request) | own | {"dialog_shown": self.gateway.dialog_shown}

        def restart(request: Mapping[str, Any]) -> Reply:
            """The gateway's own restart, now, or another event that the clock would cause."""
            if not self.gateway.logged_in:
                raise ValueError("not logged in: the gateway restarts itself only when it is")
            event = request.get("event") or "RESTART"
            if event in ("COLD", "CLOSEDOWN"):
                self.stop(cold=event == "COLD")
            else:
                self._restart, self._restart_at = event, datetime.now(UTC)
                self._rescheduled.set()
            return {}

        def relogin(request: Mapping[str, Any]) -> Reply:
            """The gateway has to sign in again, without IBC ending it."""
            self.spawn(self.program.log_in_again)
            if fault := request.get("fault"):
                self.program.state = LOGGING_IN  # so that the other session is met in the sign-in
                self.gateway.update(active=self.gateway.faults | {faults.find(fault).name: {}})
            return base["relogin"](request)

        def die(request: Mapping[str, Any]) -> Reply:
            """The JVM ends with this exit code, as if it had crashed."""
            asyncio.get_running_loop().call_later(0.02, self.exit, int(request.get("code", 1)))
            return {}

        return {
            "status": status,
            "approve": lambda request: self.program.answer_push(True),
            "decline": lambda request: self.program.answer_push(False),
            "restart": restart,
            "relogin": relogin,
            "exit": die,
        }

    def _faults_changed(self, before: Faults, after: Faults) -> None:
        self.memory.faults = after
        self.memory.save()
        if "exit_at_once" in after:
            self.exit(int(after["exit_at_once"].get("code", 1)))
        if self.program.state != SIGNED_IN:
            return
        new = [name for name in after if name not in before]
        if any(name.startswith("existing_session") for name in new) and not any(map(before.get, new)):
            self.spawn(self._meet_other_session)
        for name in SHOWN:
            if name in new:
                self.program.show(name)

    async def _meet_other_session(self) -> None:
        await self.program.meet_other_session()


def print_properties(directory: Path, session: str, restart_directory: str, ini: Path, entry: str) -> None:
    """Print Java's properties as IBC does; Java decides which exist."""
    known = PROPERTIES | {"jtsConfigDir": directory, "ibcsessionid": session, "restart": restart_directory,
           "sun.java.command": f"ibcalpha.ibc.{entry} {ini}"}  # fmt: skip
    print("System Properties", "-" * 60, sep="\n")
    for name, value in known.items():
        if value:
            print(f"{name} = {value}")
    print("-" * 60, flush=True)


async def _main(config_path: Path, directory: Path, session: str, restart_directory: str) -> int:
    socket_path = os.environ.get("STANDIN_SOCKET", DEFAULT_SOCKET)
    try:
        opts, memory = options.read(), Memory(Path(socket_path).with_suffix(".json"))
        if "exit_at_once" in memory.faults:
            return int(memory.faults["exit_at_once"].get("code", 1))
    except (OSError, faults.UnknownFault, ValueError) as error:
        print(f"ibgw_standin: {error}", file=sys.stderr)
        return INTERNAL_STATE
    if not config_path.is_file():
        quitting = "either does not exist, or is a directory.  quitting..."
        return log_exit(INI_MISSING, f'ini file "{config_path}" {quitting}')
    config, problems = settings.load(config_path, log)
    print("\n".join(config.dump()), flush=True)
    log(f"version: {VERSION}")
    print_properties(directory, session, restart_directory, config_path, "IbcTws" if opts.tws else "IbcGateway")
    log(f"using default settings provider: ini file is {config_path}")
    log("using default login manager: will get username and password from settings;"
        " FIX username and password (if required) from settings")  # fmt: skip
    log("using default main window manager")
    log("using default trading mode manager: constructor parameter args but trading mode not present"
        " - will be taken from settings")  # fmt: skip
    log("using default config dialog manager")
    memory.save()
    try:
        ibc = Ibc(config, problems, SettingsDirectory(directory, session), opts, memory)
    except OSError as error:
        print(f"ibgw_standin: the API port cannot be opened: {error}", file=sys.stderr)
        return UNHANDLED
    return await ibc.run(socket_path, restart_directory)


def main() -> None:
    """Run once; the exit code is IBC's as the shell sees it."""
    if len(sys.argv) not in (4, 5):
        sys.exit(f"usage: {sys.argv[0]} CONFIG_INI SETTINGS_DIRECTORY SESSION_ID [RESTART_DIRECTORY]")
    config, directory, session, *restart = sys.argv[1:]
    os.umask(0o077)
    time.tzset()
    code = asyncio.run(_main(Path(config), Path(directory), session, restart[0] if restart else ""))
    sys.stdout.flush()
    os._exit(code % 256)  # connections end with the process, as a JVM's do


if __name__ == "__main__":
    main()

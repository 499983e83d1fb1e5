# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's own Configure > Settings, and IBC's tasks in that dialog.

The lines are those of IBC's Configure…Task classes and of DefaultConfigDialogManager at commit 2fee90c.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from . import files
from .settings import Settings
from .windows import DIALOG, Desktop, Window

AUTO_RESTART, AUTO_LOGOFF = "Auto restart", "Auto logoff"
_TIME = re.compile(r"(0\d|1[0-2]):[0-5]\d (AM|PM)")
_PRECAUTIONS = {
    "BypassOrderPrecautions": "Bypass Order Precautions for API Orders",
    "BypassBondWarning": "Bypass Bond warning for API Orders.",
    "BypassNegativeYieldToWorstConfirmation": "Bypass negative yield to worst confirmation for API Orders.",
    "BypassCalledBondWarning": "Bypass Called Bond warning for API Orders",
    "BypassSameActionPairTradeWarning": 'Bypass "same action pair trade" warning for API orders.',
    "BypassPriceBasedVolatilityRiskWarning": "Bypass price-based volatility risk warning for API Orders.",
    "BypassUSStocksMarketDataInSharesWarning": "Bypass US Stocks market data in shares warning for API Orders",
    "BypassRedirectOrderWarning": "Bypass Redirect Order warning for Stock API Orders",
    "BypassNoOverfillProtectionPrecaution":
        "Bypass No Overfill Protection precaution for destinations where implied natively.",
}  # fmt: skip

Task = Callable[[], None]


class GatewaySettings:
    """The gateway's own settings, or TWS's if *tws*, in a file that survives the container."""

    def __init__(self, path: Path, port: int, tws: bool = False) -> None:
        self._path = path
        self.action, self.time = AUTO_LOGOFF, "11:45 PM"
        self.read_only = True
        self.bypassed: list[str] = []
        self.master_client_id = ""
        self.port = port
        self.lots = False
        self.api_enabled = not tws
        if path.exists():
            vars(self).update(json.loads(path.read_text()))

    def save(self) -> None:
        """Write the file, whole or not at all."""
        kept = {name: value for name, value in vars(self).items() if name != "_path"}
        self._path.parent.mkdir(exist_ok=True)
        files.write_whole(self._path, json.dumps(kept))


class Ibc(Protocol):
    """The part of IBC that a configuration uses."""

    config: Settings
    desktop: Desktop

    def log(self, message: str) -> None:
        """Write a line of IBC's log."""

    def error(self, *lines: str) -> None:
        """Write an error."""

    def spawn(self, work: Callable[[], Any]) -> None:
        """Run a coroutine beside the others."""

    async def main_window(self) -> None:
        """Wait for the main window, and say so."""


class Configuration:
    """Carry out tasks in the gateway's dialog, all pending ones at once."""

    def __init__(self, ibc: Ibc, kept: GatewaySettings) -> None:
        self._ibc = ibc
        self._kept = kept
        self._waiting: list[Task] = []
        self.menu = asyncio.Event()
        """Set when Configure > Settings is enabled."""
        self.idle = asyncio.Event()
        """Set while nobody waits for the dialog."""
        self.idle.set()

    def at_start(self) -> None:
        """Request the settings in config.ini, in the order of IbcTws.java."""
        config = self._ibc.config
        if config.flag("ResetOrderIdsAtStart"):
            self.ask(self._reset_order_ids)
        if config.number("OverrideTwsApiPort"):
            self.ask(self._set_port)
        if config.text("OverrideTwsMasterClientID"):
            self.ask(self._set_master_client_id)
        if config.text("ReadOnlyApi"):
            self.ask(self._set_read_only)
        if config.text("SendMarketDataInLotsForUSstocks"):
            self.ask(self._set_lots)
        restart, logoff = config.text("AutoRestartTime"), config.text("AutoLogoffTime")
        if restart:
            self.ask(lambda: self._set_time(AUTO_RESTART, restart))
            if logoff:
                self._ibc.log("AutoLogoffTime is ignored because AutoRestartTime is also set")
        elif logoff:
            self.ask(lambda: self._set_time(AUTO_LOGOFF, logoff))
        if any(config.text(key) for key in _PRECAUTIONS):
            self.ask(self._set_precautions)

    def restart_at(self, time: str) -> None:
        """Ask for a restart at that time, as RESTART and PAUSE do."""
        self.ask(lambda: self._set_time(AUTO_RESTART, time))

    def ask(self, task: Task) -> None:
        """Ask for the dialog; the task runs when it opens."""
        self._ibc.log("Getting config dialog")
        self._waiting.append(task)
        self.idle.clear()
        if len(self._waiting) > 1:
            self._ibc.log("Waiting for config dialog future to complete")
        else:
            self._ibc.log("Creating config dialog future")
            self._ibc.spawn(self._carry_out)

    async def _carry_out(self) -> None:
        await self._ibc.main_window()
        self._ibc.log("Invoking config dialog menu")
        await self.menu.wait()
        dialog = Window(DIALOG, "IBKR Gateway Configuration", buttons=["OK"], owned=True)
        self._ibc.desktop.open(dialog)
        tasks, self._waiting = self._waiting, []
        for _task in tasks:
            self._ibc.log("Got config dialog from future")
        for task in tasks:
            task()
        self._ibc.log("Configuration tasks completed")
        self._ibc.log("Click button: OK")
        self._kept.save()
        self._ibc.desktop.close(dialog)
        if not self._waiting:
            self.idle.set()

    def _set_time(self, action: str, time: str) -> None:
        log, kept = self._ibc.log, self._kept
        log(f"Setting {action} time")
        if not _TIME.fullmatch(time):
            example = '"09:30 AM" or "04:00 PM"'
            self._ibc.error(f"{action} time setting must be hh:mm AM or hh:mm PM, for example {example}")
        elif (kept.action, kept.time) == (action, time):
            log(f"{action} time already set to {time}")
        elif kept.action == action:
            log(f"{action} time changed from {kept.time} to {time}")
            kept.time = time
        else:
            log(f"{action} time set to {time}")
            kept.action, kept.time = action, time

    def enable_api(self) -> bool:
        """Enable the API; whether it was off (EnableApiTask.java)."""
        self._ibc.log("Doing ENABLEAPI configuration")
        changed, self._kept.api_enabled = not self._kept.api_enabled, True
        if changed:
            self._ibc.log("TWS has been configured to accept API connections")
        else:
            self._ibc.log("TWS is already configured to accept API connections")
        return changed

    def _set_read_only(self) -> None:
        wanted = self._ibc.config.flag("ReadOnlyApi", True)
        self._ibc.log("Setting ReadOnlyApi")
        state = "already" if wanted == self._kept.read_only else "now"
        self._ibc.log(f"Read-Only API checkbox is {state} set to: {str(wanted).lower()}")
        self._kept.read_only = wanted

    def _set_precautions(self) -> None:
        for key, label in _PRECAUTIONS.items():
            wanted, before = self._ibc.config.text(key).lower(), key in self._kept.bypassed
            if not wanted:
                continue
            after = wanted == "yes"
            self._ibc.log(f"'{label}' is {'already' if after == before else 'now'} {'' if after else 'un'}selected")
            if after != before:
                self._kept.bypassed = [each for each in _PRECAUTIONS if (each in self._kept.bypassed) ^ (each == key)]

    def _set_master_client_id(self) -> None:
        wanted = self._ibc.config.text("OverrideTwsMasterClientID")
        self._ibc.log("Performing master client ID configuration")
        if wanted == self._kept.master_client_id:
            self._ibc.log(f"TWS Master Client ID is already set to {wanted}")
        else:
            self._ibc.log(f"TWS Master Client ID was set to {self._kept.master_client_id}")
            self._ibc.log(f"TWS Master Client ID now set to {wanted}")
        self._kept.master_client_id = wanted

    def _set_port(self) -> None:
        wanted = self._ibc.config.number("OverrideTwsApiPort") or 0
        self._ibc.log("Performing port configuration")
        if wanted == self._kept.port:
            self._ibc.log(f"TWS API socket port is already set to {wanted}")
        else:
            self._ibc.log(f"TWS API socket port was set to {self._kept.port}")
            self._ibc.log(f"TWS API socket port now set to {wanted}")
        self._kept.port = wanted

    def _set_lots(self) -> None:
        wanted = self._ibc.config.flag("SendMarketDataInLotsForUSstocks", True)
        self._ibc.log("Setting Send Market Data In Lots")
        state = "already" if wanted == self._kept.lots else "now"
        self._ibc.log(f"Send Market Data In Lots checkbox is {state} set to: {str(wanted).lower()}")
        self._kept.lots = wanted

    def _reset_order_ids(self) -> None:
        self._ibc.log("Resetting API order ids")
        self._ibc.log("Click button: Reset API order ID sequence")

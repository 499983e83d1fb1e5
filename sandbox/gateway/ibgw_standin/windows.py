# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's windows, and the events by which IBC learns of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

FRAME, DIALOG = "frame", "dialog"
OPENED, CLOSED = "Opened", "Closed"
_GAINED, _LOST = ("Activated", "Focused"), ("Lost focus", "Deactivated")


class Window:
    """A frame or a dialog; *text* is that of its labels and text areas, *owned* whether the main window owns it."""

    def __init__(self, kind: str, title: str, text: str = "", buttons: Sequence[str] = (), owned: bool = False) -> None:
        self.kind = kind
        self.title = title
        self.text = text
        self.buttons = tuple(buttons)
        self.owned = owned
        self._presses: asyncio.Queue[str] = asyncio.Queue()

    def __str__(self) -> str:
        return f"{self.kind} entitled: {self.title}"

    def press(self, button: str) -> bool:
        """Press a button; False if there is none of that name."""
        if button in self.buttons:
            self._presses.put_nowait(button)
        return button in self.buttons

    @property
    def waits(self) -> bool:
        """Whether nobody has pressed a button yet."""
        return self._presses.empty()

    async def pressed(self) -> str:
        """Wait for the next press, and return the button's name."""
        return await self._presses.get()


class Desktop:
    """The windows on the screen. Without a window manager, as in the image: when a window closes, no other gets the
    focus."""

    def __init__(self, seen: Callable[[Window | str, str], None]) -> None:
        self._seen = seen
        self._focused: Window | None = None

    def open(self, window: Window) -> None:
        """Show a window, which gets the focus."""
        self._seen(window, OPENED)
        self._leave()
        self._focused = window
        for event in _GAINED:
            self._seen(window, event)

    def close(self, window: Window) -> None:
        """Close a window."""
        if window is self._focused:
            self._leave()
        self._seen(window, CLOSED)
        if window.kind == DIALOG and not window.owned:
            self._seen("window: type=javax.swing.SwingUtilities$SharedOwnerFrame", CLOSED)

    def _leave(self) -> None:
        if self._focused is not None:
            for event in _LOST:
                self._seen(self._focused, event)
        self._focused = None

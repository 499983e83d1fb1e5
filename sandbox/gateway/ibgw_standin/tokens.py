# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The autorestart token and the flag files by which a JVM tells ibcstart what to do next.

``<settings>/<login directory>/autorestart`` is written by the gateway's own restart only and used up by the login that
it saves. ``<settings>/COLDRESTART<session>`` and ``<settings>/PAUSE<session>`` live from the end of a JVM to ibcstart's
look at them.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from .schedule import token_valid


class SettingsDirectory:
    """The directory that survives the container."""

    def __init__(self, path: Path, session: str) -> None:
        self.path = path
        self._session = session

    def login_directory(self, user: str) -> Path:
        """Return the directory of a user's settings, made at the first login; its name is made of letters."""
        digest = hashlib.sha256(user.encode()).digest()[:16]
        directory = self.path / "".join(chr(ord("a") + byte % 26) for byte in digest)
        directory.mkdir(exist_ok=True)
        return directory

    def write_token(self, user: str) -> None:
        """Leave the token that saves the next start its login."""
        (self.login_directory(user) / "autorestart").write_text(f"{time.time()}\n")

    def take_token(self, directory: str) -> bool:
        """Use a token up; True when IBKR still honours it."""
        token = self.path / directory / "autorestart"
        issued = token.read_text().strip() if token.exists() else ""
        token.unlink(missing_ok=True)
        try:
            return token_valid(float(issued), time.time())
        except ValueError:
            return False

    def flag(self, name: str) -> None:
        """Leave ``COLDRESTART`` or ``PAUSE`` for ibcstart."""
        (self.path / f"{name}{self._session}").touch()

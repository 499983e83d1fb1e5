# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The autorestart token and the flag files by which a JVM tells ibcstart what to do next.

``<settings>/<login directory>/autorestart`` is written only by the gateway's own restart and consumed by the login that
it replaces. ``<settings>/COLDRESTART<session>`` and ``<settings>/PAUSE<session>`` exist from the end of a JVM until
ibcstart reads them.
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

    def login_path(self, user: str) -> Path:
        """Return where the directory of a user's settings is; its name is made of letters."""
        digest = hashlib.sha256(user.encode()).digest()[:16]
        return self.path / "".join(chr(ord("a") + byte % 26) for byte in digest)

    def login_directory(self, user: str) -> Path:
        """Return the directory of a user's settings, made at the first login."""
        directory = self.login_path(user)
        directory.mkdir(exist_ok=True)
        return directory

    def write_token(self, user: str) -> None:
        """Write the token that saves the next start a login."""
        (self.login_directory(user) / "autorestart").write_text(f"{time.time()}\n")

    def token_valid(self, directory: str) -> bool:
        """Return whether IBKR still honours the token in a login directory."""
        token = self.path / directory / "autorestart"
        try:
            return token_valid(float(token.read_text()), time.time())
        except (OSError, ValueError):
            return False

    def remove_token(self, directory: str) -> None:
        """Consume a token."""
        (self.path / directory / "autorestart").unlink(missing_ok=True)

    def flag(self, name: str) -> None:
        """Write ``COLDRESTART`` or ``PAUSE`` for ibcstart."""
        (self.path / f"{name}{self._session}").touch()

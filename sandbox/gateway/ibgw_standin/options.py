# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the stand-in from the container's environment; the real image ignores all of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import NamedTuple

from .commands import version


class Options(NamedTuple):
    """The STANDIN_* variables, read and checked; times in seconds."""

    login_seconds: float = 1.0
    disclaimer_seconds: float = 0.3
    approve_after: float | None = None
    push_timeout: float = 180.0
    relogin_seconds: float = 5.0
    restart_seconds: float | None = None
    max_version: int = 225
    accounts: tuple[str, ...] = ()
    user: str = ""
    password_sha256: str = ""
    api_port: int = 0
    speed: float = 1.0
    tws: bool = False
    """How much faster than a clock's the stand-in's time runs; 0 for ``api_port`` is the port of the mode. ``tws``: it
    is TWS, as the image's own GATEWAY_OR_TWS says."""

    def real(self, seconds: float) -> float:
        """Return the real duration of these seconds of the stand-in's time."""
        return seconds / self.speed

    def accepts(self, user: str, password: str) -> bool:
        """Whether IBKR knows the user and the password; anything is accepted if none is set."""
        digest = hashlib.sha256(password.encode(errors="surrogatepass")).hexdigest()
        return self.user in ("", user) and self.password_sha256 in ("", digest)


def read(environment: Mapping[str, str] = os.environ) -> Options:
    """Read the environment; ValueError names the invalid variable."""

    base = Options()

    def seconds(name: str) -> float | None:
        text = environment.get(name, "")
        try:
            return float(text) if text else None
        except ValueError:
            raise ValueError(f"{name}={text!r} is no number of seconds") from None

    def seconds_or(name: str, default: float) -> float:
        value = seconds(name)
        return default if value is None else value

    return Options(
        login_seconds=seconds_or("STANDIN_LOGIN_SECONDS", base.login_seconds),
        disclaimer_seconds=seconds_or("STANDIN_DISCLAIMER_SECONDS", base.disclaimer_seconds),
        approve_after=seconds("STANDIN_APPROVE_AFTER"),
        push_timeout=seconds_or("STANDIN_PUSH_TIMEOUT", base.push_timeout),
        relogin_seconds=seconds_or("STANDIN_RELOGIN_SECONDS", base.relogin_seconds),
        restart_seconds=seconds("STANDIN_RESTART_SECONDS"),
        max_version=version(environment.get("STANDIN_MAX_VERSION") or base.max_version),
        accounts=tuple(name for name in environment.get("STANDIN_ACCOUNTS", "").split(",") if name),
        user=environment.get("STANDIN_USER", ""),
        password_sha256=environment.get("STANDIN_PASSWORD_SHA256", "").lower(),
        api_port=int(environment.get("STANDIN_API_PORT") or base.api_port),
        speed=seconds_or("STANDIN_SPEED", base.speed),
        tws=environment.get("GATEWAY_OR_TWS") == "tws",
    )

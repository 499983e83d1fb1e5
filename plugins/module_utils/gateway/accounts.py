# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Account ids: masked for every output, and checked against the mode of the gateway."""

from __future__ import annotations

SHOWN = 20
_PREFIXES = {"paper": ("D",), "live": ("U", "F")}


def mask(account: str) -> str:
    """Return ``DU***67`` for ``DU1234567``: the letters in front and the last two characters stay.

    Fewer than five characters behind the letters are hidden whole, since two of them would be half the id.
    """
    rest = account.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    letters = account[: len(account) - len(rest)][:3]
    return f"{letters}***{rest[-2:] if len(rest) > 4 else ''}"


def mask_all(accounts: list[str]) -> list[str]:
    """Return the first ids masked (an adviser may have thousands; their count is returned elsewhere)."""
    return [mask(account) for account in accounts[:SHOWN]]


def hide(text: str, accounts: list[str]) -> str:
    """Return *text* with every one of *accounts* masked."""
    for account in sorted(accounts[:SHOWN], key=len, reverse=True):
        text = text.replace(account, mask(account))
    return text


def misfit(accounts: list[str], mode: str | None, allowed: list[str] | tuple[str, ...] = ()) -> str | None:
    """Say why *accounts* cannot be those of a gateway in *mode* with the *allowed* ids; None when they fit."""
    for account in accounts:
        if mode is not None and not account.startswith(_PREFIXES[mode]):
            wanted = " or ".join(f"{prefix}…" for prefix in _PREFIXES[mode])
            return f"{mask(account)} is no {mode} account ({wanted})"
        if allowed and account not in allowed:
            return f"{mask(account)} is not among the {len(allowed)} allowed accounts"
    return None

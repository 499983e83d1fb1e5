# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Account ids: masked for every output, checked as the inventory writes them and as a gateway names them.

The one rule for modes: an id that begins with D belongs to a paper account (DU, DF, DI), any other to a live one (U, F,
I and whatever IBKR may add). For a signed-in gateway:

- an id of the other mode is *wrong*: final, and the watcher stops the gateway;
- so is serving none of the allowed ids: somebody else has signed in;
- an extra id, or a listed one that is missing, is a *deviation*: never ready, but nothing is stopped,
  since IBKR opens and closes accounts in mid-week and a new sign-in costs a push.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHOWN = 20
MAX_ID = 40
_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FORMS = {"paper": "paper accounts begin with D", "live": "live accounts do not begin with D"}


def mask(account: str) -> str:
    """Return ``DU***67`` for ``DU1234567``: the letters in front and the last two characters stay.

    With fewer than five characters after the letters, all of them are hidden, since two would be half the id; so is an
    ending that no id has.
    """
    rest = account.lstrip(_LETTERS)
    letters, end = account[: len(account) - len(rest)][:3], rest[-2:]
    return f"{letters}***{end if len(rest) > 4 and _CHARACTERS.issuperset(end) else ''}"


def mask_all(accounts: Sequence[str]) -> list[str]:
    """Return the first ids masked (an adviser may have thousands; their count is returned elsewhere)."""
    return [mask(account) for account in accounts[:SHOWN]]


def hide(text: str, accounts: Sequence[str]) -> str:
    """Return *text* with every one of *accounts* masked, and whatever else has the form of an account id."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in text).split()
    for account in sorted({*accounts[:SHOWN], *filter(looks_like_one, words)}, key=len, reverse=True):
        text = text.replace(account, mask(account))
    return text


def looks_like_one(word: str) -> bool:
    """Whether *word* has the form that IBKR documents: U, F or I, with D in front for paper, and digits."""
    rest = word.upper().removeprefix("D")
    digits = rest[1:].rstrip(_LETTERS)
    return rest[:1] in ("U", "F", "I") and digits.isdigit() and len(digits) >= 4 and len(rest) - len(digits) <= 2


def fits(account: str, mode: str | None) -> bool:
    """Whether *account* belongs to *mode* (``live`` or ``paper``; None: either)."""
    return mode is None or (account[:1] in "Dd") == (mode == "paper")


def are_ids(texts: list[str]) -> bool:
    """Whether each of *texts* can be an account id or is empty, blanks aside: at most 40 ASCII letters, digits, dots,
    hyphens and underscores. One call checks thousands."""
    return _CHARACTERS.issuperset("".join(texts).replace(" ", "")) and len(max(texts, key=len)) <= MAX_ID


def entry_fault(entry: object, mode: str | None = None) -> str | None:
    """Return the fault and the fix in one sentence for an invalid *entry* of the allowed ids; None for a valid one."""
    text = str(entry)
    if "," in text:
        return "one entry holds several ids; make each an entry of its own"
    if text != text.strip():
        return f"{mask(text.strip())} has blanks around it; remove them"
    formed = text[:1].isalpha() and text[-1:].isalnum() and any(character.isdigit() for character in text)
    if not formed or " " in text or not are_ids([text]):
        return f"{mask(text)} is not an account id; copy it from the Client Portal (U, F, I or DU and digits)"
    if text != text.upper():
        return f"{mask(text.upper())} is written in lower case, and ids are compared letter by letter; use capitals"
    if not fits(text, mode):
        return f"{mask(text)} is not an account of mode {mode}; {_FORMS[str(mode)]}"
    return None


class Check:
    """Compare the accounts that a gateway reports with *mode* and the *allowed* ids (none: every id of the mode).

    :meth:`take` may be called with the list in parts; of thousands of ids, only the first are kept.
    """

    def __init__(self, mode: str | None, allowed: Iterable[str] = ()) -> None:
        self.count = 0
        self.first: list[str] = []
        self._mode, self._allowed = mode, frozenset(allowed)
        self._missing = set(self._allowed)
        self._wrong: str | None = None
        self._unlisted: str | None = None

    def anew(self) -> Check:
        """Return an empty check with the same criteria, for a list that replaces the previous one."""
        return Check(self._mode, self._allowed)

    def take(self, accounts: Iterable[str]) -> None:
        """Add *accounts*; blanks around an id and empty ids are ignored."""
        ids = [account for account in map(str.strip, accounts) if account]
        self.count += len(ids)
        self.first += ids[: SHOWN - len(self.first)]
        if self._mode is not None and self._wrong is None:
            self._wrong = next((account for account in ids if not fits(account, self._mode)), None)
        if self._allowed and self._unlisted is None:
            self._unlisted = next((account for account in ids if account not in self._allowed), None)
        self._missing.difference_update(ids)

    @property
    def wrong(self) -> str | None:
        """Why these accounts must not be served at all; None when they may."""
        if self._wrong is not None:
            return f"{mask(self._wrong)} is not a {self._mode} account: {_FORMS[str(self._mode)]}"
        if self._unlisted is not None and self._missing == self._allowed:
            allowed = f"the {len(self._allowed)} allowed accounts"
            return f"{mask(self._unlisted)} is not among {allowed}, and none of those is served"
        return None

    @property
    def deviation(self) -> str | None:
        """How the accounts differ from the allowed ones; None when they do not. Call it after the last :meth:`take`."""
        found = []
        if self._unlisted is not None:
            found.append(f"account {mask(self._unlisted)} is not among the {len(self._allowed)} allowed ones")
        if self._missing:
            named = ", ".join(mask_all(sorted(self._missing)))
            found.append(f"{len(self._missing)} of the {len(self._allowed)} allowed accounts missing: {named}")
        return "; ".join(found) or None

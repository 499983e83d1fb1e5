# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments of the real API clients: ``python -m tests.clients.venvs [NAME ...]`` prints their Pythons.

ibapi and nautilus-ibapi install the same package, so no two clients share an environment.
"""

from __future__ import annotations

import sys

from tests.environments import ROOT, python_of

NAMES = ("ib_async", "ib_insync", "ibapi", "nautilus")


if __name__ == "__main__":
    for client in sys.argv[1:] or NAMES:
        lock = ROOT / "requirements" / f"clients-{client}.txt"
        print(python_of(ROOT / ".sandbox" / "clients" / client, sys.executable, ["-r", lock]))

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where role `client_portal` writes what is deployed. Kept small: the watcher of every gateway asks for it."""

from __future__ import annotations

import os

ROOT = "/etc/ibgw"


def path(name: str) -> str:
    return os.path.join(ROOT, name, "client_portal.json")

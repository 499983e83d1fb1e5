# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where role `client_portal` writes what is deployed. Kept small: the watcher of every gateway asks for it."""

from __future__ import annotations

import os

ROOT = "/etc/ibgw"
FILE = "client_portal.json"


def path(name: str) -> str:
    return os.path.join(ROOT, name, FILE)


def is_here(name: str) -> bool:
    """Whether gateway *name* of this host is a Client Portal Gateway."""
    return os.path.exists(path(name))


def container(name: str) -> str:
    return f"ibgw-{name}"


def deployed() -> list[str]:
    """Return the names of this host's Client Portal Gateways, sorted; empty also when they may not be read."""
    return names(ROOT, FILE)


def names(root: str, file: str) -> list[str]:
    """Return the names of the directories of *root* that have *file*, sorted."""
    try:
        return sorted(name for name in os.listdir(root) if os.path.exists(os.path.join(root, name, file)))
    except OSError:
        return []

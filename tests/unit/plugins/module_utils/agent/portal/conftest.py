# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, health, store

USER, PASSWORD, KEYSTORE = "annabel77", "Tr0ub4dor&3", "k3yst0re!"


@pytest.fixture
def deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, portal_port: int
) -> Callable[..., Path]:
    """Write what role client_portal writes of gateway web, the stand-in, and return its directory."""
    for module in (place, descriptor):
        monkeypatch.setattr(module, "ROOT", str(tmp_path / "etc"))
    monkeypatch.setattr(store, "ROOT", str(tmp_path / "var"))
    unit = "Id=ibgw-watch@web.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\nSubState=running\n"
    shown = {"timedatectl": "NTP=yes\nNTPSynchronized=yes\n", "systemctl": unit, "journalctl": "-- No entries --\n"}
    monkeypatch.setattr(health, "output", lambda *command: shown[command[0]])
    fake_engine.name = "ibgw-web"

    def write(mode: str = "paper", **changes: Any) -> Path:
        folder = tmp_path / "etc" / "web"
        content = {
            "host": "127.0.0.1",
            "port": portal_port,
            "mode": mode,
            "accounts": ["DU1234567"],
            "image": "image@sha256:1",
            "revision": "r1",
            **changes,
        }
        files = {
            "client_portal.json": json.dumps(content),
            "secrets/ibkr_user": USER,
            "secrets/ibkr_password": PASSWORD,
            "inputs/conf.yaml": f'listenSsl: true\nsslPwd: "{KEYSTORE}"\n',
        }
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o440)
        return folder

    return write

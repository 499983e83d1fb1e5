# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.ibops.gateway.plugins.lookup.file_texts import LookupModule


def test_texts_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"{name}\n\n")
    (tmp_path / "folder").mkdir()
    plugin = LookupModule(loader=DataLoader())
    assert plugin.run([str(tmp_path / "b"), "none", "~/a", "folder", "c"]) == ["b\n\n", "", "a\n\n", "", "c\n\n"]


def test_a_vault_is_opened(tmp_path: Path) -> None:
    secrets = [("default", VaultSecret(b"of the vault"))]
    (tmp_path / "key").write_bytes(VaultLib(secrets).encrypt("text\n"))
    loader = DataLoader()
    loader.set_vault_secrets(secrets)
    assert LookupModule(loader=loader).run([str(tmp_path / "key")]) == ["text\n"]

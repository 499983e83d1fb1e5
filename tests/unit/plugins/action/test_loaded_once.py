# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main process of a run loads the collection's filters, and its workers inherit them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[4] / ".ansible/collections"
# In the order of Ansible's main process: it finds a task's action, and then forks.
MAIN = """
import sys
from ansible.plugins.loader import action_loader, init_plugin_loader
init_plugin_loader([sys.argv[1]])
action_loader.get("ibops.gateway.validate", class_only=True)
print(*(name.rpartition(".")[2] for name in sys.modules if ".gateway.plugins.filter." in name))
"""


def test_the_action_of_every_playbook_loads_all_filters() -> None:
    files = {path.stem for path in (COLLECTIONS / "ansible_collections/ibops/gateway/plugins/filter").glob("*.py")}
    done = subprocess.run([sys.executable, "-c", MAIN, COLLECTIONS], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == files

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that take and keep a gateway's lease."""

    DOCUMENTATION = r"""
options:
  lease_owner:
    description: The lease's owner, as it is shown to others; set by the action plugin of the same name.
    type: str
  names_live:
    description: Whether the run names its live gateways; set by the action plugin of the same name.
    type: bool
    default: false
"""

    KEEP = r"""
options:
  keep_lease:
    description: Seconds for which the same run keeps the lease after this task, so that nothing else acts in between.
    type: float
    default: 0.0
"""

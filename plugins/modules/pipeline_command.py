#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pipeline_command
short_description: Run a pipeline on the control node while a paper gateway is up
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Runs a command on the control node, in the directory in which C(ansible-playbook) was started, and prints what it
    prints as it comes.
  - When the run is interrupted (C(^C), C(SIGTERM), or its main process is gone), the command gets SIGINT, ten seconds
    later SIGKILL, and the gateway is stopped. What cannot be stopped is named, with the way to end it.
  - Fails with RV(busy) where another run has a pipeline with this gateway. Nothing is started then.
  - The task is the gateway's host's, without C(delegate_to); of that host only the gateway is looked at, and stopped
    after an interruption.
attributes:
  check_mode:
    description: Can run in check mode and return changed status without changing anything.
    support: full
  diff_mode:
    description: Returns details of what has changed, or may have to be changed, when diff mode is on.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: none
options:
  command:
    description: The command, without a shell; C(~) and C($NAME) are expanded.
    type: str
    required: true
  gateway_name:
    description: Name of the gateway.
    type: str
    required: true
  seconds:
    description: How long the command may take, in seconds.
    type: float
    required: true
  started:
    description:
      - Whether this run started the gateway. Without it, a gateway that was started for a time of its own belongs to
        another run, and one in its session is used as it is.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Run the pipeline
  ibops.gateway.pipeline_command:
    command: ./trade.sh
    gateway_name: paper
    seconds: 3600
"""

RETURN = r"""
rc:
  description: Exit status of the command, negative for a signal, 127 where it cannot be run; null in check mode.
  returned: unless another run was there first
  type: int
  sample: 0
lines:
  description: The last 200 lines that it printed.
  returned: when it ran
  type: list
  elements: str
elapsed:
  description: How long it took, in seconds.
  returned: when it ran
  type: float
  sample: 61.5
left:
  description: Seconds of O(seconds) that were left.
  returned: unless another run was there first
  type: float
  sample: 3538.5
busy:
  description: Another run has a pipeline with this gateway.
  returned: when it is so
  type: bool
  sample: true
"""

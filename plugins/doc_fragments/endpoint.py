# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options and results shared by the modules about a gateway's API."""

    DOCUMENTATION = r"""
options:
  gateway_name:
    description:
      - Name of a gateway that role P(ibops.gateway.gateway#role) deployed on the target host.
      - Host, port, mode, client id and allowed accounts are then taken from its descriptor
        (C(/etc/ibgw/<name>/gateway.json)), its container and the log of it are observed too, and the result
        has C(state).
      - The module then has to run as root.
    type: str
  host:
    description:
      - Host of the API.
      - Defaults to the descriptor's with O(gateway_name), else to V(127.0.0.1).
    type: str
  port:
    description:
      - Port of the API, as published by the container (live V(4001), paper V(4002)).
      - Required without O(gateway_name).
    type: int
  client_id:
    description:
      - Client id of the session that is opened for the look. It must not be used by anybody else, nor be the
        master client id.
      - V(0) is refused, since that id takes over orders made by hand.
      - Defaults to the descriptor's with O(gateway_name).
    type: int
  mode:
    description:
      - With V(paper) every account id has to begin with C(D), with V(live) none may; anything else is C(api_state)
        V(wrong_account).
      - Defaults to the descriptor's with O(gateway_name), else the accounts are not checked.
    type: str
    choices: [live, paper]
  accounts:
    description:
      - When not empty, the account ids that the gateway is to be signed in to. When it serves none of them, that is
        C(api_state) V(wrong_account); one id more or less is V(degraded).
    type: list
    elements: str
  ignored_farms:
    description:
      - Data farms that may be broken, such as V(cashfarm), for a client that does not need them; a name's part after
        its first dot may be left out. Any other farm that is broken is C(api_state) V(degraded).
      - Defaults to the descriptor's with O(gateway_name), else to none.
    type: list
    elements: str
"""

    SETTLE = r"""
options:
  settle:
    description:
      - How long after the start of the session reports of trouble are collected, in seconds; they follow the
        accounts.
      - By default 0.3, or less once the gateway has reported on every kind of data farm and is silent for 0.03. A
        number is kept in full. V(0) is fastest and sees less.
    type: float
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in
      diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation
      indicates no change.
"""

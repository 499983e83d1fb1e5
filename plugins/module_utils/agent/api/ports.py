# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a gateway and of its container, by mode; tests/lint/one_truth.py compares all other places with them."""

from __future__ import annotations

# The API on the container's own loopback; by convention also the port on the VM's loopback.
API = {"live": 4001, "paper": 4002}
# The image's relay (socat), which the container publishes.
RELAY = {"live": 4003, "paper": 4004}
# The same for TWS, which the desktop image runs instead of the gateway (gnzsnz/ib-gateway-docker, common.sh,
# set_ports).
TWS_API = {"live": 7496, "paper": 7497}
TWS_RELAY = {"live": 7498, "paper": 7499}
API_OF = {"gateway": API, "tws": TWS_API}
# The desktop image's RDP server (xrdp), inside the container only.
RDP = 3389
# The container's VNC server, and the VM's loopback while a desktop is open.
VNC = 5900
DESKTOP = {"live": 5901, "paper": 5902}
# The Client Portal Gateway, in the container and on the VM's loopback.
PORTAL = 5000

USUAL = ", ".join(f"{mode} {port}" for mode, port in API.items())

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a gateway and of its container, by mode; tests/lint/one_truth.py holds all other places against them."""

from __future__ import annotations

# Of the API on the container's own loopback; by convention also where the VM's loopback publishes it.
API = {"live": 4001, "paper": 4002}
# Of the image's relay (socat), which the container publishes.
RELAY = {"live": 4003, "paper": 4004}
# The same of TWS, which the desktop image has in the gateway's place (gnzsnz/ib-gateway-docker, common.sh, set_ports).
TWS_API = {"live": 7496, "paper": 7497}
TWS_RELAY = {"live": 7498, "paper": 7499}
API_OF = {"gateway": API, "tws": TWS_API}
# Of the desktop image's RDP server (xrdp), in the container alone.
RDP = 3389
# Of the container's VNC server, and of the VM's loopback while a desktop is open.
VNC = 5900
DESKTOP = {"live": 5901, "paper": 5902}
# Of the Client Portal Gateway, in the container and on the VM's loopback.
PORTAL = 5000

USUAL = ", ".join(f"{mode} {port}" for mode, port in API.items())

#!/bin/bash
# Relays the API, which listens on loopback only, to the container's other addresses.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # set by run.sh
while true; do
	printf 'Forking :::%d onto 0.0.0.0:%d > trading mode %s \n' "$API_PORT" "$SOCAT_PORT" "$TRADING_MODE"
	socat "TCP-LISTEN:${SOCAT_PORT},fork" "TCP:127.0.0.1:${API_PORT}"
	sleep "${SSH_RESTART:-5}"
done

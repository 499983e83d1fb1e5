#!/bin/bash
# Sends one command to IBC's command server and prints its reply.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
(
	echo "$1"
	sleep 1
	echo "EXIT"
	sleep 1
) | telnet "${IBC_COMMAND_HOST:-127.0.0.1}" "${IBC_COMMAND_PORT:-7462}"

#!/bin/bash
# Keeps a reverse SSH tunnel to the API open.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # set by run.sh
read -ra words <<<"$SSH_ALL_OPTIONS -TNR 127.0.0.1:${API_PORT}:localhost:${SSH_REMOTE_PORT} ${SSH_SCREEN:-} $SSH_USER_TUNNEL"
while true; do
	echo ".> Starting ssh tunnel with ssh sock: ${SSH_AUTH_SOCK:-}"
	ssh "${words[@]}"
	sleep "${SSH_RESTART:-5}"
done

#!/bin/bash
# Keeps a reverse SSH tunnel to the API open.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # set by run.sh
forwards=(-R "127.0.0.1:${SSH_REMOTE_PORT:-$API_PORT}:localhost:${API_PORT}")
if [[ -n ${SSH_VNC_PORT:-} ]]; then
	forwards+=(-R "127.0.0.1:${SSH_VNC_PORT}:localhost:5900")
fi
read -ra extra <<<"${SSH_OPTIONS:-}"
if [[ -f $HOME/.ssh-agent.env ]]; then
	# shellcheck disable=SC1091  # written by common.sh
	source "$HOME/.ssh-agent.env" >/dev/null
fi
while true; do
	echo ".> Starting ssh tunnel to ${SSH_USER_TUNNEL}"
	ssh -o "ServerAliveInterval=${SSH_ALIVE_INTERVAL:-20}" -o "ServerAliveCountMax=${SSH_ALIVE_COUNT:-3}" \
		"${extra[@]}" -TNn "${forwards[@]}" "$SSH_USER_TUNNEL"
	sleep "${SSH_RESTART:-5}"
done

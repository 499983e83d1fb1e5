#!/bin/bash
# Functions that run.sh calls. What they print is what the real image's common.sh prints (gnzsnz/ib-gateway-docker at
# commit b2c0259). STANDIN_TMP is for tests: what stands for /tmp.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # most variables come from the image's environment

# file_env VAR: takes the value from the file that VAR_FILE names, unless VAR itself is set.
file_env() {
	local name=$1 file_name=${1}_FILE
	if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
		printf 'error: both %s and %s are set (but are exclusive)\n' "$name" "$file_name" >&2
		exit 1
	fi
	if [[ -n ${!file_name:-} ]]; then
		local content
		content=$(<"${!file_name}")
		export "$name=$content"
	fi
}

# unset_env VAR: forgets a value that came from a file, so that no child inherits it.
unset_env() {
	local file_name=${1}_FILE
	if [[ -n ${!file_name:-} ]]; then
		unset "$1"
	fi
}

set_ports() {
	case ${TRADING_MODE:-} in
		live) API_PORT=4001 SOCAT_PORT=4003 ;;
		paper) API_PORT=4002 SOCAT_PORT=4004 ;;
		*)
			echo ".> Invalid TRADING_MODE: ${TRADING_MODE:-}"
			exit 1
			;;
	esac
	case $GATEWAY_OR_TWS-$TRADING_MODE in
		tws-live) API_PORT=7496 SOCAT_PORT=7498 ;;
		tws-paper) API_PORT=7497 SOCAT_PORT=7499 ;;
	esac
	export API_PORT SOCAT_PORT
	echo ".> API_PORT set to: ${API_PORT}"
	echo ".> SOCAT_PORT set to: ${SOCAT_PORT}"
}

apply_settings() {
	if [[ ${CUSTOM_CONFIG:-} == yes ]]; then
		echo ".> Using CUSTOM_CONFIG, (value:${CUSTOM_CONFIG})"
		return
	fi
	echo ".> Appling settings to IBC's config.ini"
	file_env TWS_PASSWORD
	envsubst <"$IBC_INI_TMPL" >"$IBC_INI"
	unset_env TWS_PASSWORD
	chmod 600 "$IBC_INI"

	local jts_directory=$TWS_PATH
	if [[ -n ${TWS_SETTINGS_PATH:-} ]]; then
		echo ".> Settings directory set to: ${TWS_SETTINGS_PATH}"
		jts_directory=$TWS_SETTINGS_PATH
		if [[ ! -d $jts_directory ]]; then
			echo ".> Creating directory: ${jts_directory}"
			mkdir "$jts_directory"
		fi
	else
		echo ".> Settings directory NOT set, defaulting to: ${TWS_PATH}"
	fi
	if [[ -e $jts_directory/$TWS_INI ]]; then
		echo ".> File jts.ini already exists, not setting timezone"
	else
		echo ".> Setting timezone in ${jts_directory}/${TWS_INI}"
		envsubst <"$TWS_PATH/$TWS_INI_TMPL" >"$jts_directory/$TWS_INI"
	fi
}

set_java_heap() {
	local options=$TWS_PATH/ibgateway/$TWS_MAJOR_VRSN/ibgateway.vmoptions
	if [[ -n ${JAVA_HEAP_SIZE:-} ]]; then
		sed -i "s/-Xmx768m/-Xmx${JAVA_HEAP_SIZE}m/g" "$options"
		echo ".> Java heap size set to ${JAVA_HEAP_SIZE}m"
	else
		echo ".> Usign default Java heap size 768m."
	fi
}

start_xvfb() {
	echo ".> Starting Xvfb server"
	export DISPLAY=:1
	rm -f "${STANDIN_TMP:-/tmp}/.X1-lock"
	Xvfb "$DISPLAY" -ac -screen 0 1024x768x16 &
}

wait_x_socket() {
	local socket=${STANDIN_TMP:-/tmp}/.X11-unix/X${DISPLAY#:} attempt
	if [[ -S $socket ]]; then
		return
	fi
	echo ".> Waiting for Xvfb socket on ${DISPLAY}..."
	for ((attempt = 0; attempt < 200; attempt++)); do
		if [[ -S $socket ]]; then
			echo ".> Xvfb socket ready!"
			return
		fi
		sleep 0.05
	done
	echo "Error: Timed out waiting for Xvfb socket!"
	exit 1
}

start_vnc() {
	wait_x_socket
	file_env VNC_SERVER_PASSWORD
	if [[ -n ${VNC_SERVER_PASSWORD:-} ]]; then
		echo ".> Starting VNC server"
		x11vnc -display "$DISPLAY" -forever -shared -bg -noipv6 -passwd "$VNC_SERVER_PASSWORD" &
		unset_env VNC_SERVER_PASSWORD
	else
		echo ".> VNC server disabled"
	fi
}

setup_ssh() {
	if [[ ${SSH_TUNNEL:-} != yes && ${SSH_TUNNEL:-} != both ]]; then
		echo ".> SSH tunnel disabled"
		return
	fi
	echo ".> Setting SSH tunnel"
	export SSH_ALL_OPTIONS="-o ServerAliveInterval=${SSH_ALIVE_INTERVAL:-20} -o ServerAliveCountMax=${SSH_ALIVE_COUNT:-3}"
	SSH_ALL_OPTIONS+=${SSH_OPTIONS:+ $SSH_OPTIONS}
	echo ".> SSH options: ${SSH_ALL_OPTIONS}"
	file_env SSH_PASSPHRASE
	if [[ -z ${SSH_PASSPHRASE:-} ]]; then
		return
	fi
	local environment=$HOME/.ssh-agent.env
	if pgrep ssh-agent >/dev/null; then
		echo ".> ssh-agent already running"
		if [[ -z ${SSH_AUTH_SOCK:-} ]]; then
			echo ".> Loading agent environment"
			# shellcheck disable=SC1090  # written at an earlier start
			source "$environment"
		fi
	else
		echo ".> Starting ssh-agent."
		(umask 077 && ssh-agent >"$environment")
		# shellcheck disable=SC1090  # written by the line above
		source "$environment"
	fi
	echo ".> ssh-agent sock: ${SSH_AUTH_SOCK}"
	if compgen -G "$HOME/.ssh/id_*" >/dev/null; then
		echo ".> Adding keys to ssh-agent."
		SSH_ASKPASS_REQUIRE=never SSHPASS=$SSH_PASSPHRASE sshpass -e -P "passphrase" ssh-add
		unset_env SSH_PASSPHRASE
		echo ".> ssh-agent identities: $(ssh-add -l)"
	else
		echo ".> SSH keys not found, ssh-agent not started"
	fi
}

start_ssh() {
	if [[ -n $(pgrep -f "127.0.0.1:${API_PORT}:localhost:") ]]; then
		echo ".> SSH tunnel already active. Not starting a new one"
		return
	fi
	if ! pgrep ssh-agent >/dev/null; then
		echo ".> ssh-agent is NOT running. Not starting a tunnel"
		return
	fi
	export SSH_REMOTE_PORT=${SSH_REMOTE_PORT:-$API_PORT}
	echo ".> SSH_REMOTE_PORT set to :${SSH_REMOTE_PORT}"
	export SSH_SCREEN=
	if [[ -n ${SSH_VNC_PORT:-} ]] && pgrep x11vnc >/dev/null; then
		SSH_SCREEN="-R 127.0.0.1:5900:localhost:${SSH_VNC_PORT}"
		echo ".> SSH_VNC_TUNNEL set to :${SSH_SCREEN}"
	fi
	"$SCRIPT_PATH/run_ssh.sh" &
}

start_socat() {
	if [[ -n $(pgrep -f "fork TCP:127.0.0.1:${API_PORT}") ]]; then
		echo ".> socat already active. Not starting a new one"
		return
	fi
	"$SCRIPT_PATH/run_socat.sh" &
}

port_forwarding() {
	echo ".> Starting Port Forwarding."
	if [[ ${SSH_TUNNEL:-} == yes || ${SSH_TUNNEL:-} == both ]]; then
		echo ".> Starting SSH Tunnel"
		if [[ ${SSH_TUNNEL:-} == both ]]; then
			echo ".> Starting socat"
			start_socat
		fi
		start_ssh
	else
		echo ".> Starting socat"
		start_socat
	fi
}

# run_scripts DIRECTORY: runs the *.sh of a directory in alphabetical order; a failure is not one.
run_scripts() {
	local directory=$1 file
	if [[ ! -d $directory ]]; then
		echo "> No start scripts defined on ${directory}"
		return
	fi
	echo "> Running start up scripts on ${directory}"
	for file in "$directory"/*.sh; do
		echo "> Running ${file}"
		if ! { [[ -f $file ]] && bash "$file"; }; then
			echo "File ${file} not found."
		fi
	done
}

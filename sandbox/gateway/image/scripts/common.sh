#!/bin/bash
# Functions that run.sh calls, in the order of the real image's start-up.
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
	rm -f /tmp/.X1-lock
	Xvfb "$DISPLAY" -ac -screen 0 1024x768x16 &
}

wait_x_socket() {
	echo ".> Waiting for Xvfb socket on ${DISPLAY}..."
	local attempt
	for ((attempt = 0; attempt < 200; attempt++)); do
		if [[ -S /tmp/.X11-unix/X${DISPLAY#:} ]]; then
			echo ".> Xvfb socket ready!"
			return
		fi
		sleep 0.05
	done
	echo "Error: Timed out waiting for Xvfb socket!" >&2
	exit 1
}

start_vnc() {
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
	if [[ -z ${SSH_TUNNEL:-} ]]; then
		echo ".> SSH tunnel disabled"
		return
	fi
	echo ".> Setting SSH tunnel"
	file_env SSH_PASSPHRASE
	if [[ -n ${SSH_PASSPHRASE:-} ]]; then
		echo ".> Starting ssh-agent."
		local environment=$HOME/.ssh-agent.env
		(umask 077 && ssh-agent >"$environment")
		# shellcheck disable=SC1090  # written by the line above
		source "$environment" >/dev/null
		SSHPASS=$SSH_PASSPHRASE sshpass -e -P "passphrase" ssh-add
		unset_env SSH_PASSPHRASE
	fi
}

port_forwarding() {
	echo ".> Starting Port Forwarding."
	if [[ ${SSH_TUNNEL:-} == yes || ${SSH_TUNNEL:-} == both ]]; then
		echo ".> Starting SSH tunnel"
		"$SCRIPT_PATH/run_ssh.sh" &
	fi
	if [[ ${SSH_TUNNEL:-} != yes ]]; then
		echo ".> Starting socat"
		"$SCRIPT_PATH/run_socat.sh" &
	fi
}

# run_scripts WHAT DIRECTORY: runs the *.sh of a directory under $HOME in alphabetical order; a failure is not one.
run_scripts() {
	local directory=$HOME/$2 file
	if [[ -z $2 ]]; then
		return
	fi
	if [[ ! -d $directory ]]; then
		echo "> No $1 scripts defined on ${directory}"
		return
	fi
	echo "> Running $1 scripts on ${directory}"
	for file in "$directory"/*.sh; do
		echo "> Running ${file}"
		bash "$file" || echo "File ${file} not found."
	done
}

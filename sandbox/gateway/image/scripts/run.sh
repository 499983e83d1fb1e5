#!/bin/bash
# The start of the container: the same steps, in the same order and with the same log lines as the real image.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # most variables come from the image's environment
set -Eeo pipefail

echo "*************************************************************************"
echo ".> Starting IBC/IB gateway"
echo "*************************************************************************"
# shellcheck source=common.sh
source "$SCRIPT_PATH/common.sh"

pids=()

# shellcheck disable=SC2317,SC2329  # called by the trap
stop_ibc() {
	echo ".> 😘 Received SIGINT or SIGTERM. Shutting down IB Gateway."
	if pgrep x11vnc >/dev/null; then
		echo ".> Stopping x11vnc."
		pkill x11vnc
	fi
	if [[ -n $controller ]]; then
		stop_controller
		return
	fi
	echo ".> Stopping Xvfb."
	pkill Xvfb
	if [[ -n ${SSH_TUNNEL:-} ]]; then
		echo ".> Stopping ssh."
		pkill run_ssh.sh
		pkill ssh
	fi
	echo ".> Stopping socat."
	pkill run_socat.sh
	pkill socat
	echo ".> Stopping IBC."
	kill -SIGTERM "${pids[@]}"
	wait "${pids[@]}"
	echo ".> Done... $?"
}

start_ibc() {
	echo ".> Starting IBC in ${TRADING_MODE} mode, with params:"
	echo ".>		Version: ${TWS_MAJOR_VRSN}"
	echo ".>		program: ${IBC_COMMAND:-gateway}"
	echo ".>		tws-path: ${TWS_PATH}"
	echo ".>		ibc-path: ${IBC_PATH}"
	echo ".>		ibc-init: ${IBC_INI}"
	echo ".>		tws-settings-path: ${TWS_SETTINGS_PATH:-$TWS_PATH}"
	echo ".>		on2fatimeout: ${TWOFA_TIMEOUT_ACTION:-}"
	"$IBC_PATH/scripts/ibcstart.sh" "$TWS_MAJOR_VRSN" -g \
		"--tws-path=${TWS_PATH}" \
		"--ibc-path=${IBC_PATH}" "--ibc-ini=${IBC_INI}" \
		"--on2fatimeout=${TWOFA_TIMEOUT_ACTION:-}" \
		"--tws-settings-path=${TWS_SETTINGS_PATH:-}" &
	pids+=("$!")
	echo "$!" >"${STANDIN_TMP:-/tmp}/pid_${TRADING_MODE}"
}

# ibg-controller's image has this script of its own, which starts IBC unless it is told otherwise.
controller=
if [[ ${USE_IBG_CONTROLLER:-} == yes && -e $SCRIPT_PATH/gateway_controller.py ]]; then controller=yes; fi

start_window_manager() {
	wait_x_socket
	echo ".> Starting matchbox window manager."
	sleep 1
}

start_controller() {
	export GATEWAY_INPUT_AGENT_SOCKET=/tmp/gateway-input-${TRADING_MODE}.sock
	export CONTROLLER_READY_FILE=${STANDIN_TMP:-/tmp}/gateway_ready_${TRADING_MODE}
	echo ".> Starting Gateway controller in ${TRADING_MODE} mode."
	echo ".>		Version: ${TWS_MAJOR_VRSN}"
	echo ".>		tws-path: ${TWS_PATH}"
	echo ".>		tws-settings-path: ${TWS_SETTINGS_PATH:-$TWS_PATH}"
	if [[ -n ${CONTROLLER_COMMAND_SERVER_PORT:-} ]]; then
		echo ".>		command-server-port: ${CONTROLLER_COMMAND_SERVER_PORT}"
	fi
	if [[ -n ${CONTROLLER_HEALTH_SERVER_PORT:-} ]]; then
		echo ".>		health-server-port: ${CONTROLLER_HEALTH_SERVER_PORT}"
	fi
	echo ".>		agent-socket: ${GATEWAY_INPUT_AGENT_SOCKET}"
	echo ".>		ready-file:   ${CONTROLLER_READY_FILE}"
	echo ".>		jts-config:   ${TWS_SETTINGS_PATH:-$TWS_PATH}"
	local socket=${STANDIN_SOCKET:-/tmp/standin.sock}
	rm -f "$CONTROLLER_READY_FILE" "${socket%.sock}.json"
	file_env TWS_PASSWORD
	python3 "$SCRIPT_PATH/gateway_controller.py" &
	pids+=("$!")
	echo "$!" >"${STANDIN_TMP:-/tmp}/pid_${TRADING_MODE}"
	unset_env TWS_PASSWORD
}

# Until it returns, bash as process 1 hears no SIGTERM, and the end of the controller is not noticed.
wait_for_controller() {
	local second=0 length=1
	if ((${STANDIN_SPEED:-1} > 1)); then printf -v length '0.%03d' $((1000 / STANDIN_SPEED)); fi
	echo ".> Waiting for Gateway controller to signal readiness (${CONTROLLER_READY_FILE})."
	while [[ ! -f $CONTROLLER_READY_FILE ]] && ((second < 300)); do
		sleep "$length"
		((++second % 10)) || echo ".>		(${second}s elapsed)"
	done
	if [[ -f $CONTROLLER_READY_FILE ]]; then
		echo ".> Controller ready (${TRADING_MODE}) after ${second}s."
	else
		echo ".> WARNING: controller readiness timeout after 300s in ${TRADING_MODE} mode; starting socat anyway"
	fi
}

# shellcheck disable=SC2317,SC2329  # called by the trap
stop_controller() {
	echo ".> Stopping IBC / controller (clean logout phase)."
	kill -SIGTERM "${pids[@]}"
	wait "${pids[@]}"
	local code=$?
	echo ".> Stopping Xvfb."
	pkill Xvfb
	echo ".> Stopping socat."
	pkill run_socat.sh || true
	pkill socat
	echo ".> Stopping window manager."
	echo ".> Done... ${code}"
}

start_process() {
	set_ports
	apply_settings
	if [[ -n $controller ]]; then
		start_controller
		wait_for_controller
		port_forwarding
	else
		port_forwarding
		start_ibc
	fi
}

if [[ -n ${START_SCRIPTS:-} ]]; then run_scripts "$HOME/$START_SCRIPTS"; fi
start_xvfb
if [[ -n $controller ]]; then start_window_manager; fi
setup_ssh
set_java_heap
start_vnc
if [[ -n ${X_SCRIPTS:-} ]]; then run_scripts "$HOME/$X_SCRIPTS"; fi

if [[ ${TRADING_MODE:-} == both || ${DUAL_MODE:-} == yes ]]; then
	export DUAL_MODE=yes
	export TRADING_MODE=live
	settings_path=${TWS_SETTINGS_PATH:-$TWS_PATH} ini=$IBC_INI
	export TWS_SETTINGS_PATH=${settings_path}_live IBC_INI=${ini}_live
	export STANDIN_SOCKET=/tmp/standin_live.sock
	start_process

	export TRADING_MODE=paper TWS_USERID=${TWS_USERID_PAPER:-}
	# a password in a variable for one mode and in a file for the other is refused by file_env
	if [[ -n ${TWS_PASSWORD_PAPER:-} ]]; then export TWS_PASSWORD=$TWS_PASSWORD_PAPER; fi
	if [[ -n ${TWS_PASSWORD_PAPER_FILE:-} ]]; then export TWS_PASSWORD_FILE=$TWS_PASSWORD_PAPER_FILE; fi
	export TWS_SETTINGS_PATH=${settings_path}_paper IBC_INI=${ini}_paper
	export STANDIN_SOCKET=/tmp/standin_paper.sock
	export SSH_REMOTE_PORT=
	sleep "${STANDIN_DUAL_SECONDS:-15}"
	start_process
else
	start_process
fi

if [[ -n ${IBC_SCRIPTS:-} ]]; then run_scripts "$HOME/$IBC_SCRIPTS"; fi

trap stop_ibc INT TERM
wait "${pids[@]}"
exit "$?"

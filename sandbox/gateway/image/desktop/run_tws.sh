#!/bin/bash
# The start of TWS in the desktop's session: the same steps, in the same order and with the same log lines as
# tws-rdesktop's run_tws.sh (gnzsnz/ib-gateway-docker at b2c0259), but for the settings of its desktop.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # most variables come from the image's environment
set -Eeo pipefail

echo "*************************************************************************"
echo ".> Starting IBC/TWS"
echo "*************************************************************************"
# shellcheck source=../scripts/common.sh
source "$SCRIPT_PATH/common.sh"

echo ".> Running as user"
id
if [[ -n ${X_SCRIPTS:-} ]]; then run_scripts "$HOME/$X_SCRIPTS"; fi
setup_ssh
set_java_heap
set_ports
apply_settings
port_forwarding
echo ".> Starting IBC in ${TRADING_MODE} mode, with params:"
echo ".>		Version: ${TWS_MAJOR_VRSN}"
echo ".>		program: ${IBC_COMMAND:-gateway}"
echo ".>		tws-path: ${TWS_PATH}"
echo ".>		ibc-path: ${IBC_PATH}"
echo ".>		ibc-init: ${IBC_INI}"
echo ".>		tws-settings-path: ${TWS_SETTINGS_PATH:-$TWS_PATH}"
echo ".>		on2fatimeout: ${TWOFA_TIMEOUT_ACTION:-}"
"$IBC_PATH/scripts/ibcstart.sh" "$TWS_MAJOR_VRSN" \
	"--tws-path=${TWS_PATH}" \
	"--ibc-path=${IBC_PATH}" "--ibc-ini=${IBC_INI}" \
	"--on2fatimeout=${TWOFA_TIMEOUT_ACTION:-}" \
	"--tws-settings-path=${TWS_SETTINGS_PATH:-}" &
pid=$!
echo "$pid" >"${STANDIN_TMP:-/tmp}/pid_${TRADING_MODE}"
if [[ -n ${IBC_SCRIPTS:-} ]]; then run_scripts "$HOME/$IBC_SCRIPTS"; fi
wait "$pid"
echo ".> ************************** End run_tws.sh ******************************** <."

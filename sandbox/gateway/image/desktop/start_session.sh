#!/bin/bash
# The service that opens the desktop's session and starts TWS in it: what it does and prints, and in which order, is
# what tws-rdesktop's start_session.sh does (gnzsnz/ib-gateway-docker at b2c0259).
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2154  # most variables come from the image's environment
set -Eeo pipefail

echo "*************************************************************************"
echo ".> Launching IBC/TWS service"
echo "*************************************************************************"
# shellcheck source=../scripts/common.sh
source "$SCRIPT_PATH/common.sh"

file_env PASSWD
password=${PASSWD:-abc}
echo ".> Setting user password"
chpasswd <<<"abc:$password"
unset_env PASSWD
id
if [[ -n ${TZ:-} ]]; then
	echo ".> Setting timezone to: ${TZ}"
	echo "$TZ" >/etc/timezone
fi
if [[ -n ${START_SCRIPTS:-} ]]; then run_scripts "$HOME/$START_SCRIPTS"; fi

echo ".> Openning Xrdp session"
session=$(xrdp-sesrun -s 127.0.0.1 -F 0 abc <<<"$password")
unset password
DISPLAY=$(sed -n 's/^ok .*display=\([^ ]*\).*/\1/p' <<<"$session")
if [[ -n $DISPLAY ]]; then
	export DISPLAY
	echo ".> Xrdp started on DISPLAY=${DISPLAY}"
fi
echo ".> Setting permissions for ${TWS_PATH} and ${IBC_PATH}"
chown abc:abc -R /opt "$TWS_PATH" "$IBC_PATH"
sudo -EH -u abc "$SCRIPT_PATH/run_tws.sh"

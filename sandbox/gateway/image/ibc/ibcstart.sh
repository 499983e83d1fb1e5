#!/bin/bash
# IBC's start script: runs the gateway again for as long as its exit code and its flag files ask for it.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

fail() {
	echo "Error: $2" >&2
	exit "$1"
}

version='' tws_path='' ibc_path='' ibc_ini='' on_timeout='' settings_path='' mode=''
for argument; do
	case $argument in
		-g | --gateway) ;;
		--tws-path=*) tws_path=${argument#*=} ;;
		--ibc-path=*) ibc_path=${argument#*=} ;;
		--ibc-ini=*) ibc_ini=${argument#*=} ;;
		--mode=*) mode=${argument#*=} ;;
		--on2fatimeout=*) on_timeout=${argument#*=} ;;
		--tws-settings-path=*) settings_path=${argument#*=} ;;
		-*) fail 3 "Invalid parameter '${argument}'" ;;
		*)
			[[ -z $version ]] || fail 3 "Invalid parameter '${argument}'"
			version=$argument
			;;
	esac
done
settings_path=${settings_path:-$tws_path}
java=${STANDIN_JAVA:-$tws_path/jre/bin/java}

[[ -n $version ]] || fail 2 "Missing the TWS version"
case ${mode,,} in '' | live | paper) ;; *) fail 3 "Invalid mode '${mode}': use live or paper" ;; esac
case ${on_timeout,,} in '' | exit | restart) ;; *) fail 3 "Invalid on2fatimeout '${on_timeout}': use exit or restart" ;; esac
program=$tws_path/ibgateway/$version
[[ -d $program ]] || fail 4 "TWS version ${version} is not installed in ${tws_path}"
[[ -d $ibc_path ]] || fail 5 "IBC path ${ibc_path} does not exist"
[[ -d $settings_path ]] || fail 5 "settings path ${settings_path} does not exist"
[[ -f $ibc_ini ]] || fail 6 "IBC configuration file ${ibc_ini} does not exist"
[[ -f $program/ibgateway.vmoptions ]] || fail 7 "${program}/ibgateway.vmoptions does not exist"
[[ -x $java ]] || fail 1 "Can't find a suitable Java installation"
if [[ -e $program/ibgateway ]]; then
	mv "$program/ibgateway" "$program/ibgateway1" # so that only IBC starts it
fi

session_id=$$-$(date +%s)
state=${STANDIN_SOCKET:-/tmp/standin.sock}
rm -f "${state%.sock}.json"

# find_token: sets restart_directory to the login directory that holds an autorestart file.
find_token() {
	local files
	echo "Finding autorestart file"
	restart_directory=''
	shopt -s nullglob
	files=("$settings_path"/*/autorestart)
	shopt -u nullglob
	if ((${#files[@]} > 1)); then
		echo "multiple autorestart files found: deleting them"
		rm -f "${files[@]}"
	fi
	if ((${#files[@]} == 1)); then
		echo "autorestart file found at ${files[0]}: authentication will not be required"
		restart_directory=$(basename "$(dirname "${files[0]}")")
	else
		echo "autorestart file not found: full authentication will be required"
	fi
}

# take_flag NAME: whether the gateway left this flag file; it is deleted.
take_flag() {
	[[ -e $settings_path/$1$session_id ]] && rm "$settings_path/$1$session_id"
}

child=
# shellcheck disable=SC2317,SC2329  # called by the trap
terminate() {
	kill -TERM "$child" 2>/dev/null
	wait "$child"
	exit 143
}
trap terminate TERM INT

echo "Starting Gateway ${version} with IBC"
find_token
while true; do
	"$java" -m ibgw_standin.ibc "$ibc_ini" "$settings_path" "$session_id" ${restart_directory:+"$restart_directory"} &
	child=$!
	wait "$child"
	status=$?
	echo "IBC returned exit status ${status}"
	if ((status == 88)); then
		continue # the real script means to wait two seconds here, and only says so
	fi
	if take_flag COLDRESTART; then
		echo "IBC will cold-restart shortly"
		restart_directory=''
		continue
	fi
	find_token
	if [[ -n $restart_directory ]]; then
		if take_flag PAUSE; then
			echo "IBC is paused"
			break
		fi
		continue
	fi
	if ((status != 87)) || [[ ${on_timeout,,} != restart ]]; then
		break
	fi
done
echo "Gateway finished"
exit "$status"

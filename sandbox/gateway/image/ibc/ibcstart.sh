#!/bin/bash
# IBC's start script: runs the gateway again for as long as its exit code and its flag files ask for it. What it prints,
# and in which order, is what resources/scripts/ibcstart.sh of IBC prints at commit 2fee90c.
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# error_exit CODE LINE...: what is wrong, and the end.
error_exit() {
	printf '\n%s\n\n\n\nError: %s\n' "=========================== An error has occurred =============================" "$2" >&2
	local line
	for line in "${@:3}"; do printf '       %s\n' "$line" >&2; done
	exit "$1"
}

echo "Parsing arguments"
kind=TWS entry=ibcalpha.ibc.IbcTws
version='' tws_path='' ibc_path='' ibc_ini='' on_timeout='' settings_path='' mode=''
for argument; do
	case $argument in
		-g | --gateway) kind=Gateway entry=ibcalpha.ibc.IbcGateway ;;
		--tws-path=*) tws_path=${argument#*=} ;;
		--ibc-path=*) ibc_path=${argument#*=} ;;
		--ibc-ini=*) ibc_ini=${argument#*=} ;;
		--mode=*) mode=${argument#*=} ;;
		--on2fatimeout=*) on_timeout=${argument#*=} ;;
		--tws-settings-path=*) settings_path=${argument#*=} ;;
		-*) error_exit 3 "Invalid parameter '${argument}'" ;;
		*)
			[[ -z $version ]] || error_exit 3 "Invalid parameter '${argument}'"
			version=$argument
			;;
	esac
done
case ${mode,,} in
	'' | live | paper) ;;
	*) error_exit 3 "Trading mode set to ${mode} but must be either 'live' or 'paper' (case-insensitive)" ;;
esac
case ${on_timeout,,} in
	'' | exit | restart) ;;
	*) error_exit 3 "2FA timeout action set to ${on_timeout} but must be either 'restart' or 'exit' (case-insensitive)" ;;
esac

rule="================================================================================"
printf '\n%s\n\nStarting IBC version %s on %(%Y-%m-%d)T at %(%T)T\n\n' "$rule" '' -1 -1
printf 'Operating system: %s\n\nArguments:\n\n' "$(uname -a)"
printf '%s\n' "TWS version = ${version}" "Program = ${kind}" "Entry point = ${entry}" \
	"--tws-path = ${tws_path}" "--tws-settings-path = ${settings_path}" "--ibc-path = ${ibc_path}" \
	"--ibc-ini = ${ibc_ini}" "--mode = ${mode}" "--java-path = " "--user =" "--pw =" "--fix-user =" "--fix-pw =" ""

settings_path=${settings_path:-$tws_path}
program=$tws_path/ibgateway/$version
[[ -n $version ]] || error_exit 2 "TWS major version number has not been supplied"
[[ -d $settings_path ]] || error_exit 5 "TWS settings path: ${settings_path} does not exist"
[[ -d $program ]] || error_exit 4 "Offline TWS/Gateway version ${version} is not installed: can't find jars folder" \
	"Make sure you install the offline version of TWS/Gateway" "IBC does not work with the auto-updating TWS/Gateway"
[[ -d $ibc_path ]] || error_exit 5 "IBC path: ${ibc_path} does not exist"
[[ -f $ibc_ini ]] || error_exit 6 "IBC configuration file: ${ibc_ini}  does not exist"
[[ -f $program/ibgateway.vmoptions ]] ||
	error_exit 7 "Neither tws.vmoptions nor ibgateway.vmoptions could be found"

classpath=$program/jars/standin.jar:$program/.install4j/i4jruntime.jar:$ibc_path/IBC.jar
printf '=================================\nGenerating the classpath\nClasspath=%s\n\n' "$classpath"

session_id=$(mktemp -u XXXXXXXX)
options="$(tr '\n' ' ' <"$program/ibgateway.vmoptions")-DjtsConfigDir=${settings_path} -Dibcsessionid=${session_id}"
printf 'Generating the JAVA VM options\nJava VM Options=%s\n' "$options"

# find_token: whether a JVM follows, in $again; the login directory of a token, in $restart_directory, which keeps its
# value where there is none (as in IBC's script).
find_token() {
	local found='' first='' file
	echo "Finding autorestart file"
	again=''
	shopt -s nullglob
	for file in "$settings_path"/*/autorestart; do
		if [[ -z $first ]]; then
			first=$file
			echo "autorestart file found at ${file}: authentication will not be required"
			found=$(basename "$(dirname "$file")")
		else
			found=''
			echo "WARNING: deleting extra autorestart file found at ${file}"
			rm "$file"
			echo "WARNING: deleting first autorestart file found"
			rm "$first"
		fi
	done
	shopt -u nullglob
	if [[ -n $found ]]; then
		restart_directory=$found
		echo "AUTORESTART_OPTION is -Drestart=${found}"
		again=yes
	elif [[ -n $first ]]; then
		cat <<-'END'
			*******************************************************************************
			WARNING: More than one autorestart file was found. IBC can't determine which is
			         the right one, so they've all been deleted. Full authentication will
			         be required.

			         If you have two or more TWS/Gateway instances with the same setting
			         for TWS_SETTINGS_PATH, you should ensure that they are configured with
			         different autorestart times, to avoid creation of multiple autorestart
			         files.
			*******************************************************************************

		END
		again=yes
	else
		echo "autorestart file not found: full authentication will be required"
		echo
	fi
}

restart_directory=''
find_token
echo

echo "Determining the location of java executable"
java=${STANDIN_JAVA:-$tws_path/jre/bin/java}
[[ -x $java ]] || error_exit 1 "Can\\'t find suitable Java installation"
java_path=$(dirname "$java")
printf '    java.runtime.version = %s\nLocation of java executable=%s\n\n' standin "$java_path"
echo "Renaming IB's TWS or Gateway start script to prevent restart without IBC"
if [[ -e $program/ibgateway ]]; then
	mv "$program/ibgateway" "$program/ibgateway1"
fi
echo

access=--add-opens=java.base/java.util=ALL-UNNAMED
state=${STANDIN_SOCKET:-/tmp/standin.sock}
rm -f "${state%.sock}.json"

while true; do
	echo "Starting ${kind} with this command:"
	restart=${restart_directory:+ -Drestart=$restart_directory}
	echo "\"${java}\" ${access} -cp \"${classpath}\" ${options}${restart} ${entry} \"${ibc_ini}\"  "
	echo
	trap 'kill -TERM "$child"' TERM INT
	"$java" -m ibgw_standin.ibc "$ibc_ini" "$settings_path" "$session_id" ${restart_directory:+"$restart_directory"} &
	child=$!
	wait "$child"
	trap - TERM INT
	wait "$child"
	status=$(($? % 256))
	echo "IBC returned exit status ${status}"
	if ((status == 88)); then
		:
	elif [[ -e $settings_path/COLDRESTART$session_id ]]; then
		rm "$settings_path/COLDRESTART$session_id"
		restart_directory=''
		echo "IBC will cold-restart shortly"
	else
		find_token
		if [[ -n $again ]]; then
			if [[ -e $settings_path/PAUSE$session_id ]]; then
				rm "$settings_path/PAUSE$session_id"
				echo "IBC is paused"
				break
			fi
		elif ((status != 87)) || [[ ${on_timeout,,} != restart ]]; then
			break
		fi
	fi
	echo "IBC will restart shortly"
	echo "sleep 2" # only said, by IBC's script too
done

echo "${kind} finished"
echo
exit "$status"

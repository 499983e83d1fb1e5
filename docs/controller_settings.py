# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of role gateway that ibg-controller can keep, and those that it cannot, for the reference.

Source: docs and source of ibg-controller 0.12.0 (13422e4).
"""

from __future__ import annotations

from ansible_collections.ibops.gateway.plugins.module_utils.rules.ibc_settings import BYPASS

KEPT = {
    "gateway_existing_session_action": "EXISTING_SESSION_DETECTED_ACTION",
    "gateway_second_factor_relogin": "RELOGIN_AFTER_TWOFA_TIMEOUT, one more push instead of one every three minutes",
    "gateway_master_client_id": "TWS_MASTER_CLIENT_ID",
    "gateway_read_only_api": "READ_ONLY_API",
    "gateway_auto_restart_time": "AUTO_RESTART_TIME, from 12:00 PM on",
    "gateway_command_port": "CONTROLLER_COMMAND_SERVER_PORT",
    **dict.fromkeys(("gateway_accept_non_brokerage_warning", "gateway_dismiss_password_expiry_warning"), "always on"),
}
"""The options that ibg-controller takes, and the variable of the container's environment for each."""

NO_SETTING = "it has no setting for this"
LACKING = {
    "gateway_login_dialog_timeout": "it waits 120 seconds, whatever is set",
    "gateway_second_factor_device": "it does not touch the list of devices: keep one for IB Key at IBKR",
    "gateway_second_factor_exit_interval": "its TWOFA_EXIT_INTERVAL counts from 25 seconds after Log In, another time",
    "gateway_second_factor_exit_after_timeout": "use gateway_second_factor_relogin",
    "gateway_accept_incoming_connection": "it answers no such prompt",
    "gateway_trusted_client_ips": "its jts.ini trusts the relay alone",
    BYPASS: "its BYPASS_WARNING is a list of buttons to press, another thing",
    "gateway_auto_logoff_time": "it signs in again 20 seconds after a log-off, which on live is a push at that hour",
}
"""Why another option is taken at its default only, where there is more to say than NO_SETTING."""

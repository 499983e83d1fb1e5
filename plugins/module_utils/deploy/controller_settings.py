# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate a gateway's settings for a controller that reads environment variables instead of IBC's config.ini.

Role gateway renders config.ini with every setting. A controller in :data:`TABLES` gets those that it supports from
there; an unsupported one is a problem unless it is at its default. IBC reads the file itself. Source: docs and source
of ibg-controller 0.12.0 (13422e4).
"""

from __future__ import annotations

import collections.abc as c
import json
import typing as t

from ..agent.controller.ibg_controller import IBG_CONTROLLER
from ..agent.problem import Problem, table
from ..rules.ibc_settings import BYPASS, KEYS, Key

EXTRA, RESTART_TIME = "gateway_config_extra", "gateway_auto_restart_time"
NO_SETTING = "it has no setting for this"


class Table(t.NamedTuple):
    """A controller's settings: the environment variables that are *fixed*; by option of role gateway, the variable that
    carries it (*kept*), the accepted values of one that is *always* on, and why it is *lacking* if NO_SETTING does not
    say enough. Options in *afternoon* take no time before 12:00 PM."""

    fixed: c.Mapping[str, str]
    kept: c.Mapping[str, str]
    always: c.Mapping[str, c.Collection[str]]
    lacking: c.Mapping[str, str]
    afternoon: c.Collection[str] = ()


TABLES: dict[str, Table] = {
    IBG_CONTROLLER.name: Table(
        fixed={
            # Without it the image starts IBC (its run.sh, L257).
            "USE_IBG_CONTROLLER": "yes",
            # Both default to 0.0.0.0, which clients' networks can reach; neither has authentication.
            "CONTROLLER_COMMAND_SERVER_HOST": "127.0.0.1",
            "CONTROLLER_HEALTH_SERVER_HOST": "127.0.0.1",
        },
        kept={
            "gateway_existing_session_action": "EXISTING_SESSION_DETECTED_ACTION",
            "gateway_second_factor_relogin": "RELOGIN_AFTER_TWOFA_TIMEOUT",
            "gateway_master_client_id": "TWS_MASTER_CLIENT_ID",
            "gateway_read_only_api": "READ_ONLY_API",
            RESTART_TIME: "AUTO_RESTART_TIME",
            "gateway_command_port": "CONTROLLER_COMMAND_SERVER_PORT",
        },
        always={
            "gateway_accept_non_brokerage_warning": ("yes",),
            # It reports the notice that it dismisses (ALERT_PASSWORD_EXPIRED).
            "gateway_dismiss_password_expiry_warning": ("yes", "no"),
        },
        lacking={
            "gateway_login_dialog_timeout": "it waits 120 seconds, whatever is set",
            "gateway_second_factor_device": "it does not touch the list of devices: keep one for IB Key at IBKR",
            "gateway_second_factor_exit_interval": "its TWOFA_EXIT_INTERVAL counts from 25 seconds after Log In",
            "gateway_second_factor_exit_after_timeout": "use gateway_second_factor_relogin",
            "gateway_accept_incoming_connection": "it answers no such prompt",
            "gateway_trusted_client_ips": "its jts.ini trusts the relay alone",
            BYPASS: "its BYPASS_WARNING is a list of buttons to press, another thing",
            "gateway_auto_logoff_time": "it signs in again 20 seconds after a log-off, which on live is a push",
        },
        afternoon=(RESTART_TIME,),
    ),
}

_problem = table(
    {
        "controller-lacks-setting": (
            "{controller}, which the image has, cannot keep it: {why}",
            "set it to {default}, its default, or choose an image with IBC",
        ),
        "controller-always": (
            "{controller}, which the image has, always does it",
            "set it to true, or choose an image with IBC",
        ),
        "controller-morning": (
            "{controller}, which the image has, sets a time of the morning in the afternoon",
            "choose one from 12:00 PM to 11:59 PM, or an image with IBC",
        ),
        "controller-no-config": (
            "{controller}, which the image has, does not read config.ini",
            "remove it, or choose an image with IBC",
        ),
    }
)


def environment(controller: str, config: str) -> dict[str, str]:
    """Return the settings in *config*, IBC's config.ini, as *controller*'s environment; empty for IBC."""
    own = TABLES.get(controller)
    if own is None:
        return {}
    values = _values(config)
    names = {key.variable: name for name, key in KEYS.items()}
    given = {variable: values.get(names[option], "") for option, variable in own.kept.items()}
    return {**own.fixed, **{variable: value for variable, value in given.items() if value}}


def problems(controller: str, title: str, config: str) -> list[Problem]:
    """Return a problem for each setting in *config*, IBC's config.ini, that *controller* (*title* for people) cannot
    honour."""
    own = TABLES.get(controller)
    found = () if own is None else _problems(own, title, _values(config))
    return list(dict.fromkeys(found))


def _problems(own: Table, title: str, values: c.Mapping[str, str]) -> c.Iterator[Problem]:
    for name, value in values.items():
        key = KEYS.get(name)
        if key and key.text is not None:
            continue
        # The values of other keys may be secret.
        if key is None or not key.variable:
            yield _problem("controller-no-config", f"{EXTRA}.{name}", controller=title)
        elif key.variable in own.kept:
            if key.variable in own.afternoon and value.upper().endswith("AM"):
                yield _problem("controller-morning", key.variable, value, controller=title)
        elif key.variable in own.always:
            if value not in own.always[key.variable]:
                yield _problem("controller-always", key.variable, controller=title)
        elif value != default(key):
            why = own.lacking.get(key.variable, NO_SETTING)
            empty = key.variable == BYPASS or key.type == "list"
            shown = "[]" if empty else json.dumps(key.default)
            yield _problem("controller-lacks-setting", key.variable, controller=title, why=why, default=shown)


def default(key: Key) -> str:
    """Return the default of *key* as config.ini has it."""
    if key.variable == BYPASS:
        return "no"
    if isinstance(key.default, bool):
        return "yes" if key.default else "no"
    return "" if key.default in (None, ()) else str(key.default)


def _values(config: str) -> dict[str, str]:
    lines = (line.strip() for line in config.splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and line[0] not in "#!=")
    return {name.strip(): value.strip() for name, _sign, value in pairs}

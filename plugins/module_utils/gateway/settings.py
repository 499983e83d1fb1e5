# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a type check cannot say of a gateway's settings: every problem as one sentence with its fix.

Values of ``gateway_user`` and ``gateway_password`` never stand in a sentence.
Sources: IBC's configuration reference for formats and enumerations, IBKR for one session per user.
"""

from __future__ import annotations

import collections.abc as c
import difflib
import itertools
import re
import typing as t
import zoneinfo

from . import accounts as account_ids
from . import secret_manager
from .properties import UnrepresentableError, escape

Settings = c.Mapping[str, object]
API_PORTS = {"live": 4001, "paper": 4002}
PORTAL_PORT = 5000
BYPASS_KEYS = (
    "BypassOrderPrecautions",
    "BypassBondWarning",
    "BypassNegativeYieldToWorstConfirmation",
    "BypassCalledBondWarning",
    "BypassSameActionPairTradeWarning",
    "BypassPriceBasedVolatilityRiskWarning",
    "BypassUSStocksMarketDataInSharesWarning",
    "BypassRedirectOrderWarning",
    "BypassNoOverfillProtectionPrecaution",
)
MANAGED_KEYS: dict[str, str] = {
    "IbLoginId": "gateway_user",
    "IbPassword": "gateway_password",
    "TradingMode": "gateway_mode",
    "LoginDialogDisplayTimeout": "gateway_login_dialog_timeout",
    "AcceptNonBrokerageAccountWarning": "gateway_accept_non_brokerage_warning",
    "ExistingSessionDetectedAction": "gateway_existing_session_action",
    "ReadOnlyLogin": "gateway_read_only_login",
    "SecondFactorDevice": "gateway_second_factor_device",
    "ReloginAfterSecondFactorAuthenticationTimeout": "gateway_second_factor_relogin",
    "SecondFactorAuthenticationTimeout": "gateway_second_factor_timeout",
    "SecondFactorAuthenticationExitInterval": "gateway_second_factor_exit_interval",
    "ExitAfterSecondFactorAuthenticationTimeout": "gateway_second_factor_exit_after_timeout",
    "OverrideTwsMasterClientID": "gateway_master_client_id",
    "ReadOnlyApi": "gateway_read_only_api",
    "AcceptIncomingConnectionAction": "gateway_accept_incoming_connection",
    "TrustedTwsApiClientIPs": "gateway_trusted_client_ips",
    "ResetOrderIdsAtStart": "gateway_reset_order_ids_at_start",
    "ConfirmOrderIdReset": "gateway_confirm_order_id_reset",
    "AcceptBidAskLastSizeDisplayUpdateNotification": "gateway_bid_ask_last_size_notification",
    "SendMarketDataInLotsForUSstocks": "gateway_market_data_in_lots",
    **dict.fromkeys(BYPASS_KEYS, "gateway_bypass_warnings"),
    "AllowBlindTrading": "gateway_allow_blind_trading",
    "ConfirmCryptoCurrencyOrders": "gateway_confirm_crypto_orders",
    "AutoRestartTime": "gateway_auto_restart_time",
    "AutoLogoffTime": "gateway_auto_logoff_time",
    "ColdRestartTime": "gateway_cold_restart_time",
    "ClosedownAt": "gateway_closedown_at",
    "MinimizeMainWindow": "gateway_minimize_main_window",
    "StoreSettingsOnServer": "gateway_store_settings_on_server",
    "SaveTwsSettingsAt": "gateway_save_settings_at",
    "ShowAllTrades": "gateway_show_all_trades",
    "DismissPasswordExpiryWarning": "gateway_dismiss_password_expiry_warning",
    "DismissNSEComplianceNotice": "gateway_dismiss_nse_compliance_notice",
    "CommandServerPort": "gateway_command_port",
    "CommandPrompt": "gateway_command_prompt",
    "SuppressInfoMessages": "gateway_suppress_info_messages",
    "LogStructureScope": "gateway_log_structure_scope",
    "LogStructureWhen": "gateway_log_structure_when",
    "IncludeStackTraceForExceptions": "gateway_include_stack_trace",
}
FIXED_KEYS: dict[str, str] = {
    "FIX": "a FIX gateway serves no TWS API",
    "FIXLoginId": "a FIX gateway serves no TWS API",
    "FIXPassword": "a FIX gateway serves no TWS API, and its password would stand in a file on disk",
    "IbDir": "the settings directory is fixed by the image",
    "OverrideTwsApiPort": "the relay of the image expects the API at its standard port",
    "BindAddress": "the command server has no authentication and stays on loopback",
    "ControlFrom": "the command server has no authentication and stays on loopback",
}
UNMANAGED_KEYS = ("LogComponents",)
RESERVED_ENVIRONMENT = re.compile(
    r"TWS_|IBC_INI|TRADING_MODE$|TWOFA_|TIME_ZONE$|TZ$|CUSTOM_CONFIG$|JAVA_HEAP_SIZE$|VNC_|SSH_"
)

_TWELVE_HOURS = (r"(0[1-9]|1[0-2]):[0-5]\d (AM|PM)", "hh:mm AM or hh:mm PM, for example 10:00 PM")
_TWENTY_FOUR_HOURS = (r"([01]\d|2[0-3]):[0-5]\d", "HH:mm on a 24-hour clock, for example 01:30")
_DAY = r"(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
FORMATS: dict[str, tuple[str, str]] = {
    "gateway_auto_restart_time": _TWELVE_HOURS,
    "gateway_auto_logoff_time": _TWELVE_HOURS,
    "gateway_cold_restart_time": _TWENTY_FOUR_HOURS,
    "gateway_closedown_at": (rf"({_DAY} )?{_TWENTY_FOUR_HOURS[0]}", "[Day ]HH:mm, for example Friday 22:00"),
    "gateway_save_settings_at": (
        rf"{_TWENTY_FOUR_HOURS[0]}( {_TWENTY_FOUR_HOURS[0]})*"
        rf"|Every \d+( (mins|hours))?( {_TWENTY_FOUR_HOURS[0]}){{0,2}}",
        "HH:mm …, or Every n [mins|hours] [from] [to]",
    ),
}


def problems(settings: Settings, inventory: c.Iterable[Settings]) -> list[str]:
    """Return one sentence per problem: the variable, the fault, the fix; [] when there is none.

    *settings* has the variables of one gateway by name. *inventory* is every gateway, this one included, each with
    ``host``, ``address`` (of its VM), ``gateway_name``, ``gateway_mode``, ``gateway_stack``, ``gateway_user`` and
    ``gateway_port`` as far as they are set: any two of them may clash, also two that this run does not touch.
    """
    checks = (
        _identity,
        _credentials,
        _accounts,
        _image,
        _formats,
        _time_zone,
        _client_ids,
        _config_extra,
        _environment,
    )
    found = [problem for check in checks for problem in check(settings)]
    pairs = itertools.combinations(inventory, 2)
    return found + [problem for one, other in pairs for problem in _clashes(one, other)]


def _identity(settings: Settings) -> c.Iterator[str]:
    if settings.get("gateway_mode") not in API_PORTS:
        yield f"gateway_mode: {settings.get('gateway_mode')!r} is not a mode; set it to paper or live"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", str(settings.get("gateway_name"))):
        yield (
            f"gateway_name: {settings.get('gateway_name')!r} cannot name a container and a directory; "
            "use 1 to 31 of a-z, 0-9 and '-', for example paper"
        )


def _credentials(settings: Settings) -> c.Iterator[str]:
    secret = settings.get("gateway_password_secret")
    if secret:
        portal = settings.get("gateway_stack") == "client_portal"
        yield from _secret(str(secret), bool(settings.get("gateway_password")), portal)
    for variable in ("gateway_user",) if secret else ("gateway_user", "gateway_password"):
        value = settings.get(variable)
        if not isinstance(value, str) or not value.strip():
            yield (
                f"{variable}: it is missing or blank; set it by a lookup (environment, Vault or Secret Manager) "
                "in the group or host variables"
            )
            continue
        try:
            escaped = escape(value)
        except UnrepresentableError as fault:
            yield f"{variable}: {fault}; IBC cannot read it from its settings file, so change it at IBKR"
            continue
        if variable == "gateway_user" and (escaped != value or not re.fullmatch(r"[\w.@+-]+", value)):
            yield f"{variable}: it has characters that no IBKR user name has; take the name from the Client Portal"


def _secret(name: str, password: bool, portal: bool) -> c.Iterator[str]:
    if portal:
        yield (
            "gateway_password_secret: nothing fetches the password of a Client Portal Gateway; set gateway_password, "
            "by lookup ibops.gateway.gcp_secret for example"
        )
    if password:
        yield "gateway_password_secret: gateway_password is set as well; keep one of them, the other empty"
    if not secret_manager.RESOURCE.fullmatch(name):
        yield (
            f"gateway_password_secret: {name!r} is no version of a secret; use "
            "projects/PROJECT/secrets/NAME/versions/VERSION, the version a number, an alias or latest"
        )


def _accounts(settings: Settings) -> c.Iterator[str]:
    entries = settings.get("gateway_accounts") or []
    if not isinstance(entries, list):
        yield "gateway_accounts: it is not a list; write one id an entry, for example [U1234567, U7654321]"
        return
    mode = t.cast("str | None", settings.get("gateway_mode"))
    for entry in entries:
        if fault := account_ids.entry_fault(entry, mode if mode in API_PORTS else None):
            yield f"gateway_accounts: {fault}"


def _image(settings: Settings) -> c.Iterator[str]:
    image = str(settings.get("gateway_image") or "")
    if re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image):
        return
    if not re.fullmatch(r"[\w.:/-]+", image):
        yield f"gateway_image: {image!r} is not an image reference; use registry/name@sha256:<64 hex digits>"
    elif not settings.get("gateway_allow_tag"):
        yield (
            f"gateway_image: {image!r} is a tag, and tags of this image have been rebuilt in place; pin a digest "
            "(docker buildx imagetools inspect shows it), or set gateway_allow_tag: true to accept the risk"
        )


def _formats(settings: Settings) -> c.Iterator[str]:
    for variable, (pattern, form) in FORMATS.items():
        value = settings.get(variable) or ""
        if value and not re.fullmatch(pattern, str(value)):
            yield f"{variable}: IBC would ignore {value!r}; write it as {form}"
    if settings.get("gateway_auto_restart_time") and settings.get("gateway_auto_logoff_time"):
        yield ("gateway_auto_logoff_time: IBC ignores it beside gateway_auto_restart_time; empty one of the two")
    for variable in ("gateway_second_factor_device", "gateway_command_prompt"):
        yield from _free_text(variable, settings.get(variable))


def _free_text(variable: str, value: object) -> c.Iterator[str]:
    if value in (None, ""):
        return
    try:
        escaped = escape(str(value))
    except UnrepresentableError as fault:
        yield f"{variable}: {fault}; IBC cannot read it from its settings file"
        return
    if escaped != value or "$" in escaped:
        yield (
            f"{variable}: a backslash, a dollar sign or a character beyond ASCII does not survive the image's "
            "substitution and IBC's parser; leave it out"
        )


def _time_zone(settings: Settings) -> c.Iterator[str]:
    zone = str(settings.get("gateway_time_zone"))
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield f"gateway_time_zone: {zone!r} is not an IANA time zone; use a name such as America/New_York"


def _client_ids(settings: Settings) -> c.Iterator[str]:
    ids = [
        settings.get(variable)
        for variable in ("gateway_client_id", "gateway_check_client_id", "gateway_master_client_id")
    ]
    if any(ids.count(one) > 1 for one in ids if one is not None):
        yield (
            "gateway_client_id: the probe, the deep check and the Master client need three different ids; "
            "a shared one is refused by the gateway (error 326) or receives everybody's orders"
        )


def _config_extra(settings: Settings) -> c.Iterator[str]:
    extra = t.cast("dict[str, object]", settings.get("gateway_config_extra") or {})
    known = {*MANAGED_KEYS, *FIXED_KEYS, *UNMANAGED_KEYS}
    for key, value in extra.items():
        name = f"gateway_config_extra.{key}"
        if key in MANAGED_KEYS:
            yield f"{name}: this key has its own variable; set {MANAGED_KEYS[key]} instead"
        elif key in FIXED_KEYS:
            yield f"{name}: this key is not yours to set: {FIXED_KEYS[key]}; remove it"
        elif key not in known and not settings.get("gateway_config_extra_unknown"):
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            yield (f"{name}: IBC has no such key; {hint}If a newer IBC has it, set gateway_config_extra_unknown: true")
        yield from _free_text(name, value)


def _environment(settings: Settings) -> c.Iterator[str]:
    for name in t.cast("dict[str, object]", settings.get("gateway_environment") or {}):
        if not re.fullmatch(r"[A-Za-z_]\w*", str(name)):
            yield f"gateway_environment.{name}: not the name of an environment variable"
        elif RESERVED_ENVIRONMENT.match(str(name)):
            yield f"gateway_environment.{name}: the role sets this variable of the image; use the role's own variables"


def _clashes(one: Settings, other: Settings) -> c.Iterator[str]:
    both, user = f"{one['host']} and {other['host']}", _folded(one.get("gateway_user"))
    if user and user == _folded(other.get("gateway_user")):
        yield (
            f"gateway_user: {both} have the same IBKR user, and IBKR cuts the first session when the second signs "
            "in; give each gateway a user of its own"
        )
    if one.get("address") != other.get("address"):
        return
    if _name(one) == _name(other):
        yield f"gateway_name: {both} share a VM and the name {_name(one)!r}; give each gateway a name of its own"
    if port(one) == port(other):
        yield f"gateway_port: {both} share a VM and publish port {port(one)}; give one of them another gateway_port"


def _folded(user: object) -> str:
    return user.strip().casefold() if isinstance(user, str) else ""


def _name(settings: Settings) -> object:
    return settings.get("gateway_name") or settings.get("gateway_mode")


def port(settings: Settings) -> int:
    """The port of the gateway on its VM; 0 where nobody can know it."""
    portal = settings.get("gateway_stack") == "client_portal"
    usual = PORTAL_PORT if portal else API_PORTS.get(str(settings.get("gateway_mode")), 0)
    return int(str(settings.get("gateway_port") or usual))

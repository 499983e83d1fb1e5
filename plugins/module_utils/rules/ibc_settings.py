# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of IBC's config.ini: its variable, type, default, values and description.

To add a key, add its row and run ``make generate``, which writes templates/config.ini.j2 and role gateway's
defaults/main/ibc.yml and argument_specs.yml. The rules of role gateway and the stand-in (which links to this file)
read the table itself.
Standard library only, without imports of ours: the stand-in's image has nothing else.
Sources: IBC's sample config.ini, and its source for the times (IbcTws, TwsSettingsSaver; SimpleDateFormat's ``E``
reads short and full names of days).
"""

from __future__ import annotations

import typing as t

RECORDED_AT = "3.24.1"
"""The version of IBC whose keys the table began with."""


class Values(t.NamedTuple):
    """The values that IBC takes: a pattern for the whole value, its meaning in words, and bounds of a number.

    IBC ignores their case; the role requires them as written here.
    """

    pattern: str
    meaning: str
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()


def _choice(*words: str) -> Values:
    return Values("|".join(words), f"one of {', '.join(words)}", choices=words)


def _integer(low: int, high: int) -> Values:
    return Values(r"\d{1,10}", f"a whole number from {low} to {high}", low, high)


_HOURS_12 = r"(0[1-9]|1[0-2]):[0-5]\d (AM|PM)"
_HOURS_24 = r"([01]\d|2[0-3]):[0-5]\d"
_DAY = r"(Mon|Monday|Tue|Tuesday|Wed|Wednesday|Thu|Thursday|Fri|Friday|Sat|Saturday|Sun|Sunday)"
_MINUTES = r"(1[0-3]\d\d|14[0-3]\d|[1-9]\d{0,2})"
_EVERY = rf"Every +({_MINUTES}( +mins)?|([1-9]|1\d|2[0-3]) +hours)( +{_HOURS_24}){{0,2}}"

TEXT = Values(".*", "a text")
YES_NO = _choice("yes", "no")
NO = _choice("no")
EMPTY = Values("", "empty")
SECONDS = _integer(1, 86_400)
PORT = _integer(0, 65_535)
CLIENT_ID = _integer(0, 2_147_483_647)
TIME_12 = Values(_HOURS_12, "hh:mm AM or hh:mm PM, for example 10:00 PM")
TIME_24 = Values(_HOURS_24, "HH:mm on a 24-hour clock, for example 01:30")
DAY_AND_TIME = Values(rf"({_DAY} )?{_HOURS_24}", "[Day ]HH:mm, for example Friday 22:00")
TIMES = Values(
    rf"{_HOURS_24}( +{_HOURS_24})*|{_EVERY}", "HH:mm …, or Every n [mins|hours] [from] [to], less than a day"
)
ADDRESS = Values(r"[\w.:-]+", "an address or a host name")
ADDRESSES = Values(r"[\w.:-]+( *, *[\w.:-]+)*", "addresses or host names separated by commas")
ANSWERS = Values(
    r"(confirm|reject|ignore)(/(confirm|reject|ignore))?",
    "confirm, reject or ignore, one or two of them, for example ignore/ignore",
)


class Key(t.NamedTuple):
    """A key of config.ini.

    A key for users has a ``variable``, which the role takes as ``type`` with ``default``; None leaves the gateway's own
    setting. A ``bool`` becomes yes or no, a ``list`` its entries with commas. The nine that share
    gateway_bypass_warnings are yes if the variable names them, and have no description. Any other key has ``text``, its
    value in the template, and ``reason``, why nobody else may set it; or neither, and is not in the template.
    """

    name: str
    values: Values
    blank: str = ""
    """The value that IBC takes for a missing or blank one."""
    variable: str = ""
    type: t.Literal["bool", "int", "list", "str"] = "str"
    default: str | int | bool | tuple[()] | None = ""
    lowest: int | None = None
    """Where the role wants more than IBC's lowest number."""
    since: str = RECORDED_AT
    """The first version of IBC that has the key, as far as it matters: newer than RECORDED_AT."""
    description: str = ""
    text: str | None = None
    reason: str = ""


_ONE_API = "a FIX gateway serves no TWS API"
_LOOPBACK = "the command server has no authentication and stays on loopback"
BYPASS = "gateway_bypass_warnings"
BYPASS_DESCRIPTION = "API order precautions that are waived, by IBC's key; all others are kept."


def _bypass(name: str) -> Key:
    return Key(name=name, values=YES_NO, variable=BYPASS, type="bool")


SECTIONS: dict[str, tuple[Key, ...]] = {
    "Sign-in": (
        Key(name="IbLoginId", values=TEXT, variable="gateway_user", text="${TWS_USERID}"),
        Key(name="IbPassword", values=TEXT, variable="gateway_password", text="${TWS_PASSWORD}"),
        Key(
            name="TradingMode",
            values=_choice("live", "paper"),
            blank="live",
            variable="gateway_mode",
            text="{{ gateway_mode }}",
        ),
        Key(name="FIX", values=NO, blank="no", text="no", reason=_ONE_API),
        Key(name="FIXLoginId", values=TEXT, text="", reason=_ONE_API),
        Key(
            name="FIXPassword",
            values=TEXT,
            text="",
            reason=f"{_ONE_API}, and its password would stand in a file on disk",
        ),
        Key(name="IbDir", values=EMPTY, text="", reason="the settings directory is fixed by the image"),
        Key(
            name="LoginDialogDisplayTimeout",
            values=SECONDS,
            blank="60",
            variable="gateway_login_dialog_timeout",
            type="int",
            default=120,
            description="Seconds until the login window must show; IBC's own 60 are short on shared cores.",
        ),
        Key(
            name="AcceptNonBrokerageAccountWarning",
            values=YES_NO,
            blank="yes",
            variable="gateway_accept_non_brokerage_warning",
            type="bool",
            default=True,
            description="Accept the paper account's notice, without which the API refuses every client.",
        ),
        Key(
            name="ExistingSessionDetectedAction",
            values=_choice("primary", "primaryoverride", "secondary", "manual"),
            blank="manual",
            variable="gateway_existing_session_action",
            default="primary",
            description=(
                "The reaction when the user is signed in elsewhere. V(manual) would wait for a person at the screen."
            ),
        ),
        Key(
            name="ReadOnlyLogin",
            values=NO,
            blank="no",
            variable="gateway_read_only_login",
            type="bool",
            default=False,
            description="Sign in without trading rights and second factor; IBC supports it for TWS only.",
        ),
    ),
    "Second factor": (
        Key(
            name="SecondFactorDevice",
            values=TEXT,
            variable="gateway_second_factor_device",
            description=(
                "The entry to choose when the user has several second-factor devices, exactly as listed, for example "
                "IB Key."
            ),
        ),
        Key(
            name="ReloginAfterSecondFactorAuthenticationTimeout",
            values=YES_NO,
            blank="no",
            variable="gateway_second_factor_relogin",
            type="bool",
            default=False,
            description="Send a new push after a missed one, about every three minutes and without end.",
        ),
        Key(
            name="SecondFactorAuthenticationTimeout",
            values=SECONDS,
            blank="180",
            variable="gateway_second_factor_timeout",
            type="int",
            default=180,
            description="Seconds IBKR gives for the approval; theirs to set.",
        ),
        Key(
            name="SecondFactorAuthenticationExitInterval",
            values=SECONDS,
            blank="60",
            variable="gateway_second_factor_exit_interval",
            type="int",
            default=60,
            description=(
                "Seconds from the approval to a complete sign-in, before IBC exits with 1111 (only with "
                "O(gateway_second_factor_relogin))."
            ),
        ),
        Key(
            name="ExitAfterSecondFactorAuthenticationTimeout",
            values=YES_NO,
            blank="no",
            variable="gateway_second_factor_exit_after_timeout",
            type="bool",
            default=False,
            description="IBC's older form of O(gateway_second_factor_relogin); leave it off.",
        ),
    ),
    "API": (
        Key(
            name="OverrideTwsApiPort",
            values=_integer(1, 65_535),
            text="",
            reason="the relay of the image expects the API at its standard port",
        ),
        Key(
            name="OverrideTwsMasterClientID",
            values=CLIENT_ID,
            variable="gateway_master_client_id",
            type="int",
            default=None,
            description="Client id that sees the orders of every client; none by default.",
        ),
        Key(
            name="ReadOnlyApi",
            values=YES_NO,
            variable="gateway_read_only_api",
            type="bool",
            default=True,
            description="Refuse orders from API clients. Set it to false where a pipeline trades.",
        ),
        Key(
            name="AcceptIncomingConnectionAction",
            values=_choice("accept", "reject", "manual"),
            blank="manual",
            variable="gateway_accept_incoming_connection",
            default="reject",
            description="Answer to clients that are not trusted. Those of the image's relay always are.",
        ),
        Key(
            name="TrustedTwsApiClientIPs",
            values=ADDRESSES,
            variable="gateway_trusted_client_ips",
            type="list",
            default=(),
            description="More addresses that the gateway trusts besides its own loopback.",
        ),
        Key(
            name="ResetOrderIdsAtStart",
            values=YES_NO,
            blank="no",
            variable="gateway_reset_order_ids_at_start",
            type="bool",
            default=False,
            description="Reset API order ids at start.",
        ),
        Key(
            name="ConfirmOrderIdReset",
            values=ANSWERS,
            variable="gateway_confirm_order_id_reset",
            description="Answers to TWS's order id reset dialogs, as IBC writes them, for example V(ignore/ignore).",
        ),
        Key(
            name="AcceptBidAskLastSizeDisplayUpdateNotification",
            values=_choice("accept", "defer", "ignore"),
            blank="ignore",
            variable="gateway_bid_ask_last_size_notification",
            default="accept",
            description="Answer to the notice on size display.",
        ),
        Key(
            name="SendMarketDataInLotsForUSstocks",
            values=YES_NO,
            variable="gateway_market_data_in_lots",
            type="bool",
            default=None,
            description="Send US stock sizes in lots; unset leaves the gateway's own setting.",
        ),
    ),
    "Orders": (
        _bypass("BypassOrderPrecautions"),
        _bypass("BypassBondWarning"),
        _bypass("BypassNegativeYieldToWorstConfirmation"),
        _bypass("BypassCalledBondWarning"),
        _bypass("BypassSameActionPairTradeWarning"),
        _bypass("BypassPriceBasedVolatilityRiskWarning"),
        _bypass("BypassUSStocksMarketDataInSharesWarning"),
        _bypass("BypassRedirectOrderWarning"),
        _bypass("BypassNoOverfillProtectionPrecaution"),
        Key(
            name="AllowBlindTrading",
            values=YES_NO,
            blank="no",
            variable="gateway_allow_blind_trading",
            type="bool",
            default=False,
            description="Accept orders for instruments without market data.",
        ),
        Key(
            name="ConfirmCryptoCurrencyOrders",
            values=_choice("transmit", "cancel", "manual"),
            blank="manual",
            variable="gateway_confirm_crypto_orders",
            default="manual",
            description=(
                "Answer to the confirmation of crypto orders. The image's own template transmits them without asking."
            ),
        ),
    ),
    "Restart and shut-down": (
        Key(
            name="AutoRestartTime",
            values=TIME_12,
            variable="gateway_auto_restart_time",
            default="10:00 PM",
            description=(
                "Daily restart that keeps the session, hh:mm AM or PM. Ten in the evening is clear of IBKR's reset "
                "windows. Empty leaves the gateway's own."
            ),
        ),
        Key(
            name="AutoLogoffTime",
            values=TIME_12,
            variable="gateway_auto_logoff_time",
            description="Daily end without a restart, hh:mm AM or PM, instead of O(gateway_auto_restart_time).",
        ),
        Key(
            name="ColdRestartTime",
            values=TIME_24,
            variable="gateway_cold_restart_time",
            description="Sunday restart with a full sign-in, HH:mm.",
        ),
        Key(
            name="ClosedownAt",
            values=DAY_AND_TIME,
            variable="gateway_closedown_at",
            description="End without a restart, [Day ]HH:mm.",
        ),
    ),
    "Window, settings, notices": (
        Key(
            name="MinimizeMainWindow",
            values=YES_NO,
            blank="no",
            variable="gateway_minimize_main_window",
            type="bool",
            default=False,
            description="Minimise the main window.",
        ),
        Key(
            name="StoreSettingsOnServer",
            values=YES_NO,
            variable="gateway_store_settings_on_server",
            type="bool",
            default=None,
            description="Keep settings at IBKR (TWS only); unset leaves it.",
        ),
        Key(
            name="SaveTwsSettingsAt",
            values=TIMES,
            variable="gateway_save_settings_at",
            description=(
                "When to save settings, HH:mm … or Every n [mins|hours] [from] [to], at most every 1439 minutes or 23 "
                "hours."
            ),
        ),
        Key(
            name="ShowAllTrades",
            values=YES_NO,
            blank="no",
            variable="gateway_show_all_trades",
            type="bool",
            default=False,
            description="Open the trades window.",
        ),
        Key(
            name="DismissPasswordExpiryWarning",
            values=YES_NO,
            blank="no",
            variable="gateway_dismiss_password_expiry_warning",
            type="bool",
            default=False,
            description="Dismiss the password expiry notice (India).",
        ),
        Key(
            name="DismissNSEComplianceNotice",
            values=YES_NO,
            blank="yes",
            variable="gateway_dismiss_nse_compliance_notice",
            type="bool",
            default=True,
            description="Dismiss the NSE compliance notice (India).",
        ),
    ),
    "Command server: inside the container only": (
        Key(
            name="CommandServerPort",
            values=PORT,
            blank="0",
            variable="gateway_command_port",
            type="int",
            default=7462,
            # 0 would disable it, and with it every clean stop.
            lowest=1,
            description="Port of IBC's command server on loopback inside the container; never published.",
        ),
        Key(name="BindAddress", values=ADDRESS, text="127.0.0.1", reason=_LOOPBACK),
        Key(name="ControlFrom", values=ADDRESSES, text="", reason=_LOOPBACK),
        Key(
            name="CommandPrompt",
            values=TEXT,
            variable="gateway_command_prompt",
            description="Prompt of the command server.",
        ),
        Key(
            name="SuppressInfoMessages",
            values=YES_NO,
            blank="yes",
            variable="gateway_suppress_info_messages",
            type="bool",
            default=True,
            description="Leave INFO lines out of the command server's replies.",
        ),
    ),
    "Log": (
        Key(
            name="LogStructureScope",
            values=_choice("known", "unknown", "untitled", "all"),
            blank="known",
            variable="gateway_log_structure_scope",
            default="known",
            description="Windows whose structure IBC logs.",
        ),
        Key(
            name="LogStructureWhen",
            values=_choice("open", "openclose", "activate", "never"),
            blank="never",
            variable="gateway_log_structure_when",
            default="never",
            description="When IBC logs a window's structure.",
        ),
        Key(
            name="IncludeStackTraceForExceptions",
            values=YES_NO,
            blank="no",
            variable="gateway_include_stack_trace",
            type="bool",
            default=False,
            description="Log stack traces of IBC's exceptions.",
        ),
        Key(
            name="LogComponents",
            values=_choice("open", "openclose", "activate", "never", "yes", "no"),
            blank="ignore",
        ),
    ),
}
"""The keys by the heading under which config.ini has them, in its order."""

KEYS = {key.name: key for keys in SECTIONS.values() for key in keys}
BYPASS_KEYS = tuple(key.name for key in KEYS.values() if key.variable == BYPASS)
OPTIONS = {key.variable: key for key in KEYS.values() if key.description}
"""The options of role gateway that the table defines, by name; not the credentials and the mode, which it only uses."""

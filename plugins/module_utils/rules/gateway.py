# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate a gateway's settings beyond their types: one sentence with its fix for each problem.

Values of ``gateway_user`` and ``gateway_password`` never stand in a sentence.
Sources: IBC's configuration reference for formats and enumerations, IBKR for one session per user.
"""

from __future__ import annotations

import collections.abc as c
import difflib
import itertools
import re
import typing as t

from ..agent import bounds
from ..agent.api import accounts as account_ids
from ..agent.api import ports
from ..agent.controller import secret_manager
from ..agent.controller.properties import UnrepresentableError, escape
from ..agent.session import zones
from .ibc_settings import ADDRESS, KEYS, OPTIONS, TEXT

Settings = c.Mapping[str, object]
_ONE_MODE = "a container runs one mode; make paper and live two gateways"
_LAYOUT = "the role mounts the settings where the image has them; leave it out"
_SCRIPTS = "the role mounts no scripts for it to run; leave it out"
_TUNNEL = "the image's tunnel is not used; role access has the access methods of the API (gateway_access)"
_OVERWRITTEN = "the image's scripts set it themselves, so it has no effect; leave it out"
_BUILT = "it only describes how the image was built; gateway_image chooses the image"
# Variables of the image and its scripts, each with the option to use (image's README, scripts run.sh, common.sh,
# run_socat.sh, run_ssh.sh). A name of the role's variable means: set that one.
ENVIRONMENT: dict[str, str] = {
    "TWS_USERID": "gateway_user",
    "TWS_PASSWORD": "gateway_password",
    "TWS_PASSWORD_FILE": "gateway_password",
    "TRADING_MODE": "gateway_mode",
    "READ_ONLY_API": "gateway_read_only_api",
    "TWS_ACCEPT_INCOMING": "gateway_accept_incoming_connection",
    "TWS_MASTER_CLIENT_ID": "gateway_master_client_id",
    "TWOFA_TIMEOUT_ACTION": "gateway_second_factor_timeout_action",
    "TWOFA_DEVICE": "gateway_second_factor_device",
    "TWOFA_EXIT_INTERVAL": "gateway_second_factor_exit_interval",
    "RELOGIN_AFTER_TWOFA_TIMEOUT": "gateway_second_factor_relogin",
    "BYPASS_WARNING": "gateway_bypass_warnings",
    "AUTO_RESTART_TIME": "gateway_auto_restart_time",
    "AUTO_LOGOFF_TIME": "gateway_auto_logoff_time",
    "TWS_COLD_RESTART": "gateway_cold_restart_time",
    "SAVE_TWS_SETTINGS": "gateway_save_settings_at",
    "EXISTING_SESSION_DETECTED_ACTION": "gateway_existing_session_action",
    "ALLOW_BLIND_TRADING": "gateway_allow_blind_trading",
    "TIME_ZONE": "gateway_time_zone",
    "TZ": "gateway_time_zone",
    "JAVA_HEAP_SIZE": "gateway_java_heap_mb",
    "IBC_COMMAND_PORT": "gateway_command_port",
    **dict.fromkeys(("TWS_USERID_PAPER", "TWS_PASSWORD_PAPER", "TWS_PASSWORD_PAPER_FILE", "DUAL_MODE"), _ONE_MODE),
    **dict.fromkeys(
        ("HOME", "TWS_PATH", "TWS_INI", "TWS_INI_TMPL", "TWS_SETTINGS_PATH", "IBC_PATH", "IBC_INI", "IBC_INI_TMPL"),
        _LAYOUT,
    ),
    "SCRIPT_PATH": _LAYOUT,
    "CUSTOM_CONFIG": "the image has to fill in the credentials at its start; leave it out",
    "VNC_SERVER_PASSWORD": "the desktop is opened on demand, docs/how-to/desktop.md",
    "VNC_SERVER_PASSWORD_FILE": "the desktop is opened on demand, docs/how-to/desktop.md",
    **dict.fromkeys(("START_SCRIPTS", "X_SCRIPTS", "IBC_SCRIPTS"), _SCRIPTS),
    **dict.fromkeys(("API_PORT", "SOCAT_PORT", "DISPLAY"), _OVERWRITTEN),
    "IBC_COMMAND": "the image only prints it; leave it out",
    "IBC_COMMAND_HOST": "the command server stays on loopback",
    **dict.fromkeys(("IB_GATEWAY_VERSION", "TWS_MAJOR_VRSN", "GATEWAY_OR_TWS"), _BUILT),
    **dict.fromkeys(
        (
            "SSH_TUNNEL",
            "SSH_ALL_OPTIONS",
            "SSH_AUTH_SOCK",
            "SSH_OPTIONS",
            "SSH_SCREEN",
            "SSH_ALIVE_INTERVAL",
            "SSH_ALIVE_COUNT",
            "SSH_PASSPHRASE",
            "SSH_PASSPHRASE_FILE",
            "SSH_REMOTE_PORT",
            "SSH_USER_TUNNEL",
            "SSH_RESTART",
            "SSH_VNC_PORT",
            "SSH_RDP_PORT",
        ),
        _TUNNEL,
    ),
}
# Whole numbers, from and to.
BOUNDS: dict[str, tuple[int, int]] = {
    "gateway_port": (1, 65535),
    "gateway_client_id": (1, 2**31 - 1),
    "gateway_check_client_id": (1, 2**31 - 1),
    **{
        name: (key.values.low if key.lowest is None else key.lowest, key.values.high)
        for name, key in OPTIONS.items()
        if key.type == "int"
    },
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
        _numbers,
        _formats,
        _trusted,
        _time_zone,
        _client_ids,
        _config_extra,
        _environment,
    )
    found = [problem for check in checks for problem in check(settings)]
    pairs = itertools.combinations(inventory, 2)
    return found + [problem for one, other in pairs for problem in _clashes(one, other)]


def _identity(settings: Settings) -> c.Iterator[str]:
    if settings.get("gateway_mode") not in ports.API:
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
            f"gateway_password_secret: {name!r} is not a version of a secret; use "
            "projects/PROJECT/secrets/NAME/versions/VERSION, the version a number, an alias or latest"
        )


def _accounts(settings: Settings) -> c.Iterator[str]:
    entries = settings.get("gateway_accounts") or []
    if not isinstance(entries, list):
        yield "gateway_accounts: it is not a list; write one id an entry, for example [U1234567, U7654321]"
        return
    mode = t.cast("str | None", settings.get("gateway_mode"))
    for entry in entries:
        if fault := account_ids.entry_fault(entry, mode if mode in ports.API else None):
            yield f"gateway_accounts: {fault}"


def _image(settings: Settings) -> c.Iterator[str]:
    image = str(settings.get("gateway_image") or "")
    if re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image):
        return
    if not re.fullmatch(r"[\w.:/-]+", image):
        yield f"gateway_image: {image!r} is not an image reference; use registry/name@sha256:<64 hex digits>"
    elif not _flag(settings.get("gateway_allow_tag")):
        yield (
            f"gateway_image: {image!r} is a tag, and tags of this image have been rebuilt in place; pin a digest "
            "(docker buildx imagetools inspect shows it), or set gateway_allow_tag: true to accept the risk"
        )


def _given(value: object) -> bool:
    """Whether a variable is set: 0 and false are values."""
    return value is not None and value != ""


def _flag(value: object) -> bool:
    """A boolean as Ansible reads it, which has the words of ``-e`` as text."""
    return str(value).lower() in ("true", "yes", "on", "1", "y", "t")


def _numbers(settings: Settings) -> c.Iterator[str]:
    for variable, limits in BOUNDS.items():
        value = settings.get(variable)
        if _given(value) and (text := bounds.problem(variable, value, limits)):
            yield text


def _trusted(settings: Settings) -> c.Iterator[str]:
    addresses = settings.get("gateway_trusted_client_ips")
    if isinstance(addresses, str):
        yield f"gateway_trusted_client_ips: {addresses!r} is not a list; write it as [{addresses}]"
        return
    for address in t.cast("list[object]", addresses or []):
        if not re.fullmatch(ADDRESS.pattern, str(address)):
            yield f"gateway_trusted_client_ips: {address!r} is not an address or a host name; name one an entry"


def _formats(settings: Settings) -> c.Iterator[str]:
    for variable, key in OPTIONS.items():
        value = settings.get(variable)
        if key.type != "str" or key.values.choices or not _given(value):
            continue
        if key.values is TEXT:
            yield from _free_text(variable, value)
        elif not re.fullmatch(key.values.pattern, str(value)):
            yield f"{variable}: IBC would ignore {value!r}; write it as {key.values.meaning}"
    if settings.get("gateway_auto_restart_time") and settings.get("gateway_auto_logoff_time"):
        yield ("gateway_auto_logoff_time: IBC ignores it beside gateway_auto_restart_time; empty one of the two")
    if _flag(settings.get("gateway_read_only_login")):
        yield "gateway_read_only_login: IB Gateway has no read-only login; leave it false"


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
    yield from zones.problems({"gateway_time_zone": settings.get("gateway_time_zone")}, ["gateway_time_zone"])


def _client_ids(settings: Settings) -> c.Iterator[str]:
    ids = [
        bounds.whole(settings.get(variable))
        for variable in ("gateway_client_id", "gateway_check_client_id", "gateway_master_client_id")
    ]
    if any(ids.count(one) > 1 for one in ids if one is not None):
        yield (
            "gateway_client_id: the probe, the deep check and the Master client need three different ids; "
            "a shared one is refused by the gateway (error 326) or receives everybody's orders"
        )


def _config_extra(settings: Settings) -> c.Iterator[str]:
    extra = t.cast("dict[str, object]", settings.get("gateway_config_extra") or {})
    for key, value in extra.items():
        name = f"gateway_config_extra.{key}"
        known = KEYS.get(key)
        if known and known.variable:
            yield f"{name}: this key has its own variable; set {known.variable} instead"
        elif known and known.reason:
            yield f"{name}: this key is not yours to set: {known.reason}; remove it"
        elif not known and not _flag(settings.get("gateway_config_extra_unknown")):
            near = difflib.get_close_matches(str(key), KEYS, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            yield (f"{name}: IBC has no such key; {hint}If a newer IBC has it, set gateway_config_extra_unknown: true")
        yield from _free_text(name, value)


def _environment(settings: Settings) -> c.Iterator[str]:
    for name, value in t.cast("dict[str, object]", settings.get("gateway_environment") or {}).items():
        place = f"gateway_environment.{name}"
        instead = ENVIRONMENT.get(str(name))
        if not re.fullmatch(r"[A-Za-z_]\w*", str(name)):
            yield f"{place}: not the name of an environment variable"
        elif instead:
            yield f"{place}: {f'set {instead} instead' if instead.startswith('gateway_') else instead}"
        elif not isinstance(value, str):
            yield f"{place}: {value!r} is not a text; put it in quotes"
        elif "-Xmx" in value:
            yield f"{place}: -Xmx has its own variable, by which the memory is checked; set gateway_java_heap_mb"


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
    usual = ports.PORTAL if portal else ports.API.get(str(settings.get("gateway_mode")), 0)
    own = settings.get("gateway_port")
    return (bounds.whole(own) or 0) if _given(own) else usual

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate a gateway's settings beyond their types.

Values of ``gateway_user`` and ``gateway_password`` never appear in a problem.
Sources: IBC's configuration reference for formats and enumerations, IBKR for one session per user.
"""

from __future__ import annotations

import collections.abc as c
import difflib
import re
import typing as t

from ..agent import bounds
from ..agent.api import accounts as account_ids
from ..agent.api import ports
from ..agent.controller import secret_manager
from ..agent.controller.properties import UnrepresentableError, escape
from ..agent.problem import Problem, table
from ..agent.session import zones
from .ibc_settings import ADDRESS, KEYS, OPTIONS, TEXT
from .types import misread

Settings = c.Mapping[str, object]
_ONE_MODE = "a container runs one mode; make paper and live two gateways"
_LAYOUT = "the role mounts the settings where the image has them; leave it out"
_SCRIPTS = "the role mounts no scripts for it to run; leave it out"
_TUNNEL = "the image's tunnel is not used; role access has the access methods of the API (gateway_access)"
_OVERWRITTEN = "the image's scripts set it themselves, so it has no effect; leave it out"
_CHOSEN = "what drives the gateway is read off the image; gateway_image chooses it"
_BOUNDED = "the watcher bounds the sign-ins; leave it out"
_LOOPBACK = "the servers of ibg-controller stay on loopback; leave it out"
_SECOND_FACTOR = "a person gives the second factor, so that no secret of it is in the container; leave it out"
_BUILT = "it only describes how the image was built; gateway_image chooses the image"
# Variables of the image and its scripts, each with the option to use (image's README, scripts run.sh, common.sh,
# run_socat.sh, run_ssh.sh). The name of a role's variable means: set that instead.
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
    **dict.fromkeys(("PASSWD", "PASSWD_FILE"), "the desktop is opened on demand, docs/how-to/desktop.md"),
    **dict.fromkeys(("PUID", "PGID"), "the desktop image runs with the role's user id; leave it out"),
    **dict.fromkeys(("DOCKER_MODS", "INSTALL_PACKAGES"), "root in the desktop image would fetch and run it"),
    **dict.fromkeys(("IB_GATEWAY_VERSION", "TWS_MAJOR_VRSN", "GATEWAY_OR_TWS"), _BUILT),
    # Those of ibg-controller, which is configured by environment only (its README.md of 0a2ead3, docker/run.sh).
    "USE_IBG_CONTROLLER": _CHOSEN,
    "CONTROLLER_COMMAND_SERVER_PORT": "gateway_command_port",
    **dict.fromkeys(
        (
            "CONTROLLER_COMMAND_SERVER_HOST",
            "CONTROLLER_COMMAND_SERVER_AUTH_TOKEN",
            "CONTROLLER_HEALTH_SERVER_HOST",
            "CONTROLLER_HEALTH_SERVER_PORT",
        ),
        _LOOPBACK,
    ),
    "CONTROLLER_SCRIPTS": _SCRIPTS,
    "DUAL_MODE_STAGGER_SECONDS": _ONE_MODE,
    **dict.fromkeys(("TWOFACTOR_CODE", "TWOFACTOR_CODE_FILE", "PASSKEY_AUTHENTICATE"), _SECOND_FACTOR),
    **dict.fromkeys(("AUTO_RESTART_ADOPT", "CCP_LOCKOUT_MAX_JVM_RESTARTS", "CONTROLLER_TEST_MODE"), _BOUNDED),
    **dict.fromkeys(
        ("TWS_SERVER", "TWS_SERVER_PAPER", "GATEWAY_WARM_STATE"),
        "it would overwrite jts.ini at each launch, which the role holds; leave it out",
    ),
    **dict.fromkeys(("CONTROLLER_READY_FILE", "GATEWAY_INPUT_AGENT_SOCKET", "GATEWAY_INPUT_AGENT_JAR"), _OVERWRITTEN),
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
# Bounds of whole numbers.
BOUNDS: dict[str, tuple[int, int]] = {
    "gateway_ready_timeout": (1, 3600),
    "gateway_port": (1, 65535),
    "gateway_client_id": (1, 2**31 - 1),
    "gateway_check_client_id": (1, 2**31 - 1),
    **{
        name: (key.values.low if key.lowest is None else key.lowest, key.values.high)
        for name, key in OPTIONS.items()
        if key.type == "int"
    },
}


_problem = table(
    {
        "mode-unknown": ("not a mode", "set it to paper or live"),
        "gateway-name-invalid": (
            "not a name for a container and a directory",
            "use 1 to 31 of a-z, 0-9 and '-', for example paper",
        ),
        "credential-missing": (
            "missing or blank",
            "set it by a lookup (environment, Vault or Secret Manager) in the group or host variables",
        ),
        "credential-not-text": ("YAML reads it as {kind}, not as a text", "put it in quotes"),
        "credential-unrepresentable": (
            "{fault}, and IBC cannot read that from its settings file",
            "change it at IBKR",
        ),
        "user-characters": ("it has characters that no IBKR user name has", "take the name from the Client Portal"),
        "user-capitals": (
            "it has capital letters, IBKR's user names have none, and each refused sign-in counts towards a lockout",
            "write it in lower case",
        ),
        "secret-of-portal": (
            "nothing fetches the password of a Client Portal Gateway",
            "set gateway_password, by lookup ibops.gateway.gcp_secret for example",
        ),
        "secret-and-password": ("gateway_password is set as well", "keep one of them, the other empty"),
        "secret-invalid": (
            "not a version of a secret",
            "use projects/PROJECT/secrets/NAME/versions/VERSION, the version a number, an alias or latest",
        ),
        "accounts-not-a-list": ("not a list", "write one id an entry, for example [U1234567, U7654321]"),
        "account-invalid": ("{fault}", "{fix}"),
        "image-invalid": ("not an image reference", "use registry/name@sha256:<64 hex digits>"),
        "image-digest-empty": (
            "the digest after @ is empty",
            "give it; where the inventory reads it from the environment, as the examples do, export IBGW_IMAGE_DIGEST",
        ),
        "image-tag": (
            "a tag, and tags of this image have been rebuilt in place",
            "pin a digest (docker buildx imagetools inspect shows it), or accept the risk with gateway_allow_tag: true",
        ),
        "trusted-not-a-list": ("not a list", "write it as [{value}]"),
        "trusted-address": ("not an address or a host name", "name one an entry"),
        "ibc-format": ("IBC would ignore it", "write it as {meaning}"),
        "logoff-beside-restart": (
            "IBC ignores it beside gateway_auto_restart_time",
            "empty one of the two",
        ),
        "read-only-login": (
            "IB Gateway has no read-only login, and of TWS nothing tells that its session cannot trade",
            "leave it false; gateway_read_only_api keeps orders out",
        ),
        "program-of-portal": ("the Client Portal Gateway has no other program", "leave it at gateway"),
        "program-image": ("it is the image of {program}", "set gateway_program to {wanted}, or choose another image"),
        "program-init": ("it steers the init of the desktop image, which is root", "leave it out"),
        "text-unrepresentable": (
            "{fault}, and IBC cannot read that from its settings file",
            "leave it out",
        ),
        "client-ids-shared": (
            "the probe, the deep check and the Master client share an id, and the gateway refuses a shared one (error "
            "326), or gives it everybody's orders",
            "give them three different ids",
        ),
        "config-has-variable": ("this key has its own variable", "set {variable} instead"),
        "config-reserved": ("this key is not yours to set: {reason}", "remove it"),
        "config-unknown": (
            "IBC has no such key",
            "{hint}if a newer IBC has it, set gateway_config_extra_unknown: true",
        ),
        "config-not-text": ("YAML reads it as {kind}, not as a text", "put it in quotes, as IBC is to read it"),
        "environment-name": ("not the name of an environment variable", "use letters, digits and '_'"),
        "environment-has-variable": ("the role sets it", "set {variable} instead"),
        "environment-reserved": ("it cannot be set here", "{fix}"),
        "environment-not-text": ("YAML reads it as {kind}, not as a text", "put it in quotes"),
        "environment-heap": (
            "-Xmx has its own variable, by which the memory is checked",
            "set gateway_java_heap_mb",
        ),
        "user-shared": (
            "{other} has the same IBKR user, and IBKR cuts the first session when the second signs in",
            "give each gateway a user of its own",
        ),
        "gateway-name-shared": (
            "{other} is on the same VM and has the same name",
            "give each gateway a name of its own",
        ),
        "gateway-port-shared": (
            "{other} is on the same VM and publishes the same port",
            "give one of them another gateway_port",
        ),
    }
)


def problems(settings: Settings) -> list[Problem]:
    """Return every problem of one gateway's variables, *settings* by name."""
    checks = (
        _identity,
        _credentials,
        _accounts,
        _image,
        _program,
        _numbers,
        _formats,
        _trusted,
        _time_zone,
        _client_ids,
        _config_extra,
        _environment,
    )
    return [problem for check in checks for problem in check(settings)]


def _identity(settings: Settings) -> c.Iterator[Problem]:
    mode, name = settings.get("gateway_mode"), settings.get("gateway_name")
    if mode not in ports.API:
        yield _problem("mode-unknown", "gateway_mode", mode)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", str(name)):
        yield _problem("gateway-name-invalid", "gateway_name", name)


def _credentials(settings: Settings) -> c.Iterator[Problem]:
    secret = settings.get("gateway_password_secret")
    if secret:
        portal = settings.get("gateway_stack") == "client_portal"
        yield from _secret(str(secret), bool(settings.get("gateway_password")), portal)
    for variable in ("gateway_user",) if secret else ("gateway_user", "gateway_password"):
        value = settings.get(variable)
        if value is None or (isinstance(value, str) and not value.strip()):
            yield _problem("credential-missing", variable)
            continue
        if not isinstance(value, str):
            yield _problem("credential-not-text", variable, kind=misread(value))
            continue
        try:
            escaped = escape(value)
        except UnrepresentableError as fault:
            yield _problem("credential-unrepresentable", variable, fault=fault)
            continue
        if variable == "gateway_user" and (escaped != value or not re.fullmatch(r"[\w.@+-]+", value)):
            yield _problem("user-characters", variable)
        elif variable == "gateway_user" and value != value.lower():
            yield _problem("user-capitals", variable)


def _secret(name: str, password: bool, portal: bool) -> c.Iterator[Problem]:
    variable = "gateway_password_secret"
    if portal:
        yield _problem("secret-of-portal", variable, name)
        return
    if password:
        yield _problem("secret-and-password", variable, name)
    if not secret_manager.RESOURCE.fullmatch(name):
        yield _problem("secret-invalid", variable, name)


def _accounts(settings: Settings) -> c.Iterator[Problem]:
    entries = settings.get("gateway_accounts") or []
    if not isinstance(entries, list):
        yield _problem("accounts-not-a-list", "gateway_accounts")
        return
    mode = t.cast("str | None", settings.get("gateway_mode"))
    for index, entry in enumerate(entries):
        if fault := account_ids.entry_fault(entry, mode if mode in ports.API else None):
            wrong, _mark, fix = fault.partition("; ")
            yield _problem("account-invalid", f"gateway_accounts[{index}]", fault=wrong, fix=fix)


def _image(settings: Settings) -> c.Iterator[Problem]:
    image = str(settings.get("gateway_image") or "")
    if re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image):
        return
    if re.fullmatch(r"[\w.:/-]+@", image):
        yield _problem("image-digest-empty", "gateway_image", image)
    elif not re.fullmatch(r"[\w.:/-]+", image):
        yield _problem("image-invalid", "gateway_image", image)
    elif not flag(settings.get("gateway_allow_tag")):
        yield _problem("image-tag", "gateway_image", image)


# Images whose names imply their program; others are inspected (deploy/image.py).
_PROGRAM_IMAGES = re.compile(r"(?:^|/)(?:(?P<gateway>ib-gateway)|(?P<tws>tws-rdesktop))(?=[@:]|$)")
_TITLES = {"gateway": "IB Gateway", "tws": "TWS"}


def _program(settings: Settings) -> c.Iterator[Problem]:
    program = program_of(settings)
    if program != "gateway" and settings.get("gateway_stack") == "client_portal":
        yield _problem("program-of-portal", "gateway_program", program)
    elif settings.get("gateway_stack") != "client_portal":
        image = str(settings.get("gateway_image") or "")
        found = _PROGRAM_IMAGES.search(image)
        named = found.lastgroup if found else None
        if named and named != program:
            yield _problem("program-image", "gateway_image", image, program=_TITLES[named], wanted=named)


def program_of(settings: Settings) -> str:
    """The program that the gateway runs, ``gateway`` where none is set."""
    return str(settings.get("gateway_program") or "gateway")


def _given(value: object) -> bool:
    """Whether a variable is set: 0 and false are values."""
    return value is not None and value != ""


def flag(value: object) -> bool:
    """A boolean as Ansible reads it, also from the text of ``-e``."""
    return str(value).lower() in ("true", "yes", "on", "1", "y", "t")


def _numbers(settings: Settings) -> c.Iterator[Problem]:
    for variable, limits in BOUNDS.items():
        value = settings.get(variable)
        if _given(value) and (wrong := bounds.problem(variable, value, limits)):
            yield wrong


def _trusted(settings: Settings) -> c.Iterator[Problem]:
    variable = "gateway_trusted_client_ips"
    addresses = settings.get(variable)
    if isinstance(addresses, str):
        yield _problem("trusted-not-a-list", variable, addresses, value=addresses)
        return
    for index, address in enumerate(t.cast("list[object]", addresses or [])):
        if not re.fullmatch(ADDRESS.pattern, str(address)):
            yield _problem("trusted-address", f"{variable}[{index}]", address)


def _formats(settings: Settings) -> c.Iterator[Problem]:
    for variable, key in OPTIONS.items():
        value = settings.get(variable)
        if key.type != "str" or key.values.choices or not _given(value):
            continue
        if key.values is TEXT:
            yield from _free_text(variable, str(value))
        elif not re.fullmatch(key.values.pattern, str(value)):
            yield _problem("ibc-format", variable, value, meaning=key.values.meaning)
    logoff = settings.get("gateway_auto_logoff_time")
    if settings.get("gateway_auto_restart_time") and logoff:
        yield _problem("logoff-beside-restart", "gateway_auto_logoff_time", logoff)
    if flag(settings.get("gateway_read_only_login")):
        yield _problem("read-only-login", "gateway_read_only_login", settings.get("gateway_read_only_login"))


def _free_text(variable: str, value: str) -> c.Iterator[Problem]:
    if not value:
        return
    try:
        escape(value)
    except UnrepresentableError as fault:
        yield _problem("text-unrepresentable", variable, value, fault=fault)


def _time_zone(settings: Settings) -> c.Iterator[Problem]:
    yield from zones.problems({"gateway_time_zone": settings.get("gateway_time_zone")}, ["gateway_time_zone"])


def _client_ids(settings: Settings) -> c.Iterator[Problem]:
    ids = [
        bounds.whole(settings.get(variable))
        for variable in ("gateway_client_id", "gateway_check_client_id", "gateway_master_client_id")
    ]
    if any(ids.count(one) > 1 for one in ids if one is not None):
        yield _problem("client-ids-shared", "gateway_client_id", settings.get("gateway_client_id"))


def _config_extra(settings: Settings) -> c.Iterator[Problem]:
    extra = t.cast("dict[str, object]", settings.get("gateway_config_extra") or {})
    for key, value in extra.items():
        name = f"gateway_config_extra.{key}"
        known = KEYS.get(key)
        if known and known.variable:
            yield _problem("config-has-variable", name, variable=known.variable)
            continue
        if known and known.reason:
            yield _problem("config-reserved", name, reason=known.reason)
            continue
        if not known and not flag(settings.get("gateway_config_extra_unknown")):
            near = difflib.get_close_matches(str(key), KEYS, 1)
            hint = f"write {near[0]}, or " if near else ""
            yield _problem("config-unknown", name, hint=hint)
        if isinstance(value, str):
            yield from _free_text(name, value)
        else:
            yield _problem("config-not-text", name, value, kind=misread(value))


def _environment(settings: Settings) -> c.Iterator[Problem]:
    for name, value in t.cast("dict[str, object]", settings.get("gateway_environment") or {}).items():
        place = f"gateway_environment.{name}"
        instead = ENVIRONMENT.get(str(name))
        # One of the values may be a secret.
        if not re.fullmatch(r"[A-Za-z_]\w*", str(name)):
            yield _problem("environment-name", place)
        elif instead and instead.startswith("gateway_"):
            yield _problem("environment-has-variable", place, variable=instead)
        elif instead:
            yield _problem("environment-reserved", place, fix=instead)
        elif program_of(settings) == "tws" and re.match(r"S6_|LSIO_|FILE__", str(name)):
            yield _problem("program-init", place)
        elif not isinstance(value, str):
            yield _problem("environment-not-text", place, kind=misread(value))
        elif "-Xmx" in value:
            yield _problem("environment-heap", place)


def pairs(inventory: c.Iterable[Settings]) -> list[Problem]:
    """Return conflicts between any two gateways of the inventory.

    Each of *inventory* has ``host``, ``address`` (of its VM), ``gateway_name``, ``gateway_mode``, ``gateway_stack``,
    ``gateway_program``, ``gateway_user`` and ``gateway_port`` as far as they are set. A problem is reported for the
    later gateway.
    """
    found: list[Problem] = []
    taken: dict[tuple[str, object, object], str] = {}
    for one in inventory:
        host, address, user = str(one["host"]), one.get("address"), _folded(one.get("gateway_user"))
        shared = (
            (("user-shared", None, user), "gateway_user", ()),
            (("gateway-name-shared", address, _name(one)), "gateway_name", (_name(one),)),
            (("gateway-port-shared", address, port(one)), "gateway_port", (port(one),)),
        )
        for key, variable, value in shared:
            other = taken.setdefault(key, host)
            if other is not host and key[2]:
                found.append(_problem(key[0], variable, *value, other=other)._replace(host=host))
    return found


def _folded(user: object) -> str:
    return user.strip().casefold() if isinstance(user, str) else ""


def _name(settings: Settings) -> object:
    return settings.get("gateway_name") or settings.get("gateway_mode")


def port(settings: Settings) -> int:
    """The port of the gateway on its VM; 0 if it cannot be determined."""
    portal = settings.get("gateway_stack") == "client_portal"
    api = ports.API_OF.get(program_of(settings), {})
    usual = ports.PORTAL if portal else api.get(str(settings.get("gateway_mode")), 0)
    own = settings.get("gateway_port")
    return (bounds.whole(own) or 0) if _given(own) else usual

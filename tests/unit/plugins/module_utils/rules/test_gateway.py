from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.rules.gateway import ENVIRONMENT, pairs, port, problems


def specification(root: pathlib.Path) -> dict[str, dict[str, object]]:
    text = (root / "roles/gateway/meta/argument_specs.yml").read_text()
    found: dict[str, dict[str, object]] = yaml.safe_load(text)["argument_specs"]["main.yml"]["options"]
    return found


DIGEST = "ghcr.io/gnzsnz/ib-gateway@sha256:" + "0" * 64
GOOD: dict[str, object] = {
    "gateway_mode": "paper",
    "gateway_name": "paper",
    "gateway_user": "alice",
    "gateway_password": "s3cr3t-Pass",
    "gateway_accounts": [],
    "gateway_image": DIGEST,
    "gateway_allow_tag": False,
    "gateway_auto_restart_time": "10:00 PM",
    "gateway_auto_logoff_time": "",
    "gateway_cold_restart_time": "",
    "gateway_closedown_at": "",
    "gateway_save_settings_at": "",
    "gateway_second_factor_device": "IB Key",
    "gateway_command_prompt": "",
    "gateway_time_zone": "America/New_York",
    "gateway_client_id": 917,
    "gateway_check_client_id": 918,
    "gateway_master_client_id": None,
    "gateway_config_extra": {},
    "gateway_config_extra_unknown": False,
    "gateway_environment": {},
}


# It may be a secret, or says nothing.
VALUE_NOT_SHOWN = (
    *("credential-", "user-", "account", "environment-"),
    *("config-has-variable", "config-reserved", "config-unknown"),
)
# Of which variable, with which value, something is told that another one causes.
TOLD_OF: dict[tuple[str, str], tuple[str, object]] = {
    ("gateway_master_client_id", "client-ids-shared"): ("gateway_client_id", 917),
    ("gateway_allow_tag", "image-tag"): ("gateway_image", "ib-gateway:stable"),
    ("gateway_config_extra_unknown", "config-unknown"): ("gateway_config_extra.BrandNewKey", "1"),
}
UNKNOWN_KEY: dict[str, object] = {"gateway_config_extra": {"BrandNewKey": "1"}}


def test_good_settings_have_no_problem() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("gateway_password", "p\u00e4ss\\word$#"),
        ("gateway_user", "alice.b_2"),
        ("gateway_auto_restart_time", "05:00 AM"),
        ("gateway_cold_restart_time", "01:30"),
        ("gateway_closedown_at", "Friday 22:00"),
        ("gateway_closedown_at", "Fri 22:00"),
        ("gateway_closedown_at", "22:00"),
        ("gateway_save_settings_at", "08:00 12:00"),
        ("gateway_save_settings_at", "Every 30 mins 08:00 17:30"),
        ("gateway_save_settings_at", "Every 1439"),
        ("gateway_save_settings_at", "Every 23 hours"),
        ("gateway_config_extra", {"LogComponents": "never"}),
        ("gateway_environment", {"STANDIN_APPROVE_AFTER": "3"}),
        ("gateway_accounts", ["DU1234567", "DF12"]),
        ("gateway_master_client_id", 0),
        ("gateway_master_client_id", "0"),
        ("gateway_master_client_id", ""),
        ("gateway_client_id", "1"),
        ("gateway_time_zone", "Etc/UTC"),
        ("gateway_second_factor_device", "T\u00e9l\u00e9phone"),
        ("gateway_second_factor_device", "IB\\Key$"),
        ("gateway_config_extra", {"LogComponents": "T\u00e9"}),
        ("gateway_environment", {"JAVA_TOOL_OPTIONS": "-Dsun.net.inetaddr.ttl=60", "LD_PRELOAD": "", "_x": ""}),
    ],
)
def test_what_is_accepted(variable: str, value: object) -> None:
    assert problems({**GOOD, variable: value}) == []


def test_a_password_that_the_vm_fetches_is_not_asked_for() -> None:
    fetched = {**GOOD, "gateway_password": "", "gateway_password_secret": "projects/p/secrets/ibkr/versions/latest"}
    assert problems(fetched) == []
    for password in ("", "s3cr3t-Pass"):
        (problem,) = problems({**fetched, "gateway_stack": "client_portal", "gateway_password": password})
        assert (problem.id, problem.variable) == ("secret-of-portal", "gateway_password_secret")


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("gateway_mode", "papr", "mode-unknown"),
        ("gateway_name", "My Gateway", "gateway-name-invalid"),
        ("gateway_user", None, "credential-missing"),
        ("gateway_user", "  ", "credential-missing"),
        ("gateway_user", "al ice", "user-characters"),
        ("gateway_password", "", "credential-missing"),
        ("gateway_password_secret", "projects/p/secrets/s/versions/3", "secret-and-password"),
        ("gateway_password_secret", "ibkr-live", "secret-invalid"),
        ("gateway_password", " topsecret", "credential-unrepresentable"),
        ("gateway_password", "top\tsecret", "credential-unrepresentable"),
        ("gateway_image", "ghcr.io/gnzsnz/ib-gateway:stable", "image-tag"),
        ("gateway_image", "ghcr.io/gnzsnz/ib-gateway@sha256:12", "image-invalid"),
        ("gateway_image", "", "image-invalid"),
        ("gateway_image", "ghcr.io/gnzsnz/ib-gateway@", "image-digest-empty"),
        ("gateway_auto_restart_time", "22:00", "ibc-format"),
        ("gateway_auto_restart_time", "'10:00 PM'", "ibc-format"),
        ("gateway_auto_restart_time", "13:00 PM", "ibc-format"),
        ("gateway_auto_logoff_time", "11:45 PM", "logoff-beside-restart"),
        ("gateway_cold_restart_time", "01:30 AM", "ibc-format"),
        ("gateway_closedown_at", "Freitag 22:00", "ibc-format"),
        ("gateway_save_settings_at", "30 mins", "ibc-format"),
        ("gateway_save_settings_at", "Every", "ibc-format"),
        ("gateway_save_settings_at", "Every 0", "ibc-format"),
        ("gateway_save_settings_at", "Every 1440", "ibc-format"),
        ("gateway_save_settings_at", "Every 2000 mins", "ibc-format"),
        ("gateway_save_settings_at", "Every 24 hours", "ibc-format"),
        ("gateway_second_factor_device", " IB Key", "text-unrepresentable"),
        ("gateway_second_factor_device", "IB\nKey", "text-unrepresentable"),
        ("gateway_user", "Alice", "user-capitals"),
        ("gateway_user", 12345678, "credential-not-text"),
        ("gateway_password", 12345678, "credential-not-text"),
        ("gateway_config_extra", {"LogComponents": 5}, "config-not-text"),
        ("gateway_config_extra", {"LogComponents": True}, "config-not-text"),
        ("gateway_time_zone", "New York", "zone-unknown"),
        ("gateway_client_id", 918, "client-ids-shared"),
        ("gateway_master_client_id", 917, "client-ids-shared"),
        ("gateway_config_extra", {"ReadOnlyApi": "yes"}, "config-has-variable"),
        ("gateway_config_extra", {"BindAddress": "0.0.0.0"}, "config-reserved"),
        ("gateway_config_extra", {"LogComponent": "never"}, "config-unknown"),
        ("gateway_config_extra", {"LogComponents": "a\nb"}, "text-unrepresentable"),
        ("gateway_environment", {"TWS_PASSWORD": "x"}, "environment-has-variable"),
        ("gateway_environment", {"AUTO_RESTART_TIME": "10:00 PM"}, "environment-has-variable"),
        ("gateway_environment", {"DUAL_MODE": "yes"}, "environment-reserved"),
        ("gateway_environment", {"API_PORT": "4001"}, "environment-reserved"),
        ("gateway_environment", {"HOME": "/root"}, "environment-reserved"),
        ("gateway_environment", {"DEBUG": True}, "environment-not-text"),
        ("gateway_environment", {"RETRIES": 0}, "environment-not-text"),
        ("gateway_environment", {"JAVA_TOOL_OPTIONS": "-Xmx2g"}, "environment-heap"),
        ("gateway_allow_tag", "false", "image-tag"),
        ("gateway_config_extra_unknown", "no", "config-unknown"),
        ("gateway_read_only_login", True, "read-only-login"),
        ("gateway_confirm_order_id_reset", "yes", "ibc-format"),
        ("gateway_confirm_order_id_reset", 0, "ibc-format"),
        ("gateway_trusted_client_ips", "10.0.0.1", "trusted-not-a-list"),
        ("gateway_trusted_client_ips", ["10.0.0.1\nReadOnlyApi=no"], "trusted-address"),
        ("gateway_trusted_client_ips", [""], "trusted-address"),
        ("gateway_port", 0, "not-a-number-within"),
        ("gateway_port", 65536, "not-a-number-within"),
        ("gateway_port", "a", "not-a-number-within"),
        ("gateway_command_port", 0, "not-a-number-within"),
        ("gateway_client_id", 0, "not-a-number-within"),
        ("gateway_check_client_id", -1, "not-a-number-within"),
        ("gateway_master_client_id", -1, "not-a-number-within"),
        ("gateway_master_client_id", 2**31, "not-a-number-within"),
        ("gateway_login_dialog_timeout", 0, "not-a-number-within"),
        ("gateway_second_factor_timeout", 86401, "not-a-number-within"),
        ("gateway_second_factor_exit_interval", False, "not-a-number-within"),
        ("gateway_time_zone", "US/Eastern", "zone-old-name"),
        ("gateway_time_zone", "Factory", "zone-not-current"),
        ("gateway_environment", {"A B": "x"}, "environment-name"),
        ("gateway_accounts", ["U1234567"], "account-invalid"),
        ("gateway_accounts", ["I1234567"], "account-invalid"),
        ("gateway_accounts", ["du1234567"], "account-invalid"),
        ("gateway_accounts", ["DU1,DU2"], "account-invalid"),
        ("gateway_accounts", ["DU1234567 "], "account-invalid"),
        ("gateway_accounts", "DU1234567", "accounts-not-a-list"),
    ],
)
def test_each_problem_has_its_id_and_its_variable_but_no_secret(variable: str, value: object, id_: str) -> None:
    before = {"gateway_allow_tag": {"gateway_image": "ib-gateway:stable"}, "gateway_config_extra_unknown": UNKNOWN_KEY}
    found = problems({**GOOD, **before.get(variable, {}), variable: value})
    (problem,) = [each for each in found if each.id == id_]
    told = TOLD_OF.get((variable, id_)) or (variable, value)
    if isinstance(value, dict) and variable.startswith(("gateway_config_extra", "gateway_environment")):
        [(key, inner)] = value.items()
        told = (f"{variable}.{key}", inner)
    elif isinstance(value, list):
        told = (f"{variable}[0]", value[0])
    assert problem.variable == told[0]
    assert problem.value == (None if id_.startswith(VALUE_NOT_SHOWN) else repr(told[1]))
    assert "None" not in problem.wrong + problem.fix
    assert all(each.variable.startswith("gateway_") for each in found)
    if variable in ("gateway_password", "gateway_user") and value and str(value).strip():
        assert str(value).strip() not in " ".join(map(str, found))


@pytest.mark.parametrize("yes", [True, "true", "Yes", "on", 1])
def test_what_is_allowed_is_allowed_in_every_spelling_of_yes(yes: object) -> None:
    assert problems({**GOOD, **UNKNOWN_KEY, "gateway_config_extra_unknown": yes}) == []
    assert problems({**GOOD, "gateway_image": "ib-gateway:stable", "gateway_allow_tag": yes}) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"gateway_mode": "live"}, 4001),
        ({"gateway_mode": "paper"}, 4002),
        ({"gateway_mode": "paper", "gateway_stack": "client_portal"}, 5000),
        ({"gateway_mode": "paper", "gateway_port": 7000}, 7000),
        ({"gateway_mode": "paper", "gateway_port": "7000"}, 7000),
        ({"gateway_mode": "paper", "gateway_port": ""}, 4002),
        ({"gateway_mode": "paper", "gateway_port": 0}, 0),
        ({"gateway_mode": "papr"}, 0),
        ({"gateway_mode": "paper", "gateway_program": "word"}, 0),
    ],
)
def test_port(settings: dict[str, object], expected: int) -> None:
    assert port(settings) == expected


def test_every_variable_that_the_image_reads_is_refused_by_name(pytestconfig: pytest.Config) -> None:
    """The stand-in's scripts read what the image's do; the role's own environment is part of it."""
    scripts = pytestconfig.rootpath / "sandbox/gateway/image/scripts"
    read = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", "".join(file.read_text() for file in scripts.iterdir())))
    own = yaml.safe_load((pytestconfig.rootpath / "roles/gateway/vars/main.yml").read_text())["__gateway_environment"]
    options = specification(pytestconfig.rootpath)
    assert {"TRADING_MODE", "SSH_TUNNEL"} <= read
    for name in (read | set(own)) - {"BASH_SOURCE", "LINENO", "UID", "PWD", "PATH", "PPID", "SECONDS"}:
        if not name.startswith("STANDIN_"):
            assert name in ENVIRONMENT, name
    for name, instead in ENVIRONMENT.items():
        (problem,) = problems({**GOOD, "gateway_environment": {name: "x"}})
        assert problem.variable == f"gateway_environment.{name}"
        assert not instead.startswith("gateway_") or instead in options


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("TWS_USERID", "gateway_user"),
        ("TWS_PASSWORD", "gateway_password"),
        ("TWS_PASSWORD_FILE", "gateway_password"),
        ("TRADING_MODE", "gateway_mode"),
        ("READ_ONLY_API", "gateway_read_only_api"),
        ("TWS_ACCEPT_INCOMING", "gateway_accept_incoming_connection"),
        ("TWS_MASTER_CLIENT_ID", "gateway_master_client_id"),
        ("TWOFA_TIMEOUT_ACTION", "gateway_second_factor_timeout_action"),
        ("TWOFA_DEVICE", "gateway_second_factor_device"),
        ("TWOFA_EXIT_INTERVAL", "gateway_second_factor_exit_interval"),
        ("RELOGIN_AFTER_TWOFA_TIMEOUT", "gateway_second_factor_relogin"),
        ("BYPASS_WARNING", "gateway_bypass_warnings"),
        ("AUTO_RESTART_TIME", "gateway_auto_restart_time"),
        ("AUTO_LOGOFF_TIME", "gateway_auto_logoff_time"),
        ("TWS_COLD_RESTART", "gateway_cold_restart_time"),
        ("SAVE_TWS_SETTINGS", "gateway_save_settings_at"),
        ("EXISTING_SESSION_DETECTED_ACTION", "gateway_existing_session_action"),
        ("ALLOW_BLIND_TRADING", "gateway_allow_blind_trading"),
        ("TIME_ZONE", "gateway_time_zone"),
        ("TZ", "gateway_time_zone"),
        ("JAVA_HEAP_SIZE", "gateway_java_heap_mb"),
        ("IBC_COMMAND_PORT", "gateway_command_port"),
        ("CONTROLLER_COMMAND_SERVER_PORT", "gateway_command_port"),
    ],
)
def test_a_variable_of_the_image_has_one_of_the_role_instead(name: str, variable: str) -> None:
    (problem,) = problems({**GOOD, "gateway_environment": {name: "x"}})
    assert (problem.id, problem.variable) == ("environment-has-variable", f"gateway_environment.{name}")
    assert variable in problem.fix


@pytest.mark.parametrize(
    "name",
    [
        "TWS_PASSWORD_PAPER_FILE", "VNC_SERVER_PASSWORD", "VNC_SERVER_PASSWORD_FILE", "IBC_COMMAND_HOST",
        "IB_GATEWAY_VERSION", "TWS_MAJOR_VRSN", "GATEWAY_OR_TWS", "SSH_PASSPHRASE_FILE", "SSH_RDP_PORT", "SSH_VNC_PORT",
        "PASSWD_FILE", "PGID", "INSTALL_PACKAGES", "CONTROLLER_COMMAND_SERVER_HOST", "CONTROLLER_HEALTH_SERVER_HOST",
        "CONTROLLER_COMMAND_SERVER_AUTH_TOKEN", "CONTROLLER_SCRIPTS", "DUAL_MODE_STAGGER_SECONDS", "TWOFACTOR_CODE",
        "TWOFACTOR_CODE_FILE", "PASSKEY_AUTHENTICATE", "AUTO_RESTART_ADOPT", "CCP_LOCKOUT_MAX_JVM_RESTARTS",
        "CONTROLLER_TEST_MODE", "TWS_SERVER", "TWS_SERVER_PAPER", "GATEWAY_WARM_STATE", "GATEWAY_INPUT_AGENT_JAR",
    ],
)  # fmt: skip
def test_a_variable_of_the_image_that_nobody_sets(name: str) -> None:
    (problem,) = problems({**GOOD, "gateway_environment": {name: "x"}})
    assert (problem.id, problem.variable) == ("environment-reserved", f"gateway_environment.{name}")
    assert problem.fix == ENVIRONMENT[name]


@pytest.mark.parametrize(
    "key", ["FIX", "FIXLoginId", "FIXPassword", "IbDir", "OverrideTwsApiPort", "BindAddress", "ControlFrom"]
)
def test_a_key_of_ibc_that_nobody_sets(key: str) -> None:
    (problem,) = problems({**GOOD, "gateway_config_extra": {key: "x"}, "gateway_config_extra_unknown": True})
    assert (problem.id, problem.variable) == ("config-reserved", f"gateway_config_extra.{key}")


@pytest.mark.parametrize(
    ("variable", "low", "high"),
    [
        ("gateway_ready_timeout", 1, 3600),
        ("gateway_port", 1, 65535),
        ("gateway_command_port", 1, 65535),
        ("gateway_client_id", 1, 2147483647),
        ("gateway_check_client_id", 1, 2147483647),
        ("gateway_master_client_id", 0, 2147483647),
        ("gateway_login_dialog_timeout", 1, 86400),
        ("gateway_second_factor_timeout", 1, 86400),
        ("gateway_second_factor_exit_interval", 1, 86400),
    ],
)
def test_the_bounds_of_each_number(variable: str, low: int, high: int) -> None:
    assert not [each for value in (low, high) for each in problems({**GOOD, variable: value})]
    for value in (low - 1, high + 1, "many"):
        (problem,) = problems({**GOOD, variable: value})
        assert (problem.id, problem.variable, problem.value) == ("not-a-number-within", variable, repr(value))
        assert {str(low), str(high)} <= {*problem.wrong.split()}


def test_each_credential_that_is_wrong_is_named() -> None:
    for user in (None, "al\tice"):
        found = problems({**GOOD, "gateway_user": user, "gateway_password": ""})
        assert [each.variable for each in found] == ["gateway_user", "gateway_password"]


@pytest.mark.parametrize("yes", ["y", "T", "1", "ON"])
def test_more_spellings_of_yes(yes: str) -> None:
    assert problems({**GOOD, "gateway_image": "ib-gateway:stable", "gateway_allow_tag": yes}) == []


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("gateway_confirm_order_id_reset", ["confirm", "reject", "ignore", "ignore/reject"]),
        ("gateway_trusted_client_ips", [["10.0.0.1", "fd00::1", "client-1.example"]]),
    ],
)
def test_more_of_what_is_accepted(variable: str, values: list[object]) -> None:
    assert not [each for value in values for each in problems({**GOOD, variable: value})]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("gateway_command_prompt", "IB\tKey"),
        ("gateway_auto_logoff_time", "22:00"),
        ("gateway_second_factor_device", "IB Key "),
    ],
)
def test_more_of_what_is_refused(variable: str, value: str) -> None:
    found = problems({**GOOD, "gateway_auto_restart_time": "", variable: value})
    assert [each.variable for each in found] == [variable]


def test_in_a_wrong_mode_the_accounts_are_judged_by_none() -> None:
    found = problems({**GOOD, "gateway_mode": "papr", "gateway_accounts": ["U1234567", "DU1234567"]})
    assert [each.variable for each in found] == ["gateway_mode"]


def test_two_gateways_of_one_vm_with_names_of_their_own() -> None:
    pair = [gateway("a", address="vm", gateway_name="x"), gateway("b", address="vm", gateway_name="y", gateway_port=7)]
    assert pairs(pair) == []


def gateway(host: str, **settings: object) -> dict[str, object]:
    return {"host": host, "address": host, "gateway_mode": "paper", **settings}


@pytest.mark.parametrize(
    ("one", "other", "id_"),
    [
        (gateway("a", gateway_user="alice"), gateway("b", gateway_user="Alice "), "user-shared"),
        (gateway("a", address="vm"), gateway("b", address="vm"), "gateway-name-shared"),
        (
            gateway("a", address="vm", gateway_name="x"),
            gateway("b", address="vm", gateway_name="y"),
            "gateway-port-shared",
        ),
        (
            gateway("a", address="vm", gateway_port=5000),
            gateway("b", address="vm", gateway_mode="live", gateway_port=5000),
            "gateway-port-shared",
        ),
    ],
)
def test_clashes_between_any_two_gateways(one: dict[str, object], other: dict[str, object], id_: str) -> None:
    found = pairs([gateway("bystander", gateway_user="bob"), one, other])
    [problem] = [each for each in found if (each.id, each.host) == (id_, "b")]
    assert problem.wrong.startswith("a ")
    assert (problem.variable, problem.value) == {
        "user-shared": ("gateway_user", None),
        "gateway-name-shared": ("gateway_name", "'paper'"),
        "gateway-port-shared": ("gateway_port", str(one.get("gateway_port", 4002))),
    }[id_]
    assert "alice" not in " ".join(map(str, found)).lower()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (gateway("a"), gateway("b")),
        (gateway("a", gateway_user=""), gateway("b", gateway_user="")),
        (gateway("a", address="vm"), gateway("b", address="vm", gateway_mode="live")),
    ],
)
def test_gateways_that_get_along(one: dict[str, object], other: dict[str, object]) -> None:
    assert pairs([one, other]) == []


def test_one_wrong_key_hides_no_other() -> None:
    keys = {"ReadOnlyApi": "yes", "BindAddress": "0.0.0.0", "LogComponent": "never", "Zzzz": "1", "LogComponents": 5}
    found = {each.variable.partition(".")[2]: each for each in problems({**GOOD, "gateway_config_extra": keys})}
    assert {name: each.id for name, each in found.items()} == {
        "ReadOnlyApi": "config-has-variable",
        "BindAddress": "config-reserved",
        "LogComponent": "config-unknown",
        "Zzzz": "config-unknown",
        "LogComponents": "config-not-text",
    }
    assert ["write " in found[name].fix for name in ("LogComponent", "Zzzz")] == [True, False]
    assert "LogComponents" in found["LogComponent"].fix
    assert "number" in found["LogComponents"].wrong


def test_what_yaml_made_of_a_text_is_named() -> None:
    found = problems({**GOOD, "gateway_user": 12345678, "gateway_password": 87654321, "gateway_environment": {"A": 1}})
    assert [each.id for each in found] == ["credential-not-text", "credential-not-text", "environment-not-text"]
    assert all("number" in each.wrong for each in found), found


def test_an_account_has_its_fault_and_its_fix_apart() -> None:
    (problem,) = problems({**GOOD, "gateway_accounts": ["du1234567"]})
    assert "lower case" in problem.wrong
    assert "capitals" in problem.fix
    assert problem.variable == "gateway_accounts[0]"


def test_a_password_of_a_portal_is_shown_by_the_name_of_its_secret_alone() -> None:
    name = "projects/p/secrets/ibkr/versions/latest"
    settings = {**GOOD, "gateway_password_secret": name, "gateway_stack": "client_portal"}
    assert {each.value for each in problems(settings)} == {repr(name)}


DESKTOP = {**GOOD, "gateway_program": "tws", "gateway_image": DIGEST.replace("ib-gateway", "tws-rdesktop")}


def test_the_desktop_image_has_its_program() -> None:
    assert problems(DESKTOP) == []
    own = {"gateway_image": "registry.example.org/ours@sha256:" + "0" * 64}
    assert problems({**DESKTOP, **own}) == problems({**GOOD, **own}) == []


@pytest.mark.parametrize(
    ("settings", "id_", "variable"),
    [
        ({**DESKTOP, "gateway_image": DIGEST}, "program-image", "gateway_image"),
        ({**DESKTOP, "gateway_program": "gateway"}, "program-image", "gateway_image"),
        ({**DESKTOP, "gateway_stack": "client_portal"}, "program-of-portal", "gateway_program"),
        ({**DESKTOP, "gateway_read_only_login": True}, "read-only-login", "gateway_read_only_login"),
        *(
            ({**DESKTOP, "gateway_environment": {name: "x"}}, id_, f"gateway_environment.{name}")
            for name, id_ in (
                ("VNC_SERVER_PASSWORD", "environment-reserved"),
                ("PASSWD", "environment-reserved"),
                ("PUID", "environment-reserved"),
                ("DOCKER_MODS", "environment-reserved"),
                ("FILE__PASSWD", "program-init"),
                ("S6_STAGE2_HOOK", "program-init"),
                ("LSIO_READ_ONLY_FS", "program-init"),
            )
        ),
    ],
)
def test_what_does_not_go_with_the_program(settings: dict[str, object], id_: str, variable: str) -> None:
    assert [(each.id, each.variable) for each in problems(settings)] == [(id_, variable)]


@pytest.mark.parametrize(
    ("settings", "value", "words"),
    [
        ({**DESKTOP, "gateway_image": DIGEST}, DIGEST, ("IB Gateway", "gateway_program to gateway")),
        (
            {**DESKTOP, "gateway_program": "gateway"},
            DESKTOP["gateway_image"],
            ("of TWS", "gateway_program to tws"),
        ),
        ({**DESKTOP, "gateway_stack": "client_portal"}, "tws", ("no other program",)),
    ],
)
def test_a_program_and_its_image_are_told_by_name(
    settings: dict[str, object], value: object, words: tuple[str, ...]
) -> None:
    (problem,) = problems(settings)
    assert str(problem.value)[:60] == repr(value)[:60]
    assert all(word in problem.wrong + problem.fix for word in words)


def test_a_portals_image_is_not_asked_for_its_program() -> None:
    found = problems({**GOOD, "gateway_stack": "client_portal", "gateway_image": DESKTOP["gateway_image"]})
    assert [each.id for each in found if each.id.startswith("program-")] == []


def test_the_inits_variables_are_nobodys_without_the_desktop() -> None:
    assert problems({**GOOD, "gateway_environment": {"S6_VERBOSITY": "1"}}) == []


def test_tws_has_ports_of_its_own() -> None:
    assert [port({"gateway_program": "tws", "gateway_mode": mode}) for mode in ("live", "paper")] == [7496, 7497]
    assert port({"gateway_program": "tws", "gateway_mode": "paper", "gateway_port": 4002}) == 4002

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable behind a key of IBC, with each of its legal extreme values, as IBC reads it from the rendered file."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.ibops.gateway.plugins.filter.properties_value import properties_value
from ansible_collections.ibops.gateway.plugins.module_utils.rules.gateway import BOUNDS, problems
from ansible_collections.ibops.gateway.plugins.module_utils.rules.ibc_settings import BYPASS_KEYS, KEYS
from ibgw_standin import properties
from ibgw_standin import settings as ibc

ROOT = pathlib.Path(__file__).resolve().parents[6]
ROLE = ROOT / "roles/gateway"
DEFAULTS = {
    name: value for file in ROLE.glob("defaults/main/*.yml") for name, value in yaml.safe_load(file.read_text()).items()
}
SPECIFICATION = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main.yml"]["options"]
CREDENTIALS = ("gateway_user", "gateway_password")
INVENTORY = {
    "gateway_mode": "paper",
    "gateway_name": "paper",
    "gateway_user": "alice",
    "gateway_password": "secret",  # pragma: allowlist secret - the test's own
    "gateway_image": "ib-gateway@sha256:" + "0" * 64,
}
# Texts: what their formats allow, and the empty one, which leaves IBC its default.
TEXTS: dict[str, tuple[Any, ...]] = {
    "gateway_second_factor_device": (
        "",
        "0",
        "IB Key",
        "no",
        "T\u00e9l\u00e9phone",
        "IB\\Key",
        "$HOME",
        "\u041a\u043b\u044e\u0447",
    ),
    "gateway_confirm_order_id_reset": ("", "ignore", "confirm/reject"),
    "gateway_auto_restart_time": ("", "12:00 AM", "12:59 PM"),
    "gateway_auto_logoff_time": ("", "01:00 AM", "11:59 PM"),
    "gateway_cold_restart_time": ("", "00:00", "23:59"),
    "gateway_closedown_at": ("", "00:00", "Saturday 23:59", "Fri 22:00"),
    "gateway_save_settings_at": ("", "00:00", "08:00 12:30", "Every 1", "Every 1439", "Every 23 hours 08:00 17:00"),
    "gateway_command_prompt": ("", "0", ">"),
    "gateway_trusted_client_ips": ([], ["10.0.0.1"], ["fd00::1", "host.example"]),
    # IB Gateway has no read-only login.
    "gateway_read_only_login": (False,),
}


def values(variable: str) -> tuple[Any, ...]:
    """The legal extreme values of a variable; None where it may be left unset."""
    option = SPECIFICATION[variable]
    unset = () if "default" in option or option.get("required") else (None,)
    if variable in TEXTS:
        return TEXTS[variable]
    if option["type"] == "bool":
        return (True, False, *unset)
    return (*(option.get("choices") or BOUNDS[variable]), *unset)


def cases() -> Iterator[tuple[str, str, Any]]:
    for name, key in KEYS.items():
        if key.variable and name not in BYPASS_KEYS and key.variable not in CREDENTIALS:
            yield from ((name, key.variable, value) for value in values(key.variable))


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else "" if value is None else str(value)


def render(template: str, **changes: Any) -> str:
    """The text of a template as role gateway renders it with the defaults and *changes*."""
    defaults = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in DEFAULTS.items()}
    variables = defaults | INVENTORY | changes
    text = (ROOT / "templates" / template).read_text()
    templar = Templar(DataLoader(), variables)
    templar._engine.environment.filters["ibops.gateway.properties_value"] = properties_value
    return str(templar.template(trust_as_template(text)))


def read(**changes: Any) -> dict[str, str]:
    """The keys and values of config.ini that IBC finds; the stand-in refuses whatever IBC would misread."""
    text = render("config.ini.j2", **changes).replace("${TWS_USERID}", "alice").replace("${TWS_PASSWORD}", "x")
    ibc.parse(text.encode())
    return {entry.key: entry.value for entry in properties.parse(text.encode())}


@pytest.mark.parametrize(("key", "variable", "value"), [*cases()])
def test_each_value_reaches_ibc(key: str, variable: str, value: Any) -> None:
    changes = {variable: value} | ({"gateway_auto_restart_time": ""} if variable == "gateway_auto_logoff_time" else {})
    known = {name: each for name, each in DEFAULTS.items() if not isinstance(each, str) or "{{" not in each}
    assert problems(known | {"gateway_time_zone": "UTC"} | INVENTORY | changes) == []
    assert read(**changes)[key] == shown(value)


@pytest.mark.parametrize("chosen", [[], ["BypassBondWarning"], list(BYPASS_KEYS)])
def test_the_waived_warnings(chosen: list[str]) -> None:
    found = read(gateway_bypass_warnings=chosen)
    assert {key for key in BYPASS_KEYS if found[key] == "yes"} == {*chosen}
    assert {found[key] for key in {*BYPASS_KEYS} - {*chosen}} <= {"no"}


def test_more_keys_of_ibc() -> None:
    for text in ("never", "$n\\ \u00e9"):
        entry = f"LogComponents={text}"
        assert render("config.ini.j2", gateway_config_extra={"LogComponents": text}).count(entry) == (text == "never")
    assert read(gateway_config_extra={"LogComponents": "never"})["LogComponents"] == "never"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gateway_write_debug": True}, "WriteDebug=true"),
        ({"gateway_write_debug": False}, "WriteDebug=false"),
        ({"gateway_trusted_client_ips": []}, "TrustedIPs=127.0.0.1"),
        ({"gateway_trusted_client_ips": ["10.0.0.1", "fd00::1"]}, "TrustedIPs=127.0.0.1,10.0.0.1,fd00::1"),
        ({"gateway_time_zone": "Etc/UTC"}, "TimeZone=Etc/UTC"),
    ],
)
def test_each_value_reaches_the_gateway(changes: dict[str, Any], line: str) -> None:
    assert line in render("jts.ini.j2", **changes).splitlines()

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.archives import contents
from tests.unit.plugins.session_log import BEGUN, TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    alerts,
    bundle,
    ctl,
    descriptor,
    health,
    heartbeat,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan

# Secrets by where they are kept; each is also in every log and in the history.
USER, KEPT, HELD, OPERATOR = "annabel77", 'Tr0ub4dor "&" 3', "Correct\\Horse9", "jenkins-ops"
CHANNELS: list[dict[str, Any]] = [
    {"kind": "telegram", "token": "123456789:AAEhBOweik6ad9r", "chat_id": "-100200300400"},
    {"kind": "slack", "url": "https://hooks.slack.com/services/T00/B00/XXq7"},
    {"kind": "pagerduty", "routing_key": "rk0f9e8d7c"},
    {"kind": "jira_service_management", "api_key": "jsmk3y4z"},
    {"kind": "pushover", "token": "apptok5x", "user_key": "usrkey6y"},
    {"kind": "webhook", "url": "https://alerts.corp.example/x?k=v9", "headers": {"X-Key": "hdrval8z"}},
    {
        "kind": "email", "host": "mx7.corp.example", "from": "ibgw@corp.example", "to": ["oncall@corp.example"],
        "user": "mailer42", "password": "m4ilpw!",
    },
]  # fmt: skip
BEAT = "https://hc-ping.com/0d6e5c4b-aaaa-bbbb-cccc-ddddeeeeffff"
LISTED, HOST, PROJECT = "U1234567", "trading-prod-1", "projects/acme-quant/secrets/ibkr"
STORED = [
    *(USER, KEPT, HELD, OPERATOR, LISTED, HOST, PROJECT, BEAT, "hdrval8z", "oncall@corp.example", "vncpw5"),
    *(each[key] for each in CHANNELS for key in each if key not in ("kind", "headers", "to")),
]
# Secrets that no file names: only their form tells.
FORMS = {
    "unlisted account": ("U7654321", "Notice for U7654321"),
    "unlisted paper account": ("DF9988776", "dialog DF9988776"),
    "another user": ("bob4711", "IB Gateway.  API Account: bob4711"),
    "another password": ("hunter22", "password=hunter22"),
    "a password in JSON": ("qwErty1", '{"passwd": "qwErty1"}'),
    "an address": ("203.0.113.7", "client 203.0.113.7 connected"),
    "an address of version 6": ("2001:db8:7::9", "client 2001:db8:7::9"),
    "a hardware address": ("02:42:ac:11:00:0f", "via 02:42:ac:11:00:0f"),
    "mail": ("eve@home.example", "from eve@home.example"),
    "a URL with a password": ("u:pw@git.example", "pull https://u:pw@git.example/x"),
    "a bearer token": ("ya29.a0Ab", "Authorization: Bearer ya29.a0Ab"),
    "an opaque token": ("ghp_1A2b3C4d5E6f7G8h9I0j", "used ghp_1A2b3C4d5E6f7G8h9I0j"),
    "a cookie": ("x9y8z7", "Cookie: x9y8z7"),
    "an option": ("optpw77", "ibgwctl --password optpw77"),
    "a PIN": ("448291", "PIN=448291"),
    "a list of secrets": ("lsec99", '{"secrets": ["lsec99"]}'),
    "JSON in JSON": ("nest55", '{"message": "{\\"password\\": \\"nest55\\"}"}'),
    "a key": ("MIIEvQIBADANB", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANB\n-----END PRIVATE KEY-----"),
}
PLANTED = [*STORED, *(secret for secret, _text in FORMS.values())]


@pytest.fixture
def planted(
    deploy: Any, fake_engine: Any, healthy_port: int, command_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Control:
    """A gateway whose secrets are where they belong, and all of them in everything that is logged."""
    monkeypatch.setenv("SUDO_USER", OPERATOR)
    found = deploy(
        accounts=[LISTED], port=healthy_port, command_port=command_server.port,
        password_secret={"name": PROJECT, "endpoint": "", "metadata_host": ""},
    )  # fmt: skip
    for path, content in (
        (password.kept_path("paper"), KEPT),
        (password.path("paper"), HELD),
        (alerts.path("paper"), json.dumps(CHANNELS)),
        (heartbeat.path("paper"), json.dumps({"url": BEAT})),
    ):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)
    fake_engine.environment = [f"TWS_USERID={USER}", "VNC_SERVER_PASSWORD=vncpw5", f"HOSTNAME={HOST}"]
    fake_engine.labels["note"] = KEPT
    said = [*STORED, *(text for _secret, text in FORMS.values())]
    fake_engine.log(*BEGUN, *said, *map(json.dumps, said))
    control = Control(found, Plan(host=HOST), by="Ann", now=lambda: TUESDAY)
    for text in said:
        control.store.note("failed", text, TUESDAY, by=OPERATOR)
    record = control.store.load("paper")
    record.reason, record.next_step = " ".join(said[:15]), " ".join(said[15:])
    control.store.save(record)
    journal = "\n".join(said)
    monkeypatch.setattr(health, "output", lambda *command: journal if command[0] == "journalctl" else "")
    return control


def test_no_secret_is_in_it(planted: Control) -> None:
    found = contents(bundle.make(planted, TUESDAY))
    assert len(PLANTED) >= 30
    leaks = [
        (name, form)
        for name, text in found.items()
        for secret in PLANTED
        for form in (secret, json.dumps(secret)[1:-1])
        if form.lower() in text.lower()
    ]
    assert leaks == []


def test_what_is_in_it(planted: Control) -> None:
    found = contents(bundle.make(planted, TUESDAY))
    assert list(found) == list(bundle.PARTS)
    assert not [name for name, text in found.items() if text.startswith("not had")]
    assert json.loads(found["versions.json"])["engine"] == {"version": "28.5.2", "reason": None}
    assert json.loads(found["state.json"])["gateway"] == "paper"
    wanted = json.loads(found["settings.json"])
    assert [each["kind"] for each in wanted["alerts.json"]] == [each["kind"] for each in CHANNELS]
    assert wanted["heartbeat.json"] == {"every": 60, "method": "POST"}
    assert json.loads(found["inspect.json"])["Env"] == ["TWS_USERID", "VNC_SERVER_PASSWORD", "HOSTNAME"]
    assert json.loads(found["facts.json"])["look"]["state"]
    assert len(json.loads(found["history.json"])) == len(STORED) + len(FORMS)
    assert "Login attempt: 1" in found["container.log"]


def test_it_is_bounded(planted: Control, fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "PART_BYTES", 1000)
    fake_engine.log(*(f"line {number}" for number in range(2000)), "x\x1b[2J" + "y" * 100_000, "the end")
    found = contents(bundle.make(planted, TUESDAY))
    assert max(map(len, found.values())) < 1100
    assert found["container.log"].endswith("the end\n")
    assert "\x1b" not in found["container.log"]


def test_a_log_of_long_lines_is_had_in_part(planted: Control, fake_engine: Any) -> None:
    fake_engine.log(*["y" * 100_000] * 100, "the end")
    assert contents(bundle.make(planted, TUESDAY))["container.log"].endswith("the end\n")


@pytest.mark.usefixtures("no_engine")
def test_what_is_broken_is_told_in_its_place(deploy: Any) -> None:
    control = Control(deploy(), Plan(), by="Ann", now=lambda: TUESDAY)
    Path(alerts.path("paper")).write_text("{")
    control.store.note("stop", "fine", TUESDAY)
    found = contents(bundle.make(control, TUESDAY))
    assert found["inspect.json"].startswith("not had: EngineError")
    assert found["settings.json"].startswith("not had: ChannelsError")
    assert "fine" in found["history.json"]


def test_the_command(planted: Control, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.tar.gz"
    assert planted
    assert ctl.main(["support-bundle", "paper", "--output", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "bytes": path.stat().st_size}
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert ctl.main(["support-bundle", "paper", "--output", str(path)]) == 1
    assert "File exists; name a new file by --output" in capsys.readouterr().err
    assert path.read_bytes() == before
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert ctl.main(["support-bundle", "paper", "--output", str(tmp_path / "link")]) == 1
    assert not os.path.exists(tmp_path / "elsewhere")


def test_a_damaged_plan_is_no_reason_to_have_none(planted: Control, tmp_path: Path) -> None:
    Path(descriptor.ROOT, planted.descriptor.name, "session.json").write_text("{")
    assert ctl.main(["support-bundle", "paper", "--output", str(tmp_path / "out")]) == 0

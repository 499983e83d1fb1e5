# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_gcp import secrets
from tests.fake_gcp.secrets import TOKEN, FakeSecrets

from ansible_collections.ibops.gateway.plugins.lookup.gcp_secret import DOCUMENTATION, LookupModule
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import secret_manager
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import credentials

NAME = "projects/demo/secrets/ibkr-live/versions/latest"
PASSWORD = "correct horse; ünïcode = 1"
Lookup = Callable[..., list[str]]


def plugin() -> LookupModule:
    """The lookup with its options known to Ansible, as its loader makes it."""
    options = yaml.safe_load(DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", "gcp_secret", options)
    made = LookupModule()
    made._load_name = "gcp_secret"
    return made


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSecrets]:
    """A Secret Manager with one secret; the way to every other host ends at once."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(secret_manager, "PAUSE_SECONDS", 0.01)
    with FakeSecrets() as server:
        server.versions[NAME] = PASSWORD.encode()
        yield server


@pytest.fixture
def lookup(fake: FakeSecrets) -> Lookup:
    def run(*terms: str, **options: Any) -> list[str]:
        return plugin().run(list(terms), {}, **{"access_token": TOKEN, "api_endpoint": fake.endpoint, **options})

    return run


def test_a_secret_by_its_names(lookup: Lookup, fake: FakeSecrets) -> None:
    fake.versions["projects/other/secrets/s/versions/3"] = b"three\n"
    found = lookup("ibkr-live", "projects/demo/secrets/ibkr-live", NAME, "projects/other/secrets/s/versions/3",
                   project="demo")  # fmt: skip
    assert found == [PASSWORD, PASSWORD, PASSWORD, "three\n"]
    assert lookup("s", project="other", version="3") == ["three\n"]


def test_the_environment_names_project_and_credentials(
    lookup: Lookup, monkeypatch: pytest.MonkeyPatch, fake: FakeSecrets
) -> None:
    monkeypatch.setenv("GCP_PROJECT", "demo")
    monkeypatch.setenv("GCP_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("GCP_SECRET_MANAGER_ENDPOINT", f"{fake.endpoint}/")
    assert plugin().run(["ibkr-live"], {}) == [PASSWORD]


@pytest.mark.parametrize(
    ("term", "options", "message"),
    [
        ("ibkr-live", {}, "secret 'ibkr-live' has no project: set option project, or GCP_PROJECT"),
        ("a b", {"project": "demo"}, "is not a version of a secret: want NAME or projects/PROJECT/secrets/NAME"),
        ("projects/demo/secret/x", {}, "is not a version of a secret"),
        ("ibkr-live", {"project": "demo", "version": "../1"}, "is not a version of a secret"),
    ],
)
def test_a_name_that_is_none(
    lookup: Lookup, fake: FakeSecrets, term: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AnsibleLookupError, match=message):
        lookup(NAME, term, **options)
    assert not fake.paths


DENIED = secrets.error(403, "Permission 'secretmanager.versions.access' denied.")
OFF = secrets.error(403, "Secret Manager API has not been used in project 1.", "SERVICE_DISABLED")
DISABLED = secrets.error(400, "Secret Version [latest] is in DISABLED state.")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (secrets.error(404, "Secret not found."), "gcloud secrets versions list ibkr-live --project demo"),
        (secrets.error(401, "Invalid credentials."), "get new credentials"),
        (DENIED, "add-iam-policy-binding ibkr-live --project demo --role roles/secretmanager.secretAccessor"),
        (OFF, "gcloud services enable secretmanager.googleapis.com --project demo"),
        (DISABLED, "gcloud secrets versions enable latest --secret ibkr-live --project demo"),
        ((302, b""), "HTTP status 302"),
        ((200, b"<html>"), "is api_endpoint right"),
        ((200, {"payload": {"data": "eA=="}}), "is api_endpoint right"),
        ((200, {"payload": {**secrets.payload(b"x"), "data": "eQ=="}}), "does not match its checksum"),
        ((200, {"payload": secrets.payload(b"\xff")}), "holds no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_refused(lookup: Lookup, fake: FakeSecrets, answer: tuple[int, Any], message: str) -> None:
    fake.answers = [answer]
    with pytest.raises(AnsibleLookupError, match=message) as caught:
        lookup(NAME)
    assert len(fake.paths) == 1
    assert NAME in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(lookup: Lookup, fake: FakeSecrets, status: int) -> None:
    fake.answers = [secrets.error(status, "Busy.")] * (secret_manager.ATTEMPTS - 1)
    assert lookup(NAME) == [PASSWORD]
    fake.answers = [secrets.error(status, "Busy.")] * secret_manager.ATTEMPTS
    with pytest.raises(AnsibleLookupError, match=r"Busy\. \(try again later\)"):
        lookup(NAME)


def test_an_endpoint_where_nobody_is(lookup: Lookup) -> None:
    with pytest.raises(AnsibleLookupError, match=r"no answer from http://127\.0\.0\.1:1: .*refused"):
        lookup(NAME, api_endpoint="http://127.0.0.1:1")


def test_no_way_to_the_real_google(lookup: Lookup) -> None:
    with pytest.raises(AnsibleLookupError, match=r"no answer from https://secretmanager\.googleapis\.com"):
        lookup(NAME, api_endpoint=secret_manager.ENDPOINT)


def test_no_credentials(lookup: Lookup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(AnsibleLookupError, match="Tried: option access_token"):
        lookup(NAME, access_token=None)


def test_credentials_that_give_no_access(lookup: Lookup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    (tmp_path / "user.json").write_text(json.dumps(user | {"token_uri": "http://127.0.0.1:1"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "user.json"))
    with pytest.raises(AnsibleLookupError, match="Google gives no access for these credentials"):
        lookup(NAME, access_token=None, project="demo")


@pytest.mark.parametrize(
    ("data", "checksum"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43),
     (bytes(range(32)), 0x46DD794E)],
)  # fmt: skip
def test_the_checksums_of_rfc_3720(data: bytes, checksum: int) -> None:
    assert secret_manager.crc32c(data) == checksum


@given(st.binary(min_size=1, max_size=64), st.data())
def test_no_flipped_bit_goes_unseen(data: bytes, draw: st.DataObject) -> None:
    place = draw.draw(st.integers(0, 8 * len(data) - 1))
    damaged = bytes(byte ^ (1 << place % 8 if at == place // 8 else 0) for at, byte in enumerate(data))
    reply = {"payload": {**secrets.payload(data), "data": base64.b64encode(damaged).decode()}}
    with pytest.raises(secret_manager.SecretError, match="checksum"):
        secret_manager._payload(NAME, json.dumps(reply).encode())


def test_a_token_that_does_not_come(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's library waits for two minutes, per read."""
    never = threading.Event()
    monkeypatch.setattr(credentials, "token", lambda *_options: never.wait(60))
    with pytest.raises(AnsibleLookupError, match=r"Google gives no access token: no answer within 0\.2 seconds"):
        lookup(NAME, timeout=0.2)
    never.set()

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.fake_gcp.secrets import FakeSecrets, error
from tests.unit.plugins.session_log import BEGUN, IN, TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.agent import bounded_http, files
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password, secret_manager
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import BlockedError, NoPasswordError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import (
    MANUAL,
    PAPER,
    SIGN_IN,
    Grant,
    Record,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher

NAME = "projects/demo/secrets/ibkr/versions/latest"
PASSWORD = "top\\secret-\u20ac"
SESSION = {
    "name": "open",
    "days": ["tue"],
    "time": "12:10",
    "zone": "America/New_York",
    "lead_minutes": 30,
    "max_minutes": 120,
}


# Before the fixture no_passwords sets another.
ROOT = password.ROOT


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSecrets]:
    """A metadata server and a Secret Manager with one password; the place for it is not this host's own."""
    monkeypatch.setattr(secret_manager, "PAUSE_SECONDS", 0.01)
    with FakeSecrets() as server:
        server.versions[NAME] = PASSWORD.encode()
        yield server


@pytest.fixture
def source(fake: FakeSecrets) -> dict[str, str]:
    return {"name": NAME, "endpoint": fake.endpoint, "metadata_host": fake.host}


def kept(tmp_path: Path) -> str | None:
    file = tmp_path / "run/paper/secrets/tws_password"
    return file.read_text() if file.exists() else None


def test_it_is_fetched_anew_for_each_start(
    deploy: Any, tmp_path: Path, fake: FakeSecrets, source: dict[str, str]
) -> None:
    found = deploy(password_secret=source)
    password.provide(found)
    assert kept(tmp_path) == "top\\\\secret-\\u20ac"
    modes = {str(each.relative_to(tmp_path)): f"{each.stat().st_mode & 0o777:o}" for each in tmp_path.glob("run/**/*")}
    assert modes == {"run/paper": "711", "run/paper/secrets": "750", "run/paper/secrets/tws_password": "440"}
    fake.versions[NAME] = b"another"
    password.provide(found)
    assert kept(tmp_path) == "another"


def test_a_paper_gateway_whose_password_is_kept_asks_nobody(deploy: Any, fake: FakeSecrets, tmp_path: Path) -> None:
    password.provide(deploy())
    assert (fake.paths, kept(tmp_path)) == ([], "kept")


def no_text(fake: FakeSecrets) -> None:
    fake.versions[NAME] = b"\xff\xfe"


def line_break(fake: FakeSecrets) -> None:
    fake.versions[NAME] = b"secret\n"


def no_secret(fake: FakeSecrets) -> None:
    fake.versions.clear()


def no_service_account(fake: FakeSecrets) -> None:
    fake.answers = [error(404, "Not Found")]


def no_json(fake: FakeSecrets) -> None:
    fake.answers = [(200, b"<html>")]


def not_allowed(fake: FakeSecrets) -> None:
    fake.answers = [(200, {"access_token": "token"}), error(403, "Permission denied.")]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (no_text, "holds no text"),
        (line_break, "begins or ends with a blank.*gcloud secrets versions add"),
        (no_secret, "cannot be fetched: .*not found.*gcloud secrets versions list ibkr --project demo"),
        (no_service_account, r"gives no token \(HTTP status 404\): the VM needs a service account"),
        (no_json, "gives no token .*is this a VM of Google Cloud"),
        (not_allowed, "roles/secretmanager.secretAccessor"),
    ],
)
def test_why_it_cannot_be_had(
    deploy: Any,
    tmp_path: Path,
    fake: FakeSecrets,
    source: dict[str, str],
    fault: Callable[[FakeSecrets], None],
    message: str,
) -> None:
    fault(fake)
    with pytest.raises(password.PasswordError, match=message) as caught:
        password.provide(deploy(password_secret=source))
    assert "secret\n" not in str(caught.value)
    assert kept(tmp_path) is None


def test_nobody_there(deploy: Any, source: dict[str, str], fake: FakeSecrets) -> None:
    with pytest.raises(password.PasswordError, match=r"127\.0\.0\.1:1 gives no token"):
        password.provide(deploy(password_secret=source | {"metadata_host": "127.0.0.1:1"}))


def test_without_it_nothing_is_allowed_and_nothing_started(
    control: Any, deploy: Any, fake_engine: Any, fake: FakeSecrets, source: dict[str, str]
) -> None:
    live = control()
    live.descriptor = deploy(name="live", mode="live", password_secret=source)
    no_secret(fake)
    with pytest.raises(NoPasswordError):
        live.sign_in(lambda *_said: None)
    with pytest.raises(NoPasswordError):
        live.start(allow_signin=True)
    assert (fake_engine.status, live.store.load("live").grant) == ("exited", None)


def test_a_paper_session_tries_twice_and_is_told(
    control: Any, deploy: Any, fake_engine: Any, fake: FakeSecrets, source: dict[str, str]
) -> None:
    paper = control(of="paper", now=TUESDAY)
    paper.plan = plan.from_data({"paper_sessions": [SESSION]})
    paper.descriptor = deploy(container="ibgw-paper", port=paper.descriptor.port, password_secret=source)
    no_secret(fake)
    watcher = Watcher(paper)
    times = [TUESDAY, TUESDAY + 61, TUESDAY + 122]
    states_seen = []
    for now in times:
        paper.now = lambda now=now: now
        watcher.look()
        states_seen.append(paper.store.load("paper").state)
    record = paper.store.load("paper")
    assert (states_seen[-1], record.blocked, record.window_starts) == (verdicts.BLOCKED, "no_password", 2)
    assert "could not be had" in record.reason
    assert sum(each["event"] == "failed" for each in paper.store.history()) == 2
    # The next session's start, with the secret in its place again.
    fake.versions[NAME] = b"found"
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN)
    paper.now = lambda: TUESDAY + 7 * 86400
    watcher.look()
    assert fake_engine.status == "running"


# A live gateway: handed over, and withdrawn


def password_in(fake_engine: Any) -> str:
    """Return the password in IBC's settings in the container."""
    return str(dict(line.split("=", 1) for line in fake_engine.ini.read_text().splitlines())["IbPassword"])


def test_a_live_gateway_has_it_until_it_is_signed_in(control: Any, fake_engine: Any) -> None:
    live, read = control(), []

    def begin() -> None:
        read.append((password_in(fake_engine), Path(password.path("live")).read_text()))
        fake_engine.log(*BEGUN, *IN)

    fake_engine.on_start = begin
    live.sign_in(lambda *_said: None)
    assert (read, fake_engine.status) == ([("secret", "secret")], "running")
    assert (password_in(fake_engine), Path(password.path("live")).read_text()) == ("", "")
    assert not password.held("live")


def test_a_failed_sign_in_leaves_none(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, "IBC: You should specify the required second factor device")
    with pytest.raises(BlockedError):
        live.sign_in(lambda *_said: None)
    assert (fake_engine.status, password.held("live")) == ("exited", False)


def test_the_watcher_withdraws_it_where_the_operator_died(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN)
    live.start(allow_signin=True)
    assert password.held("live")
    Watcher(live).look()
    assert (password.held("live"), password_in(fake_engine), live.store.load("live").state) == (False, "", "ready")


def test_a_resume_gives_none(control: Any, fake_engine: Any) -> None:
    live = control()
    live.allow(live.store.load("live"), None)
    assert (Path(password.path("live")).read_text(), password.held("live")) == ("", False)


def test_a_start_by_hand_finds_none(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN)
    live.sign_in(lambda *_said: None)
    fake_engine.exit(1)
    fake_engine.password = lambda: Path(password.path("live")).read_text()
    fake_engine.start()
    assert password_in(fake_engine) == ""


def test_a_container_that_keeps_it_is_told_and_tried_again(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN)
    live.start(allow_signin=True)
    ini = fake_engine.ini.rename(fake_engine.ini.with_name("away"))
    watcher = Watcher(live)
    for _look in range(2):
        watcher.look()
    assert [each["event"] for each in live.store.history()].count("password_held") == 1
    assert password.held("live")
    ini.rename(fake_engine.ini)
    watcher.look()
    assert not password.held("live")


def test_a_container_of_before_is_served_and_emptied_too(deploy: Any, fake_engine: Any, tmp_path: Path) -> None:
    found = deploy(name="live", mode="live", container=fake_engine.name)
    before = tmp_path / "etc/live/secrets/tws_password"
    before.parent.mkdir()
    before.write_text("secret")
    fake_engine.exit(0)
    fake_engine.start()
    assert password.held("live")
    password.withdraw(found, Engine(), running=True)
    assert (before.read_text(), password.held("live"), password_in(fake_engine)) == ("", False, "")
    password.provide(found, "again")
    assert before.read_text() == "again"
    password.leave_disk("live")
    assert not before.parent.exists()


def test_a_live_password_is_not_kept(deploy: Any) -> None:
    for handed in (None, ""):
        with pytest.raises(password.PasswordError, match=r"does not keep.*ibops\.gateway\.live_signin"):
            password.provide(deploy(name="live", mode="live"), handed)
    with pytest.raises(password.PasswordError, match="IBC cannot read such a password"):
        password.provide(deploy(name="live", mode="live"), "a\nb")


@pytest.mark.parametrize(("controller", "read"), [("ibc", "a\\\\b"), ("ibg-controller", "a\\b")])
def test_each_controller_reads_it_in_its_own_way(deploy: Any, controller: str, read: str) -> None:
    found = deploy(name="live", mode="live", controller=controller)
    password.provide(found, "a\\b")
    assert Path(password.path("live")).read_text() == read


def test_what_is_handed_over_is_roots_and_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    password.hand_over("live", "hand\ted")
    handed = Path(password.ROOT, "live/handed")
    assert handed.stat().st_mode & 0o777 == 0o600
    assert not password.held("live")
    monkeypatch.setattr(password, "LEFT_SECONDS", -1.0)
    assert password.held("live")
    assert (password.take("live"), password.take("live"), handed.exists()) == ("hand\ted", None, False)


def test_what_nobody_took_goes(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "LEFT_SECONDS", -1.0)
    password.hand_over("live", "handed")
    password.withdraw(deploy(name="live", mode="live"), Engine("/nowhere"), running=False)
    assert password.take("live") is None


def test_a_paper_gateway_has_it_while_it_runs(control: Any, fake_engine: Any) -> None:
    paper = control("paper")
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN)
    paper.start(False)
    Watcher(paper).look()
    assert (password.held("paper"), password_in(fake_engine)) == (True, "secret")
    paper.stop()
    assert not password.held("paper")


IN_FORCE, OVER = TUESDAY + 60, TUESDAY


@pytest.mark.parametrize(
    ("mode", "running", "grant", "left"),
    [
        ("live", True, Grant(SIGN_IN, "Ann", TUESDAY, IN_FORCE), True),
        ("live", False, Grant(SIGN_IN, "Ann", TUESDAY, IN_FORCE), True),
        ("live", True, Grant(SIGN_IN, "Ann", TUESDAY, OVER), False),
        # As one has that was a paper gateway before.
        ("live", True, Grant(MANUAL, "Ann", TUESDAY, IN_FORCE), False),
        ("live", True, None, False),
        ("live", False, None, False),
        ("paper", True, None, True),
        ("paper", False, Grant(PAPER, "the plan", TUESDAY, IN_FORCE), False),
    ],
)
def test_who_needs_it(
    control: Any, fake_engine: Any, mode: str, running: bool, grant: Grant | None, left: bool
) -> None:
    made = control(mode)
    made.allow(made.store.load(mode), Grant(SIGN_IN, "Ann", TUESDAY, IN_FORCE))
    if running:
        fake_engine.start()
    record = Record(mode, mode, grant=grant)
    assert made.withdraw_password(record) == ""
    assert password.held(mode) is left
    assert not running or password_in(fake_engine) == ("secret" if left else "")


def test_an_engine_that_does_not_answer_leaves_it_and_is_told(control: Any, fake_engine: Any) -> None:
    live = control()
    live.allow(live.store.load("live"), Grant(SIGN_IN, "Ann", TUESDAY, IN_FORCE))
    fake_engine.close()
    assert "Docker" in live.withdraw_password(Record("live", "live"))
    assert password.held("live")


def test_where_nobody_has_it_no_engine_is_asked(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.close()
    assert live.withdraw_password(Record("live", "live")) == ""


# Owners, modes and bytes of the files


def test_it_is_where_the_role_mounts_it(pytestconfig: pytest.Config) -> None:
    role = yaml.safe_load((pytestconfig.rootpath / "roles/gateway/vars/main.yml").read_text())
    assert role["__gateway_secrets_dir"] == f"{ROOT}/{{{{ gateway_name }}}}/secrets"


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """Everything that is there belongs to somebody else; the owner and the group that each path is given."""
    given: dict[str, tuple[int, int]] = {}
    read = files.read
    monkeypatch.setattr(files, "read", lambda *asked: read(*asked) and {**read(*asked), "owner": 4242, "group": 4243})
    monkeypatch.setattr(os, "chown", lambda path, owner, group: given.update({str(path): (owner, group)}))
    return given


def test_it_is_this_users_and_the_containers_groups(
    deploy: Any, owners: dict[str, tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, stat = deploy(name="live", mode="live"), os.stat
    password.provide(found, "one")
    owners.clear()

    def with_a_group(path: Any, **how: Any) -> os.stat_result:
        status = stat(path, **how)
        return os.stat_result((*status[:5], 4244, *status[6:])) if path == found.settings_dir else status

    monkeypatch.setattr(os, "stat", with_a_group)
    password.provide(found, "another")
    mine = (os.geteuid(), os.getegid())
    folders = {path: owner for path, owner in owners.items() if "/.ibgw-" not in path}
    assert folders == {
        password.ROOT: mine,
        f"{password.ROOT}/live": mine,
        f"{password.ROOT}/live/secrets": (os.geteuid(), 4244),
    }
    assert {owner for path, owner in owners.items() if path not in folders} == {(os.geteuid(), 4244)}
    assert stat(password.ROOT).st_mode & 0o777 == 0o711


def test_what_is_handed_over_is_in_a_directory_that_nobody_lists() -> None:
    password.hand_over("live", "handed")
    modes = {
        str(each.relative_to(password.ROOT)): each.stat().st_mode & 0o777 for each in Path(password.ROOT).rglob("*")
    }
    assert modes == {"live": 0o711, "live/handed": 0o600}


def test_no_directory_on_disk_is_made_and_none_is_missed(deploy: Any, tmp_path: Path) -> None:
    password.provide(deploy(name="live", mode="live"), "one")
    assert not (tmp_path / "etc/live/secrets").exists()
    password.leave_disk("live")


def test_it_is_never_a_line_of_text(deploy: Any, tmp_path: Path) -> None:
    found = deploy()
    Path(password.kept_path("paper")).write_bytes(b"a\rb")
    password.provide(found)
    assert (tmp_path / "run/paper/secrets/tws_password").read_bytes() == b"a\rb"
    password.hand_over("live", "a\rb")
    assert password.take("live") == "a\rb"


@pytest.mark.parametrize(("seconds", "held"), [(60.0, False), (60.1, True)])
def test_how_long_it_waits_for_its_sign_in(monkeypatch: pytest.MonkeyPatch, seconds: float, held: bool) -> None:
    password.hand_over("live", "handed")
    os.utime(Path(password.ROOT, "live/handed"), (TUESDAY, TUESDAY))
    monkeypatch.setattr(password.time, "time", lambda: TUESDAY + seconds)
    assert password.held("live") is held


def test_every_wait_has_an_end(
    deploy: Any, source: dict[str, str], fake: FakeSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    request = bounded_http.request

    def waited(method: str, url: str, seconds: float, headers: dict[str, str]) -> tuple[int, bytes]:
        waits.append(seconds)
        return request(method, url, seconds, headers)

    class Asked(Engine):
        def execute(self, container: str, command: list[str], timeout: float, most: int = 0) -> tuple[int, str]:
            waits.append(timeout)
            return 0, ""

    monkeypatch.setattr(bounded_http, "request", waited)
    found = deploy(password_secret=source)
    password.provide(found)
    password.withdraw(found, Asked("/nowhere"), running=True)
    token, secret, blanking = waits
    assert (token, blanking) == (10.0, 10.0)
    assert 0 < secret <= 10.0


def test_an_answer_that_is_no_http(
    deploy: Any, source: dict[str, str], fake: FakeSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def garbled(*_asked: object) -> tuple[int, bytes]:
        raise http.client.BadStatusLine("garbage")

    monkeypatch.setattr(bounded_http, "request", garbled)
    with pytest.raises(password.PasswordError, match=r"BadStatusLine.*garbage"):
        password.provide(deploy(password_secret=source))

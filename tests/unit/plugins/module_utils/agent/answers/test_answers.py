# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers from the phone: what counts, and that nothing else begins anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.channels import SERVICES, Json

from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers import judge, offers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.judge import Judge
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.offers import Offers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, spool
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.channel_kinds import Alert
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Store

NOW = 1_796_000_000.0


class Phone:
    """A gateway's messages on one service's channel, the listener to their answers, and what those have begun."""

    def __init__(self, kind: str, service: Any, root: Path) -> None:
        self.kind, self.service, self.time, self.since_boot, self.boot = kind, service, NOW, 1000.0, "boot"
        self.store = Store("live", str(root))
        self.begun: list[tuple[str, ...]] = []
        self.channel: Json = service.channel()
        self.sender = self.channel.get("answers_from", ["somebody"])[0]
        self.offers = self.new_offers("live")
        self.judge = Judge("live", "gw1", self.store, self.offers, self.begin, lambda: self.time)
        self.listener = service.channel_of(self.channel, self.judge.answer)
        self.outbox = Outbox(
            self.store.directory, lambda: self.time, lambda channel, alert: self.offers.buttons(channel, alert.actions)
        )

    def new_offers(self, name: str) -> Offers:
        return Offers(self.store.directory, name, lambda: self.time, lambda: self.since_boot, lambda: self.boot)

    def begin(self, *words: str) -> str:
        self.begun.append(words)
        return ""

    def alert(self, *actions: str) -> list[str]:
        """Send a message with these buttons; return the answers that they carry."""
        key = f"state/blocked/{len(self.service.sent)}"
        self.outbox.put(Alert(key, "live", "gw1", "critical", "live is blocked", "why", "step", self.time, actions))
        assert self.outbox.flush([self.channel], 5.0) == []
        buttons: list[str] = self.service.buttons()
        return buttons

    def tap(self, answer: object, **more: Any) -> None:
        self.service.tap(answer, **more)
        self.listener.round()

    def refused(self) -> list[str]:
        return [event["text"] for event in self.store.history() if event["event"] == "answer_refused"]


@pytest.fixture(params=SERVICES)
def phone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Phone]:
    with SERVICES[request.param]() as service:
        yield Phone(request.param, service, tmp_path)


@pytest.mark.parametrize(
    ("action", "command"), [("sign_in", "sign-in"), ("later", "later"), ("skip", "skip"), ("stop_now", "stop")]
)
def test_a_tap_begins_a_command_once(phone: Phone, action: str, command: str) -> None:
    (answer,) = phone.alert(action)
    assert len(answer.encode()) <= 64
    phone.tap(answer)
    ((began, name, _by, who),) = phone.begun
    assert (began, name) == (command, "live")
    assert who.startswith("a tap of ")
    assert who.endswith(f"({phone.kind})")
    (event,) = [each for each in phone.store.history() if each["event"] == "answer"]
    assert (event["action"], event["by"]) == (action, who.removeprefix("a tap of "))
    assert phone.refused() == []


def test_a_stop_is_asked_for_twice(phone: Phone) -> None:
    (answer,) = phone.alert("stop")
    phone.tap(answer)
    assert phone.begun == []
    (sure,) = phone.service.buttons()
    phone.tap(sure)
    assert phone.begun[0][:2] == ("stop", "live")


# Answers that count for nothing


def flipped(answer: str, index: int) -> str:
    return answer[:index] + ("A" if answer[index] != "A" else "B") + answer[index + 1 :]


def taken(phone: Phone, answer: str) -> str:
    phone.tap(answer)
    phone.begun.clear()
    return answer


def twice_at_once(phone: Phone, answer: str) -> str:
    """Of many taps at once one counts; a later one is another answer."""
    threads = [threading.Thread(target=phone.judge.answer, args=(phone.channel, answer, "x")) for _each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(phone.begun) == 1
    phone.begun.clear()
    return answer


def withdrawn(phone: Phone, answer: str) -> str:
    phone.alert("sign_in")
    return answer


def passes(**attributes: float | str) -> Callable[[Phone, str], str]:
    def change(phone: Phone, answer: str) -> str:
        for name, value in attributes.items():
            setattr(phone, name, value)
        return answer

    return change


def of_another_gateway(phone: Phone, _answer: str) -> str:
    return phone.new_offers("other").buttons(phone.channel, ("sign_in",))[0].answer


def of_another_channel(phone: Phone, _answer: str) -> str:
    other = {"telegram": {"chat_id": "8"}, "ntfy": {"topic": "other"}, "slack_app": {"channel": "C2"}}[phone.kind]
    return phone.offers.buttons({**phone.channel, **other}, ("sign_in",))[0].answer


def of_other_senders(phone: Phone, _answer: str) -> str:
    before = {**phone.channel, "answers_from": ["7", "8"]}
    return phone.offers.buttons(before, ("sign_in",))[0].answer


def of_another_action(phone: Phone, answer: str) -> str:
    """The disk's word for an action is changed: the MAC is over it."""
    path = phone.offers._path(answer.split(".")[1])
    Path(path).write_text(Path(path).read_text().replace("sign_in", "stop_now"))
    return answer


def made_longer(phone: Phone, answer: str) -> str:
    path = Path(phone.offers._path(answer.split(".")[1]))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "ends_at": content["ends_at"] + 86400}))
    return answer


def with_a_new_key(phone: Phone, answer: str) -> str:
    Path(phone.store.directory, "answers.key").unlink()
    return answer


BAD: dict[str, tuple[Callable[[Phone, str], object], str]] = {
    "empty": (lambda _phone, _answer: "", "malformed"),
    "the_command": (lambda _phone, _answer: "sign_in", "malformed"),
    "another_version": (lambda _phone, answer: f"v2{answer[2:]}", "malformed"),
    "longer": (lambda _phone, answer: f"{answer}A", "malformed"),
    "a_line_more": (lambda _phone, answer: f"{answer}\n", "malformed"),
    "a_path": (lambda _phone, _answer: f"v1.{'../' * 7}x.{'A' * 22}", "malformed"),
    "not_text": (lambda _phone, _answer: {"action": "sign_in"}, "malformed"),
    "a_megabyte_short": (lambda _phone, _answer: "v1." + "A" * 4000, "malformed"),
    "id_flipped": (lambda _phone, answer: flipped(answer, 5), "forged"),
    "mac_flipped": (lambda _phone, answer: flipped(answer, 30), "forged"),
    "without_a_mac": (lambda _phone, answer: f"{answer[:26]}{'A' * 22}", "forged"),
    "swapped": (lambda _phone, answer: f"v1.{answer[26:]}.{answer[3:25]}", "forged"),
    "made_up": (lambda _phone, _answer: f"v1.{'A' * 22}.{'B' * 22}", "forged"),
    "another_action": (of_another_action, "forged"),
    "made_longer": (made_longer, "forged"),
    "a_new_key": (with_a_new_key, "forged"),
    "another_gateway": (of_another_gateway, "of another gateway"),
    "another_channel": (of_another_channel, "of another gateway or channel"),
    "other_senders": (of_other_senders, "of another gateway or channel"),
    "late_by_the_clock": (passes(time=NOW + 3600.0), "late"),
    "late_since_boot": (passes(since_boot=4600.0), "late"),
    "after_a_reboot": (passes(boot="next"), "late"),
    "clock_set_back": (passes(time=NOW - 120.0), "late"),
    "replayed": (taken, "taken before"),
    "doubled": (twice_at_once, "taken before"),
    "withdrawn": (withdrawn, "withdrawn"),
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=BAD)
def test_a_bad_answer_begins_nothing(phone: Phone, change: Callable[[Phone, str], object], reason: str) -> None:
    (answer,) = phone.alert("sign_in")
    bad = change(phone, answer)
    phone.tap(bad)
    assert phone.begun == []
    assert reason in phone.refused()[-1]
    told = [alert for alert in spool.take(phone.store.directory) if alert.key.startswith("answer_refused/")]
    assert told
    assert answer not in str(told) + str(phone.store.history())


FOREIGN = [
    ("telegram", {"sender": {"id": 8}}, "not in answers_from"),
    ("telegram", {"sender": {"id": "7"}}, "not in answers_from"),
    ("telegram", {"sender": {"is_bot": True}}, "a bot's"),
    ("telegram", {"chat": {"id": 9, "type": "group"}}, "of another chat"),
    ("telegram", {"date": 0}, "late"),
    ("slack_app", {"user": {"id": "U2"}}, "not in answers_from"),
    ("slack_app", {"team": {"id": "T2"}}, "of another workspace"),
    ("slack_app", {"channel": {"id": "C2"}}, "of another channel"),
    ("slack_app", {"user": "U1"}, "not in answers_from"),
]


@pytest.mark.parametrize(("kind", "more", "reason"), FOREIGN)
def test_a_foreign_answer_begins_nothing_and_spends_nothing(
    tmp_path: Path, kind: str, more: dict[str, Any], reason: str
) -> None:
    with SERVICES[kind]() as service:
        phone = Phone(kind, service, tmp_path)
        (answer,) = phone.alert("sign_in")
        phone.tap(answer, **more)
        assert phone.begun == []
        assert reason in phone.refused()[0]
        phone.tap(answer)
        assert len(phone.begun) == 1


def test_there_are_fifty_bad_answers() -> None:
    assert len(BAD) * len(SERVICES) + len(FOREIGN) >= 50


def test_who_sends_many_bad_answers_is_not_heard_for_an_hour(phone: Phone) -> None:
    (answer,) = phone.alert("sign_in")
    for _each in range(judge.MOST_REFUSED + 5):
        phone.tap("nonsense")
    assert len(phone.refused()) == judge.MOST_REFUSED
    phone.tap(answer)
    assert phone.begun == []
    assert told(phone) == ["allowed", "allowed/silenced"], "once, and when they are heard no more"
    phone.time += 3601.0
    (answer,) = phone.alert("sign_in")
    phone.tap(answer)
    assert len(phone.begun) == 1


def told(phone: Phone) -> list[str]:
    """The kinds of refusals that were told; the spool has no order within a second."""
    keys = sorted(alert.key.split("/") for alert in spool.take(phone.store.directory))
    return ["/".join(key[1:-1]) for key in keys if key[0] == "answer_refused"]


@pytest.mark.parametrize("strangers", [1, judge.MOST_STRANGERS, 1000])
def test_strangers_silence_only_themselves(phone: Phone, strangers: int) -> None:
    (answer,) = phone.alert("sign_in")
    for number in range(strangers):
        for _each in range(judge.MOST_REFUSED + 1):
            phone.judge.answer(phone.channel, answer, f"stranger {number}", "foreign")
    # Nor by another's name: who may answer is remembered apart.
    for _each in range(judge.MOST_REFUSED + 1):
        phone.judge.answer(phone.channel, answer, phone.sender, "foreign: of another chat")
    remembered = min(strangers + 1, judge.MOST_STRANGERS)
    assert len(phone.refused()) == remembered * judge.MOST_REFUSED
    assert told(phone) == ["stranger", "stranger/silenced"]
    assert Path(phone.store.directory, "answers.json").stat().st_size < 8192
    phone.tap(answer)
    assert len(phone.begun) == 1


def test_a_sender_is_silenced_on_one_channel(phone: Phone) -> None:
    other = {**phone.channel, "chat_id": "8", "topic": "other", "channel": "C2"}
    (answer,) = phone.offers.buttons(other, ("later",))
    for _each in range(judge.MOST_REFUSED):
        phone.tap("nonsense")
    assert told(phone)[-1] == "allowed/silenced"
    phone.judge.answer(other, answer.answer, "7")
    assert len(phone.begun) == 1


def test_a_silence_outlives_a_restart(phone: Phone) -> None:
    (answer,) = phone.alert("sign_in")
    for _each in range(judge.MOST_REFUSED):
        phone.judge.answer(phone.channel, "nonsense", "7")
    again = Judge("live", "gw1", phone.store, phone.offers, phone.begin, lambda: phone.time)
    again.answer(phone.channel, answer, "7")
    assert phone.begun == []


def test_an_earlier_releases_record_is_read(phone: Phone) -> None:
    """It counted refusals by gateway: nobody is silenced by it, and what was taken counts still."""
    kept = {"taken": [NOW] * judge.MOST_TAKEN, "refused": [NOW] * judge.MOST_REFUSED}
    Path(phone.store.directory).mkdir(parents=True, exist_ok=True)
    Path(phone.store.directory, "answers.json").write_text(json.dumps(kept))
    phone.tap(phone.alert("later")[0])
    assert phone.begun == []
    assert "within an hour" in phone.refused()[-1]


def test_answers_are_bounded_by_the_hour(phone: Phone) -> None:
    for _each in range(judge.MOST_TAKEN + 1):
        phone.tap(phone.alert("later")[0])
    assert len(phone.begun) == judge.MOST_TAKEN
    assert "within an hour" in phone.refused()[-1]


def test_on_a_full_disk_no_answer_is_taken(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    (answer,) = phone.alert("sign_in")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(judge.files, "write", full)
    phone.tap(answer)
    assert phone.begun == []
    assert phone.offers.buttons(phone.channel, ("later",)) == []


def test_a_systemd_that_refuses_is_told(phone: Phone) -> None:
    phone.judge._begin = lambda *_words: "no bus"
    (answer,) = phone.alert("later")
    phone.tap(answer)
    assert [each["text"] for each in phone.store.history() if each["event"] == "failed"] == ["later: no bus"]


def test_offers_are_bounded_and_private(phone: Phone) -> None:
    for number in range(offers.MOST + 20):
        phone.offers.buttons({**phone.channel, "topic": str(number), "chat_id": str(number)}, ("sign_in", "later"))
    kept = [*Path(phone.store.directory, "offers").iterdir()]
    assert len(kept) <= offers.MOST
    assert {each.stat().st_mode & 0o777 for each in kept} == {0o600}
    assert Path(phone.store.directory, "answers.key").stat().st_mode & 0o777 == 0o600


def test_a_channel_without_answers_has_no_buttons(phone: Phone) -> None:
    plain = {name: each for name, each in phone.channel.items() if not name.startswith("answers")}
    phone.outbox.put(Alert("k", "live", "gw1", "critical", "t", "x", "s", phone.time, ("sign_in",)))
    assert phone.outbox.flush([plain], 5.0) == []
    assert not {"reply_markup", "actions", "blocks"} & phone.service.sent[-1].keys()
    assert not Path(phone.store.directory, "offers").exists()


def test_a_programs_json_has_no_actions() -> None:
    alert = Alert("k", "live", "gw1", "critical", "t", "x", "s", NOW, ("sign_in",))
    _url, _headers, body = alerts.channel_kinds.request({"kind": "webhook", "url": "https://a"}, alert)
    assert "actions" not in body

"""Logins that cannot succeed: at most three, whatever the container says of them, and then it is stopped and told."""

from __future__ import annotations

import pytest

LOGINS = 3
WORDS = {
    "login_error": "detected dialog entitled: Login Error; event=Opened",
    "unknown_words": "detected dialog entitled: Zugang verweigert; event=Opened",
    "no_words": "",
    "login_failed": "Login failed",
    "refused": "Connection to server failed: Invalid username or password.",
    "unreached": "Connection to server failed: Connection refused",
}


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("gateway", ["paper", "live"])
def test_logins(request: pytest.FixtureRequest, gateway: str, kind: str) -> None:
    target = request.getfixturevalue(gateway)
    told = len(target.machine.alerts())
    before = target.count("IBC: Login attempt")
    target.attack("logins", WORDS[kind], "2")
    found = target.until(lambda record: record["blocked"] is not None, 20)
    assert (found["state"], target.running()) == ("blocked", "")
    assert target.count("IBC: Login attempt") - before <= LOGINS
    assert ("state/blocked", gateway) in {(each["key"], each["gateway"]) for each in target.machine.alerts(told)}

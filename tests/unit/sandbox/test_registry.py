"""A registry's address on the sandbox network is its checkout's alone."""

from __future__ import annotations

import ipaddress

import pytest
from sandbox.machine.common import SUBNET, SandboxError
from sandbox.registry import registry

OWN = registry.NAME
FIRST = registry.ADDRESSES[int(registry.HASH, 16) % len(registry.ADDRESSES)]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of `docker ps` for all registries of the engine."""
    rows: list[str] = []
    monkeypatch.setattr(registry, "docker", lambda *_words: "\n".join(rows).strip())
    return rows


def test_a_registry_keeps_its_address(rows: list[str]) -> None:
    rows += [f"other {FIRST}", f"{OWN} 10.211.3.250"]
    assert registry.address() == "10.211.3.250"


def test_an_address_that_another_checkout_has_is_not_chosen(rows: list[str]) -> None:
    assert registry.address() == FIRST
    # The one of before there was one a checkout has no address in its labels.
    rows += [f"other {FIRST}", "ibgw-sandbox-registry "]
    second = registry.address()
    assert second in set(registry.ADDRESSES) - {FIRST}
    rows.append(f"third {second}")
    assert registry.address() in set(registry.ADDRESSES) - {FIRST, second}


def test_without_a_free_address_the_error_says_so(rows: list[str]) -> None:
    rows += [f"other-{address} {address}" for address in registry.ADDRESSES]
    with pytest.raises(SandboxError, match="make clean"):
        registry.address()


def test_the_addresses_are_within_the_sandboxs_network() -> None:
    assert {ipaddress.ip_address(address) in ipaddress.ip_network(SUBNET) for address in registry.ADDRESSES} == {True}

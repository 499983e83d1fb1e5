from __future__ import annotations

import sys

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ibops.gateway.plugins.filter.exchange_holidays import FilterModule, exchange_holidays

# https://www.nyse.com/markets/hours-calendars
NYSE_2026 = [
    "2026-01-01",
    "2026-01-19",
    "2026-02-16",
    "2026-04-03",
    "2026-05-25",
    "2026-06-19",
    "2026-07-03",
    "2026-09-07",
    "2026-11-26",
    "2026-12-25",
]


@pytest.mark.parametrize("exchange", ["XNYS", "NYSE"])
def test_the_days_on_which_new_york_is_closed(exchange: str) -> None:
    assert exchange_holidays(exchange, 2026, years=1) == NYSE_2026
    two_years = exchange_holidays(exchange, 2026)
    assert two_years[: len(NYSE_2026)] == NYSE_2026
    assert {day[:4] for day in two_years} == {"2026", "2027"}


def test_half_days_are_not_among_them() -> None:
    assert "2026-11-27" not in exchange_holidays("XNYS", 2026)


# US is a country of the library, HolidayBase one of its classes.
@pytest.mark.parametrize("exchange", ["NYSEX", "US", "HolidayBase", ""])
def test_an_unknown_exchange(exchange: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"no exchange is called '{exchange}'; known are ASX, .*XNYS"):
        exchange_holidays(exchange, 2026)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(AnsibleFilterError, match=r"Failed to import .* \(holidays\)"):
        exchange_holidays("XNYS", 2026)


def test_its_name() -> None:
    assert FilterModule().filters() == {"exchange_holidays": exchange_holidays}

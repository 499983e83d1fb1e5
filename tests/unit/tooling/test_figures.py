from __future__ import annotations

import pytest
from tests.lint import figures

KNOWN = {"site.second_s": "5.9", "site.of_pings": "0.75"}
ROW = "| second run | 5.9 <!--site.second_s--> s | 0.75 <!--site.of_pings--> of it (at most 1.0) |\n"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (ROW, []),
        ("Forks take 10 s.\n", []),
        (ROW.replace("5.9", "5.8"), ["site.second_s is 5.9, and the page has 5.8"]),
        (ROW.replace("second_s", "third_s"), ["site.third_s is -, and the page has 5.9"]),
        ("| second run | 5.9 s |\n", ["a number that no measurement gives: | second run | 5.9 s |"]),
        ("| third run | - <!--site.third_s--> s |\n", []),
        ("| 50 gateways | `ping 3` |\n", []),
    ],
)
def test_a_figure_is_the_summarys(page: str, said: list[str]) -> None:
    assert figures.problems(page, KNOWN) == said


def test_the_summarys_figures_are_written() -> None:
    assert figures.written(ROW.replace("5.9", "1").replace("0.75", "2"), KNOWN) == ROW

from __future__ import annotations

from ansible_collections.ibops.gateway.plugins.filter.paper_session_problems import FilterModule


def test_it_says_what_is_wrong_with_the_sessions() -> None:
    problems = FilterModule().filters()["paper_session_problems"]
    assert problems([]) == []
    assert problems([{"name": "us-open"}]) != []

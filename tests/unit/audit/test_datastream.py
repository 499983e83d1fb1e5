"""The rules that a profile selects, with their values, and the evaluations that profiles can share."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit import scap
from audit.datastream import PREFIX, DataStream

CHECK = '<check system="oval"><check-export export-name="x" value-id="{p}value_length"/></check>'
BENCHMARK = """
<ds:data-stream-collection xmlns:ds="d"><ds:component><Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2">
  <Profile id="{p}profile_first">
    <select idref="{p}rule_plain" selected="true"/><select idref="{p}rule_length" selected="true"/>
    <refine-value idref="{p}value_length" selector="long"/>
  </Profile>
  <Profile id="{p}profile_second">
    <select idref="{p}rule_plain" selected="true"/><select idref="{p}rule_length" selected="true"/>
    <select idref="{p}rule_hidden" selected="true"/><select idref="{p}group_off" selected="false"/>
    <select idref="{p}rule_own" selected="true"/>
  </Profile>
  <Profile id="{p}profile_third">
    <select idref="{p}rule_length" selected="true"/><set-value idref="{p}value_length">15</set-value>
  </Profile>
  <Value id="{p}value_length"><value>8</value><value selector="long">15</value></Value>
  <Group id="{p}group_on">
    <Rule id="{p}rule_plain" selected="false"><title>A <i>plain</i>
      rule</title></Rule>
    <Rule id="{p}rule_length" selected="false"><title>Length</title>{check}</Rule>
    <Group id="{p}group_off"><Rule id="{p}rule_hidden" selected="false"><title>Hidden</title></Rule></Group>
    <Rule id="{p}rule_own" selected="false"><title>Own</title><requires idref="{p}rule_plain"/></Rule>
  </Group>
</Benchmark></ds:component></ds:data-stream-collection>
"""
PROFILES = ("first", "second", "third")


@pytest.fixture
def stream(tmp_path: Path) -> DataStream:
    path = tmp_path / "ds.xml"
    path.write_text(BENCHMARK.format(p=PREFIX, check=CHECK.format(p=PREFIX)))
    return DataStream(path)


def test_selection(stream: DataStream) -> None:
    assert {profile: set(stream.rules(profile)) for profile in PROFILES} == {
        "first": {"plain", "length"},
        "second": {"plain", "length", "own"},
        "third": {"length"},
    }
    assert stream.required == {"plain"}
    assert stream.title("plain") == "A plain rule"


def test_a_rule_is_evaluated_once_for_each_set_of_values(stream: DataStream) -> None:
    assert stream.passes(PROFILES) == {"first": {"plain", "length"}, "second": {"length", "own"}}
    assert [stream.pass_of(profile, "length", PROFILES) for profile in PROFILES] == ["first", "second", "first"]


def test_percentages_and_findings(stream: DataStream) -> None:
    results = {"first": {"plain": "pass", "length": "fail"}, "second": {"length": "pass", "own": "error"}}
    verdict = scap.verdict(stream, PROFILES, results, {})
    assert verdict.figures == {"first": 50, "second": 100, "third": 0}
    assert [(finding.name, finding.text) for finding in verdict.findings] == [("length", "Length (first, third)")]
    assert verdict.notes == ["own: error (second)"]

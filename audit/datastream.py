"""Read a SCAP data stream: the rules that its profiles select, and the values that they pass to each check."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PREFIX = "xccdf_org.ssgproject.content_"
XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
Values = tuple[tuple[str, str], ...]


class DataStream:
    """The benchmark in a data stream of the SCAP Security Guide; names are used without the prefix of its ids."""

    def __init__(self, path: Path) -> None:
        root = ElementTree.parse(path).getroot()
        benchmark = root if root.tag == f"{XCCDF}Benchmark" else next(root.iter(f"{XCCDF}Benchmark"))
        self._profiles = {_short(profile, "profile_"): profile for profile in benchmark.iter(f"{XCCDF}Profile")}
        self._rules = {_short(rule, "rule_"): rule for rule in benchmark.iter(f"{XCCDF}Rule")}
        self._values = {value.get("id", ""): value for value in benchmark.iter(f"{XCCDF}Value")}
        self._groups = {
            _short(rule, "rule_"): [item for item in above if item.tag == f"{XCCDF}Group"]
            for rule, above in _with_ancestors(benchmark, f"{XCCDF}Rule")
        }
        # Rules that other rules depend on: skipping one would change their results.
        self.required = {
            item.get("idref", "").removeprefix(f"{PREFIX}rule_")
            for rule in self._rules.values()
            for kind in ("requires", "conflicts")
            for item in rule.iter(f"{XCCDF}{kind}")
        } & self._rules.keys()

    def title(self, rule: str) -> str:
        title = self._rules[rule].find(f"{XCCDF}title")
        return " ".join("".join(title.itertext()).split()) if title is not None else ""

    @cache  # noqa: B019  a stream lives as long as the run
    def rules(self, profile: str) -> frozenset[str]:
        """The rules that a profile selects."""
        chosen = {item.get("idref"): item.get("selected") for item in self._profiles[profile].iter(f"{XCCDF}select")}

        def selected(item: ElementTree.Element) -> bool:
            return chosen.get(item.get("id"), item.get("selected", "true")) in {"true", "1"}

        return frozenset(
            name for name, rule in self._rules.items() if selected(rule) and all(map(selected, self._groups[name]))
        )

    @cache  # noqa: B019  a stream lives as long as the run
    def values(self, profile: str, rule: str) -> Values:
        """Return the values that the profile passes to the rule's check, as (value, text) pairs."""
        exported = {item.get("value-id", "") for item in self._rules[rule].iter(f"{XCCDF}check-export")}
        refined = {
            item.get("idref"): item.get("selector") for item in self._profiles[profile].iter(f"{XCCDF}refine-value")
        }
        fixed = {item.get("idref"): item.text or "" for item in self._profiles[profile].iter(f"{XCCDF}set-value")}
        return tuple((name, fixed.get(name) or self._text(name, refined.get(name))) for name in sorted(exported))

    def passes(self, profiles: Iterable[str]) -> dict[str, set[str]]:
        """{profile: the rules to evaluate under it}, so that each rule is evaluated once per set of values."""
        known: set[tuple[str, Values]] = set()
        found = {}
        for profile in profiles:
            wanted = {rule for rule in self.rules(profile) if (rule, self.values(profile, rule)) not in known}
            known |= {(rule, self.values(profile, rule)) for rule in wanted}
            if wanted:
                found[profile] = wanted
        return found

    def pass_of(self, profile: str, rule: str, profiles: Iterable[str]) -> str:
        """The profile under which the rule was evaluated with this profile's values."""
        same = (other for other in profiles if rule in self.rules(other))
        return next(other for other in same if self.values(other, rule) == self.values(profile, rule))

    def _text(self, value: str, selector: str | None) -> str:
        choices = {item.get("selector"): item.text or "" for item in self._values[value].findall(f"{XCCDF}value")}
        return choices.get(selector, choices.get(None, ""))


def _short(item: ElementTree.Element, kind: str) -> str:
    return item.get("id", "").removeprefix(PREFIX + kind)


def _with_ancestors(
    root: ElementTree.Element, tag: str, above: tuple[ElementTree.Element, ...] = ()
) -> Iterable[tuple[ElementTree.Element, tuple[ElementTree.Element, ...]]]:
    for child in root:
        if child.tag == tag:
            yield child, above
        yield from _with_ancestors(child, tag, (*above, child))

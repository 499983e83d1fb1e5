"""The audit's printed result."""

from __future__ import annotations

import textwrap

from audit.floors import Waiver, matched, meets, words
from audit.report import Verdict

WIDTH = 110


def show(release: str, base: dict[str, Verdict], ours: dict[str, Verdict], waivers: list[Waiver]) -> bool:
    """Print figures and findings of one machine; return whether it meets every floor and every finding has a waiver."""
    print(f"\nDebian {release}\n{'judge':<32}{'base':>8}{'ours':>8}  {'floor':<8}verdict")
    good = True
    for judge, verdict in ours.items():
        for figure, value in verdict.figures.items():
            before = base[judge].figures.get(figure) if judge in base else None
            met = meets(judge, figure, value)
            good &= met is not False
            shown = {True: "ok", False: "BELOW", None: ""}[met]
            floor = words(judge, figure)
            left = f"{before:>8g}" if before is not None else f"{'-':>8}"
            print(f"{f'{judge} {figure}':<32}{left}{value:>8g}  {floor:<8}{shown}".rstrip())
    findings, stale = matched(ours, waivers, release)
    good &= all(waiver for _judge, _finding, waiver in findings)
    _list("Findings that nobody has accepted", [(f"{j}: {f.name}", f.text) for j, f, w in findings if not w])
    _list("Findings that are accepted, and why", [(f"{j}: {f.name}", w.reason) for j, f, w in findings if w])
    _list("What the judges say besides", [(judge, text) for judge, verdict in ours.items() for text in verdict.notes])
    _list("Waivers that nothing needs any more", [(f"{w.judge}: {w.finding}", w.reason) for w in stale])
    return good


def _list(title: str, entries: list[tuple[str, str]]) -> None:
    if not entries:
        return
    print(f"\n{title}: {len(entries)}")
    for name, text in entries:
        print(f"  {name}")
        print(textwrap.fill(text, WIDTH, initial_indent="      ", subsequent_indent="      "))

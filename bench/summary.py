"""The figures that the documentation shows, in bench/summary.json: each part with the day, the commit and the load.

`make bench` writes the parts that it measures and prints the ratio of each figure to the one before; bench/access.py
writes its own. tests/lint/figures.py puts them into docs/explanation/performance.md.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import statistics
import subprocess
import typing as t

PATH = pathlib.Path(__file__).resolve().parent / "summary.json"
Figures = dict[str, float]
Results = dict[str, t.Any]


def median(samples: t.Iterable[float]) -> float:
    return statistics.median(samples)


def _site(results: Results) -> Figures:
    wall, processor = (
        {name: median(each) for name, each in results[kind].items()} for kind in ("wall_s", "processor_s")
    )
    return {
        "pings_s": wall["pings"],
        "second_s": wall["second"],
        "of_pings": wall["second"] / wall["pings"],
        "pings_processor_s": processor["pings"],
        "second_processor_s": processor["second"],
        "processor_of_pings": processor["second"] / processor["pings"],
        "calls": len([task for task in results["tasks"] if task["on"] == "host"]),
    }


def _fleet(results: Results) -> Figures:
    real, (one, fifty), many = results["machines"], results["stand_ins"], results["look"]
    return {
        "gateways": real["hosts"],
        "machines": real["machines"],
        "of_ping": real["site_s"] / real["ping_s"],
        "stand_ins": fifty["hosts"],
        "stand_ins_of_ping": fifty["site_s"] / fifty["ping_s"],
        "further_host_processor_s": (fifty["site_processor_s"] - one["site_processor_s"])
        / (fifty["hosts"] - one["hosts"]),
        "validated": many["hosts"],
        "validation_s": many["validation_s"],
        "status_s": many["status_s"],
    }


def _hardening(results: Results) -> Figures:
    floor, second = (median(results["samples_s"][name]) for name in ("floor_20_pings", "second_run"))
    first = results["first_run_s"]
    return {
        "pings_s": floor,
        "second_s": second,
        "second_of_pings": second / floor,
        "first_s": first,
        "first_of_pings": first / floor,
        "calls": len(results["tasks"]),
    }


def _process(results: Results) -> Figures:
    cost = {
        who: (median(each.seconds for each in rows) * 1000, max(each.mib for each in rows))
        for who, rows in results.items()
    }
    python = cost["python"][0]
    return {
        f"{who}_{what}": value
        for who, (ms, mib) in cost.items()
        for what, value in (("ms", ms), ("of_python", ms / python), ("mib", mib))
    }


def _google_cloud(results: Results) -> Figures:
    ours, theirs = (median(results["samples_s"][name]) for name in ("ours", "theirs"))
    return {
        "ours_s": ours,
        "theirs_s": theirs,
        "of_theirs": ours / theirs,
        "creation_s": results["creation_s"],
        "of_operations": results["creation_s"] / results["critical_path_s"],
    }


PARTS: dict[str, t.Callable[[t.Any], Figures]] = {
    "site": _site,
    "fleet": _fleet,
    "hardening": _hardening,
    "process": _process,
    "latency": lambda samples: {
        "least_ms": min(samples) * 1000,
        "most_ms": max(samples) * 1000,
        "starts": len(samples),
    },
    "reaction": lambda samples: {"least_ms": min(samples), "most_ms": max(samples), "starts": len(samples)},
    "stops": lambda rows: {"stops": len(rows), "median_ms": median(row["stop_ms"] for row in rows)},
    "google_cloud": _google_cloud,
    "google_cloud_newest": _google_cloud,
    "watcher": lambda cost: {"core_percent": cost["core_share"] * 100, "peak_mib": cost["peak_mib"]},
    "access": lambda ways: {f"{way}_{kind}": value for way, kinds in ways.items() for kind, value in kinds.items()},
}


def read() -> dict[str, dict[str, t.Any]]:
    return dict(json.loads(PATH.read_text()))


def record(results: Results) -> None:
    """Write the parts that *results* have, and print each figure beside the one before."""
    parts = read() if PATH.exists() else {}
    print(f"\n{'figure':<36}{'before':>12}{'now':>12}{'ratio':>8}")
    for part in (name for name in PARTS if results.get(name)):
        before = parts.get(part, {"figures": {}})["figures"]
        figures = {name: float(f"{value:.3g}") for name, value in PARTS[part](results[part]).items()}
        parts[part] = {**_now(), "figures": figures}
        for name, value in figures.items():
            old = before.get(name)
            print(f"{part + '.' + name:<36}{old or '-':>12}{value:>12}{value / old if old else float('nan'):>8.2f}")
    PATH.write_text(json.dumps(parts, indent=1, sort_keys=True) + "\n")


def _now() -> dict[str, t.Any]:
    commit = subprocess.run(["git", "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=True)
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "load": round(os.getloadavg()[1], 1),
    }

"""Measure, side by side in one run, and write .cache/bench/results.json with the raw samples: `make bench`.

`make bench PARTS="site fleet"` measures some parts. Needs a sandbox with a ready paper gateway (`make bench` provides
it). Seconds are this machine's; compare the ratios.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import typing as t
from importlib import metadata

import fleet
import google_cloud
import hardening_run
import latency
import reaction
import readiness
import site_run
import stops
import summary
import watcher

RESULTS = pathlib.Path(__file__).resolve().parent.parent / ".cache" / "bench" / "results.json"


def machine() -> dict[str, t.Any]:
    cpu = next(
        line.partition(":")[2].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    packages = ("ansible-core", "ib_async")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def median(samples: list[float]) -> float:
    return round(statistics.median(samples), 3)


def show_site(results: dict[str, t.Any]) -> None:
    on_host = [task for task in results["tasks"] if task["on"] == "host"]
    print(f"\nsite.yml -l paper, second run (changed={results['changed']}, {len(on_host)} tasks on the host)")
    for kind, limit in (("wall", 1.0), ("processor", 1.2)):
        floor, second = (median(results[f"{kind}_s"][name]) for name in ("pings", "second"))
        print(f"  {kind:<11}{second:7.2f} s   {second / floor:.2f} of 30 pings (at most {limit})")
    print("  the longest tasks")
    for task in results["tasks"][:10]:
        print(f"    {task['seconds']:6.2f} s  {task['on']:<10}  {task['task']}")


def show_fleet(results: dict[str, t.Any]) -> None:
    rows = [("on machines", results["machines"]), *(("not there", row) for row in results["stand_ins"])]
    print(f"\nA fleet without a change, {results['forks']} forks, beside one ping each")
    for where, row in rows:
        print(
            f"  {row['hosts']:>4} gateways {where:<12}{row['site_s']:8.1f} s   "
            f"{row['site_s'] / row['ping_s']:5.1f} of a ping   "
            f"processor {row['site_processor_s']:7.1f} s"
        )
    many = results["look"]
    print(
        f"  {many['hosts']:>4} gateways not there   validation {many['validation_s']:.2f} s (at most 2)   "
        f"status.yml {many['status_s']:.1f} s (at most 60)"
    )


def show_hardening(results: dict[str, t.Any]) -> None:
    floor, second = (median(results["samples_s"][name]) for name in ("floor_20_pings", "second_run"))
    first = results["first_run_s"]
    print(f"""
Role hardening (second run: changed={results["changed"]}, {len(results["tasks"])} tasks on the host)
  20 no-op tasks            {floor:7.2f} s
  second run                {second:7.2f} s   {second / floor:.2f} of the 20 no-ops (at most 2)
  first run                 {first:7.2f} s   {first / floor:.2f} of the 20 no-ops (at most 3); packages were there""")
    for title, name in (("second", "tasks"), ("first", "first_run_tasks")):
        print(f"  the tasks of the {title} run")
        for task in results[name]:
            print(f"    {task['seconds']:6.2f} s  {task['task']}")


def show_cost(samples: dict[str, list[readiness.Cost]]) -> None:
    python = median([cost.seconds for cost in samples["python"]])
    print("\nOne look at a ready API, from process start to exit")
    for name, costs in samples.items():
        seconds = median([cost.seconds for cost in costs])
        peak = max(cost.mib for cost in costs)
        print(
            f"  {name:<10} {seconds * 1000:6.1f} ms   {seconds / python:5.2f} of a bare interpreter   {peak:5.1f} MiB"
        )


def show_verdicts(rows: list[dict[str, t.Any]]) -> None:
    print(f"\nWho says what, after how long\n  {'fault':<26}{'probe':<34}{'ib_async':<34}TCP check")
    for row in rows:
        cells = (f"{row[who]} {row[f'{who}_s']:.2f} s" for who in ("probe", "ib_async", "tcp"))
        print(f"  {row['fault']:<26}" + "".join(f"{cell:<34}" for cell in cells).rstrip())


def show_latency(samples: list[float]) -> None:
    milliseconds = sorted(round(sample * 1000) for sample in samples)
    print(f"\nFrom a usable API to the verdict, in ms (at most 250): {milliseconds}")


def show_reaction(samples: list[float]) -> None:
    print(f"""
From a line that tells of a sign-in nobody asked for to the end, {reaction.BUSY_A_CORE} busy processes a core
  in ms (at most {reaction.LIMIT_MS})   {sorted(map(round, samples))}""")


def show_stops(rows: list[dict[str, t.Any]]) -> None:
    spread = sorted(row["stop_ms"] for row in rows)
    print(f"""
Stops of paper, asked from 0 to {rows[-1]["after_ms"] / 1000:.1f} s after its start
  signed off and gone within {stops.LIMIT_SECONDS} s   {sum(map(stops.clean, rows))} of {len(rows)}
  a stop takes {spread[0]} to {spread[-1]} ms, median {statistics.median(spread):.0f}""")


def show_google_cloud(results: dict[str, t.Any] | None, release: str) -> None:
    if results is None:
        return
    ours, theirs = (median(results["samples_s"][name]) for name in ("ours", "theirs"))
    creation, path = results["creation_s"], results["critical_path_s"]
    print(f"""
Network and VM on the fake of Google Cloud, a run without a change, beside google.cloud's {release} release
  role gcp_vm      {ours:6.2f} s   {ours / theirs:.2f} of google.cloud (at most 0.5)
  google.cloud     {theirs:6.2f} s   the same resources but for Cloud NAT, which it has not
  first creation   {creation:6.2f} s   {creation / path:.2f} of what its operations take in turn (at most 1.3)""")


def show_watcher(cost: dict[str, t.Any]) -> None:
    print(f"""
The watcher of a ready gateway, over {cost["seconds"]} s
  processor   {cost["core_share"]:8.2%} of a core (at most 0.50%)
  memory      {cost["peak_mib"]:8.1f} MiB at its peak (at most 30)""")


class Part(t.NamedTuple):
    measure: t.Callable[[], t.Any]
    show: t.Callable[[t.Any], None]


PARTS = {
    "process": Part(readiness.process_cost, show_cost),
    "verdicts": Part(readiness.verdicts, show_verdicts),
    "latency": Part(latency.measure, show_latency),
    "reaction": Part(reaction.measure, show_reaction),
    "site": Part(site_run.measure, show_site),
    "fleet": Part(fleet.measure, show_fleet),
    "hardening": Part(hardening_run.measure, show_hardening),
    "stops": Part(stops.measure, show_stops),
    "google_cloud": Part(google_cloud.measure, lambda found: show_google_cloud(found, "locked")),
    "google_cloud_newest": Part(google_cloud.newest, lambda found: show_google_cloud(found, "newest")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # argparse compares a default that is a list with the choices as a whole.
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all without one: {', '.join(PARTS)}")
    wanted = parser.parse_args().parts or [*PARTS]
    if unknown := set(wanted) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    before, whole = watcher.look(), {*wanted} == {*PARTS}
    measured = {name: PARTS[name].measure() for name in wanted}
    results = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        **measured,
        "load": os.getloadavg(),
        # Of the whole time, which is too short with few parts.
        **({"watcher": watcher.between(before, watcher.look())} if whole else {}),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for name, found in measured.items():
        PARTS[name].show(found)
    if whole:
        show_watcher(results["watcher"])
    summary.record(results)
    print(f"\nRaw samples and the machine: {RESULTS.relative_to(pathlib.Path.cwd())}")


if __name__ == "__main__":
    main()

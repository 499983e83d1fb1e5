"""Measure the watcher of a ready gateway: processor time between two looks, and peak memory."""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

import site_run
import yaml

LOOK = """
pid=$(systemctl show --value --property MainPID ibgw-watch@paper.service)
awk '{ print $14 + $15 }' /proc/$pid/stat; getconf CLK_TCK; cut -d ' ' -f 1 /proc/uptime
awk '/^VmHWM/ { print $2 }' /proc/$pid/status; echo $pid
"""
PLAY = [
    {
        "name": "The watcher's cost so far",
        "hosts": "paper",
        "gather_facts": False,
        "tasks": [{"name": "Look", "ansible.builtin.shell": {"cmd": LOOK}, "changed_when": False}],
    }
]


def look() -> dict[str, t.Any]:
    """Processor seconds so far, the host's uptime in seconds, peak MiB, and the process."""
    with tempfile.TemporaryDirectory() as directory:
        playbook = pathlib.Path(directory) / "watcher.yml"
        playbook.write_text(yaml.safe_dump(PLAY))
        report = site_run.run(str(playbook)).report
    (result,) = report["plays"][0]["tasks"][0]["hosts"].values()
    ticks, per_second, uptime, kib, pid = map(float, result["stdout"].split())
    return {"cpu_s": ticks / per_second, "uptime_s": uptime, "peak_mib": kib / 1024, "pid": int(pid)}


def between(first: dict[str, t.Any], second: dict[str, t.Any]) -> dict[str, t.Any]:
    """The share of one processor between two samples, their distance in seconds, and the peak."""
    if first["pid"] != second["pid"]:
        raise SystemExit("the watcher was restarted while it was measured: see journalctl -u ibgw-watch@paper")
    seconds = second["uptime_s"] - first["uptime_s"]
    share = (second["cpu_s"] - first["cpu_s"]) / seconds
    return {"seconds": round(seconds), "core_share": share, "peak_mib": round(second["peak_mib"], 1)}

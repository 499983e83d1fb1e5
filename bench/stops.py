"""Measure how long a stop of paper takes, at moments from its start until it is ready, and whether it is then gone.

The moments are evenly spaced from the container's start to a second after its API was first ready.
"""

from __future__ import annotations

import json
import pathlib
import tempfile
import typing as t

import site_run
import yaml

TIMES = 50
LIMIT_SECONDS = 60
SCRIPT = r"""
set -eu
ibgwctl stop paper >/dev/null
begun=$(date +%s%N); ibgwctl start paper >/dev/null; ibgwctl wait-ready paper >/dev/null
ready=$(( ($(date +%s%N) - begun) / 1000000 ))
for number in $(seq 0 {{ times - 1 }}); do
  after=$(( number * (ready + 1000) / {{ times - 1 }} ))
  ibgwctl stop paper >/dev/null
  ibgwctl start paper >/dev/null
  sleep $(printf '%d.%03d' $((after / 1000)) $((after % 1000)))
  asked=$(date +%s%N)
  how=$(ibgwctl stop paper --json)
  ms=$(( ($(date +%s%N) - asked) / 1000000 ))
  state=$(docker inspect --format '{{ '{{' }}json .State}}' ibgw-paper)
  echo "{\"after_ms\": $after, \"stop_ms\": $ms, \"outcome\": $how, \"container\": $state}"
done
"""


def measure(times: int = TIMES) -> list[dict[str, t.Any]]:
    """One entry per stop: milliseconds from start to stop and for the stop, its outcome, and the container
    afterwards."""
    play = {
        "name": "Stop it again and again",
        "hosts": "paper",
        "gather_facts": False,
        "vars": {"times": times},
        "tasks": [{"name": "Stops", "ansible.builtin.shell": {"cmd": SCRIPT}, "changed_when": False}],
    }
    with tempfile.TemporaryDirectory() as directory:
        playbook = pathlib.Path(directory) / "stops.yml"
        playbook.write_text(yaml.safe_dump([play]))
        print(f"stops: {times} times", flush=True)
        report = site_run.run(str(playbook)).report
    (result,) = report["plays"][0]["tasks"][0]["hosts"].values()
    return [json.loads(line) for line in result["stdout"].splitlines()]


def clean(stop: dict[str, t.Any]) -> bool:
    """Whether IBC signed the user off, the container is gone, and in time."""
    return (
        stop["outcome"]["how"] == "ibc"
        and not stop["container"]["Running"]
        and stop["container"]["ExitCode"] == 0
        and stop["stop_ms"] < LIMIT_SECONDS * 1000
    )

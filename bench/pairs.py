"""Two operators at once: pairs of `site.yml -l live --tags gateway`, begun 0 to 20 s apart on a gateway that is down.

`SANDBOX_SLOT=2 python bench/pairs.py [PAIRS]` wants a live gateway of the sandbox, writes .cache/bench/pairs.json, and
ends with 1 where a pair cost other than one push, or another container than the one that there was.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".cache" / "bench" / "pairs.json"
PROGRAMS = pathlib.Path(sys.executable).parent
PAIRS, APART_SECONDS = 20, 20
COUNT = (
    "docker inspect --format '{% raw %}{{.Id}} {{.State.Running}}{% endraw %}' ibgw-live; "
    "docker logs ibgw-live 2>&1 | grep -c 'Second Factor Authentication initiated' || true"
)


def on_host(command: str) -> list[str]:
    """The words that a command of the gateway's machine prints."""
    arguments = [f"{PROGRAMS}/ansible", "sandbox-live", "-m", "ansible.builtin.shell", "-a", command]
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    (play,) = json.loads(run.stdout[run.stdout.index("{") :])["plays"]
    return str(play["tasks"][0]["hosts"]["sandbox-live"]["stdout"]).split()


def begin() -> subprocess.Popen[str]:
    command = [f"{PROGRAMS}/ansible-playbook", "site.yml", "-l", "live", "--tags", "gateway"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def pair(apart: float) -> dict[str, t.Any]:
    """Exit codes of the two, whether the second was told that the first is at it, pushes, and whether it runs."""
    on_host("ibgwctl stop live")
    container, _running, before = on_host(COUNT)
    first = begin()
    time.sleep(apart)
    second = begin()
    said = [run.communicate(timeout=900)[0] for run in (first, second)]
    now, running, after = on_host(COUNT)
    return {
        "apart_s": apart,
        "exits": [first.returncode, second.returncode],
        "told_busy": [bool(re.search(r"is\s+busy:\s", text)) for text in said],
        "pushes": int(after) - int(before),
        "same_container": now == container,
        "running": running == "true",
    }


def holds(row: dict[str, t.Any]) -> bool:
    """Whether the pair cost one push, the gateway runs, and who did not carry it through was told who is at it."""
    ended = all(code == 0 or told for code, told in zip(row["exits"], row["told_busy"], strict=True))
    return bool(row["pushes"] == 1 and row["same_container"] and row["running"] and ended and 0 in row["exits"])


def main(pairs: int) -> int:
    rows = []
    for number in range(pairs):
        rows.append(pair(round(number * APART_SECONDS / max(1, pairs - 1), 1)))
        print(f"pair {number + 1} of {pairs}: {rows[-1]}", flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    kept = sum(map(holds, rows))
    print(f"{kept} of {pairs} pairs cost one push")
    return 0 if kept == pairs else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS))

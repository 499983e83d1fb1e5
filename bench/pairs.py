"""Two operators at once: pairs of `site.yml -l live --tags gateway`, begun 0 to 20 s apart on a gateway that is down.

`SANDBOX_SLOT=2 python bench/pairs.py [PAIRS]` needs a live gateway in the sandbox, writes .cache/bench/pairs.json, and
exits with 1 if a pair did not cost exactly one push, or replaced the container.
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
    """The output, in words, of a command on the gateway's machine."""
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
    """Both exit codes, whether the second was told about the first, the number of pushes, and whether the gateway
    runs."""
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
    """Whether the pair cost one push, the gateway runs, and the refused operator was told who is acting."""
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

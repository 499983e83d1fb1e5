"""Measure the cost of each access method, and how soon a tunnel is back: `python bench/access.py` writes
.cache/bench/access.json.

Needs the machines of `molecule converge -s access` and its ib_async (`molecule side-effect -s access`). Seconds are
this machine's; compare the ratios. A client of each access method runs where it would in production: on the VM, in the
Cloud Run subnet, in a container, on the bastion, in the outside subnet with a certificate, in the overlay.
"""

from __future__ import annotations

import collections.abc as c
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

import summary
from sandbox.machine.common import NETWORK, ROOT, SandboxError, docker, labelled, machine_image
from tests.sandbox.peers import BOB, Peers

RESULTS = ROOT / ".cache" / "bench" / "access.json"
VM, BASTION, ADDRESS, BASTION_ADDRESS = "ibgw-sandbox-5-paper", "ibgw-sandbox-5-bastion", "10.211.0.60", "10.211.0.62"
SITE = "/opt/ibgw/client/lib/python3.13/site-packages"
PLACE = "/opt/ibgw-bench"
ROUND_TRIPS = 1000
CUTS = 20
LIMIT_SECONDS = 15
CLIENT = """
import json, sys, time
import ib_async
from agent.api.probe import probe
host, port, trips = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
verdicts = []
for number in range(10):
    begin = time.perf_counter()
    assert probe(host, port, client_id=60 + number)["api_state"] == "ready"
    verdicts.append(time.perf_counter() - begin)
ib = ib_async.IB()
ib.connect(host, port, clientId=80, readonly=True, timeout=20)
samples = []
for _trip in range(trips):
    begin = time.perf_counter()
    ib.reqCurrentTime()
    samples.append(time.perf_counter() - begin)
print(json.dumps({"verdict_s": verdicts, "round_trip_s": samples}))
"""

# The same through the client's own TLS relay.
TLS_CLIENT = """
import sys
sys.path.insert(0, "/bundle")
from ibgw_tls import tunnel
with tunnel("ADDRESS", 4102, "sandbox-paper", folder="/bundle") as port:
    sys.argv[1:3] = ["127.0.0.1", str(port)]
    exec(CLIENT)
"""


def certificate() -> pathlib.Path:
    """The folder of a client that mtls accepts."""
    run = [
        pathlib.Path(sys.executable).parent / "ansible-playbook",
        "playbooks/access_certificates.yml",
        "-i",
        "inventories/sandbox",
    ]
    words = ["-l", "paper", "-e", "@molecule/access/vars/main.yml", "-e", "client=pipeline"]
    environment = os.environ | {"SANDBOX_SLOT": "5"}
    subprocess.run([*run, *words], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return ROOT / ".sandbox/pki-5/clients/pipeline"


def costs(site: pathlib.Path) -> dict[str, dict[str, list[float]]]:
    """Samples of each access method, interleaved over two rounds."""
    docker("cp", f"{VM}:{SITE}", str(site))
    shutil.copytree(ROOT / "plugins/module_utils/agent", site / "agent")
    for machine in (VM, BASTION):
        docker("exec", machine, "rm", "-rf", PLACE)
        docker("cp", str(site), f"{machine}:{PLACE}")
    image = docker("exec", VM, "docker", "inspect", "--format", "{{.Config.Image}}", "ibgw-paper")
    python = ("env", f"PYTHONPATH={PLACE}", "python3", "-c", CLIENT)
    client = ("run", "--rm", *labelled("client"), "--network", NETWORK, "--volume", f"{site}:{PLACE}:ro")
    relayed = TLS_CLIENT.replace("ADDRESS", ADDRESS).replace("CLIENT", repr(CLIENT))
    (site.parent / "peers").mkdir()
    peers = Peers(site.parent / "peers", VM, docker("exec", VM, "wg", "show", "wg-paper", "public-key"), ADDRESS)
    peer = peers.start(BOB, 2)
    docker("cp", str(site), f"{peer}:{PLACE}")
    ways: dict[str, tuple[str, ...]] = {
        "local": ("exec", VM, *python, "127.0.0.1", "4002"),
        "vpc": (*client, "--ip", "10.211.1.9", machine_image("trixie"), *python, ADDRESS, "4002"),
        "docker_network": ("exec", VM, "docker", "run", "--disable-content-trust", "--rm", "--network", "ibgw-paper",
                           "--volume", f"{PLACE}:{PLACE}:ro", "--entrypoint", "env", image, *python[1:],
                           "ibgw-paper", "4004"),
        "ssh_tunnel": ("exec", BASTION, *python, "127.0.0.1", "4002"),
        "mtls": (*client, "--ip", "10.211.2.9", "--volume", f"{certificate()}:/bundle:ro", machine_image("trixie"),
                 *python[:-1], relayed, "relay", "relay"),
        "wireguard": ("exec", peer, *python, "10.99.0.1", "4002"),
    }  # fmt: skip
    samples: dict[str, dict[str, list[float]]] = {way: {"verdict_s": [], "round_trip_s": []} for way in ways}
    print("ways", flush=True)
    for _round in range(2):
        for way, command in ways.items():
            found = json.loads(docker(*command, str(ROUND_TRIPS // 2)))
            for kind, values in found.items():
                samples[way][kind] += values
    peers.remove()
    return samples


def ready() -> bool:
    """Whether the API answers at the bastion's end."""
    try:
        probe = ("python3", "-m", "agent.api", "127.0.0.1", "4002", "--client-id", "61")
        return docker("exec", "--workdir", PLACE, BASTION, *probe).startswith("ready")
    except SandboxError:
        return False


def half_open() -> int:
    """Listeners and connections of the tunnel's account beyond the working one."""
    listeners = [line for line in docker("exec", BASTION, "ss", "-Hltn").splitlines() if "127.0.0.1:4002" in line]
    sessions = docker("exec", BASTION, "sh", "-c", "pgrep -u ibgw-tunnel -c sshd || true")
    return len(listeners) - 1 + int(sessions) - 1


def cut() -> None:
    """Drop packets silently, for longer than the keep-alive interval."""
    docker("network", "disconnect", NETWORK, BASTION)
    time.sleep(12)
    docker("network", "connect", "--ip", BASTION_ADDRESS, NETWORK, BASTION)


def restart() -> None:
    docker("restart", BASTION)


def comebacks(end: c.Callable[[], None]) -> list[dict[str, t.Any]]:
    rows = []
    for number in range(CUTS):
        end()
        begin = time.monotonic()
        while not ready():
            time.sleep(0.1)
        rows.append({"seconds": round(time.monotonic() - begin, 2), "half_open": half_open()})
        print(f"{end.__name__} {number + 1} of {CUTS}: {rows[-1]}", flush=True)
    return rows


def show(results: dict[str, t.Any]) -> None:
    print(f"\n{'way':<16}{'verdict':>12}{'of local':>10}{'round trip':>14}{'of local':>10}")
    for way, samples in results["ways"].items():
        print(f"{way:<16}{samples['verdict_ms']:>9.2f} ms{samples['verdict_of_local']:>10.2f}"
              f"{samples['round_trip_ms']:>11.3f} ms{samples['round_trip_of_local']:>10.2f}")  # fmt: skip
    for name in ("cut", "restart"):
        seconds = [row["seconds"] for row in results[name]]
        print(f"\nback after a {name}: median {statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s "
              f"(limit {LIMIT_SECONDS}), half-open: {sum(row['half_open'] for row in results[name])}")  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        samples = costs(pathlib.Path(place) / "site")
    medians = {
        way: {kind: statistics.median(values) * 1000 for kind, values in kinds.items()}
        for way, kinds in samples.items()
    }
    results: dict[str, t.Any] = {"ways": {}, "cut": comebacks(cut), "restart": comebacks(restart)}
    for way, kinds in medians.items():
        results["ways"][way] = {}
        for kind in ("verdict", "round_trip"):
            value, local = kinds[f"{kind}_s"], medians["local"][f"{kind}_s"]
            results["ways"][way] |= {f"{kind}_ms": round(value, 3), f"{kind}_of_local": round(value / local, 2)}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    show(results)
    summary.record({"access": results["ways"]})


if __name__ == "__main__":
    main()

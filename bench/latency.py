"""Time from the moment the API is usable, by the stand-in's clock, to the verdict of the waiting module."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time

from agent.engine.client import Engine
from agent.session.descriptor import Descriptor
from agent.session.inspection import Gateway
from agent.session.wait import wait_for
from sandbox.machine.common import labelled

BUILD = pathlib.Path(__file__).resolve().parent.parent / "sandbox" / "gateway" / "build"
CONTAINER = "ibgw-bench"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def measure(rounds: int = 5) -> list[float]:
    """Seconds from usable to verdict, each in a fresh container of the stand-in's image on this machine's engine."""
    image = subprocess.run([BUILD], check=True, capture_output=True, text=True).stdout.split()[-1]
    samples = []
    for number in range(rounds):
        print(f"latency: round {number + 1} of {rounds}", flush=True)
        docker("run", "--detach", "--name", CONTAINER, *labelled("bench"),
               "--publish", "127.0.0.1::4004", "--env", "TRADING_MODE=paper", "--env", "TWS_USERID=bench",
               "--env", "TWS_PASSWORD=bench", "--env", "EXISTING_SESSION_DETECTED_ACTION=primary", image)  # fmt: skip
        try:
            port = int(docker("port", CONTAINER, "4004/tcp").rpartition(":")[2])
            descriptor = Descriptor(
                name="bench", mode="paper", container=CONTAINER, image=image, host="127.0.0.1", port=port,
                client_id=917, accounts=[], command_port=7462, settings_dir="", revision="",
            )  # fmt: skip
            if not wait_for(Gateway(descriptor.endpoint(), descriptor, Engine()), "ready", 60):
                raise SystemExit("the stand-in did not become ready")
            verdict = time.time()
            usable = json.loads(docker("exec", CONTAINER, "standin-ctl", "status"))["api_usable_at"]
            samples.append(verdict - usable)
        finally:
            docker("rm", "--force", "--volumes", CONTAINER)
    return samples

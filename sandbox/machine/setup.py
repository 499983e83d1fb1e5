"""Make the sandbox ready: `sandbox/setup [--backend container|vm] [--release trixie|bookworm]`.

It uses what exists, announces what it installs, and repeats nothing.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import fcntl
import os
import subprocess
import sys

from sandbox.machine import engine, images, keys, vm
from sandbox.machine.common import RELEASES, ROOT, STATE, SandboxError, docker_command
from sandbox.registry import registry


def standin_image(kind: str, *options: str) -> str:
    """A stand-in's image, built by its own script when its inputs have changed; the last word is its name."""
    build = ROOT / "sandbox" / kind / "build"
    command = [*docker_command()[:-1], str(build), *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SandboxError(f"{build.relative_to(ROOT)} ended with status {done.returncode}; see above.")
    return done.stdout.split()[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--backend", choices=["container", "vm"], default=os.environ.get("SANDBOX_BACKEND") or "container"
    )
    parser.add_argument("--release", choices=RELEASES, default=os.environ.get("SANDBOX_RELEASE") or RELEASES[0])
    arguments = parser.parse_args()
    STATE.mkdir(exist_ok=True)
    lock = (STATE / "lock").open("w")
    try:
        # One set-up at a time; a second waits, and then finds everything done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine.install_missing(arguments.backend)
        engine.start()
        keys.make_keys()
        keys.make_seed()
        engine.ensure_network()
        # Two roots, half a minute each, much of it waiting for the mirror. The second stand-in is made of the first.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            images_made = pool.submit(lambda: {kind: standin_image(kind) for kind in ("gateway", "client_portal")})
            images.ensure_machine_image(arguments.release)
            if arguments.backend == "vm":
                images.ensure_vm_base(arguments.release)
                vm.accelerator()
            registry.ensure_image(arguments.release)
            address = registry.address()
            keys.make_authority(address)
            registry.ensure_running(address)
            for kind, image in images_made.result().items():
                registry.publish(image, kind)
    except SandboxError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0

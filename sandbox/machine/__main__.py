"""Make or remove a sandbox machine: `python3 -m sandbox.machine present|absent [--check]`, options as JSON on stdin.

Options: backend (container or vm), name, replace (whether a machine with other options may be replaced), and those of
container.py or vm.py. Prints {"changed": bool, "answers": bool, "message": str}; errors go to stderr, with status 1.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from types import ModuleType
from typing import Any

from sandbox.machine import container, vm
from sandbox.machine.common import SandboxError

OTHER_KEY = "made before this checkout's keys were made anew, or by one that is gone"
BACKENDS: dict[str, ModuleType] = {"container": container, "vm": vm}


def differences(made_from: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The options whose change would recreate a machine, for a person: `release: "a" -> "b"`; empty if none."""
    names = sorted(name for name in made_from.keys() | wanted.keys() if made_from.get(name) != wanted.get(name))
    if "key" in names:
        return OTHER_KEY
    return ", ".join(f"{name}: {json.dumps(made_from.get(name))} -> {json.dumps(wanted.get(name))}" for name in names)


def make(options: dict[str, Any], check: bool) -> str:
    """Make the machine run as the options say; return what was done (with check: would be), empty if nothing."""
    backend = BACKENDS[options.pop("backend")]
    replace = options.pop("replace")
    name = options["name"]
    wanted = backend.wanted(options)
    found = backend.inspect(name)
    if found is None:
        message = f"made {name}"
    elif reason := differences(backend.made_from(found), wanted):
        if not replace:
            raise SandboxError(
                f"The machine {name} exists with other options ({reason}), and it may hold a live session, so "
                f"it was left alone. Remove it first: ansible-playbook playbooks/teardown.yml -l <host>"
            )
        message = f"replaced {name} ({reason})"
    elif not found["running"]:
        message = f"started {name}"
    else:
        return ""
    if not check:
        if message.startswith("started"):
            backend.start(name)
        else:
            backend.remove(name)
            backend.create(wanted)
    return message


def ssh_answers(address: str, port: int) -> bool:
    """Whether an SSH server introduces itself."""
    try:
        with socket.create_connection((address, port), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state", choices=["present", "absent"])
    parser.add_argument("--check", action="store_true", help="only say what would be done")
    arguments = parser.parse_args()
    options = json.load(sys.stdin)
    address, port = options["address"], options.get("port", 22)
    try:
        if arguments.state == "present":
            message = make(options, arguments.check)
        else:
            backend = BACKENDS[options["backend"]]
            found = backend.inspect(options["name"])
            message = f"removed {options['name']}" if found else ""
            if found and not arguments.check:
                backend.remove(options["name"])
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    answers = not message and arguments.state == "present" and ssh_answers(address, port)
    print(json.dumps({"changed": bool(message), "answers": answers, "message": message}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

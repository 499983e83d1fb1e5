# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe as a command: ``python3 -m agent.api HOST PORT`` in /opt/ibgw, or with the path of this file."""

from __future__ import annotations

import sys

if not __package__:  # Run by its path: import the package from where it stands.
    sys.path[0] = (__file__.rpartition("/")[0] or ".") + "/../.."
    __package__ = "agent.api"

from .probe import probe

USAGE = """usage: python3 -m agent.api HOST PORT [--mode live|paper] [--client-id N] [--timeout S] [--settle S] [--json]
Exit status: 0 ready, 1 not ready, 2 wrong usage, 3 not ready and waiting cannot help."""
MAX_SECONDS = 3600.0
_OPTIONS = {"--mode": str, "--client-id": int, "--timeout": float, "--settle": float}


def main(arguments: list[str]) -> int:
    """Probe once, print the verdict (a line, or the whole result as JSON) and return the exit status."""
    as_json = "--json" in arguments
    rest = [argument for argument in arguments if argument != "--json"]
    try:
        options = {
            name[2:].replace("-", "_"): _OPTIONS[name](value)
            for name, value in zip(rest[2::2], rest[3::2], strict=True)
        }
        if options.get("mode", "live") not in ("live", "paper"):
            raise ValueError(f"mode {options['mode']} is neither live nor paper")
        if not 0 < options.get("timeout", 1.0) <= MAX_SECONDS or not 0 <= options.get("settle", 0.0) <= MAX_SECONDS:
            raise ValueError(f"a timeout must be more than 0, and no time more than {MAX_SECONDS:.0f} seconds")
        if options.get("client_id", 1) < 1:
            raise ValueError(f"client id {options['client_id']} would take over orders made by hand: use 1 or more")
        host, port = rest[0], int(rest[1])
        if not 0 < port < 65536:
            raise ValueError(f"port {port} is not a TCP port: use 1 to 65535")
    except (ValueError, KeyError, IndexError) as error:
        sys.stderr.write(f"{USAGE}\n{error!r}\n")
        return 2
    result = probe(host, port, **options)
    if as_json:
        import json  # only here: an import of 5 ms that a plain run does without

        sys.stdout.write(json.dumps(result) + "\n")
    else:
        sys.stdout.write(f"{result['api_state']}: {result['reason']}. {result['next_step']}\n")
        if result["release_notice"]:
            sys.stdout.write(f"IBKR announces: {result['release_notice']}\n")
    return 0 if result["api_state"] == "ready" else 3 if result["final"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

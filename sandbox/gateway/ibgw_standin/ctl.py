# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``standin-ctl``: look at a stand-in, and make it misbehave."""

from __future__ import annotations

import argparse
import json
import os
import sys

from . import control, faults


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="standin-ctl", description=__doc__)
    parser.add_argument("--socket", default=os.environ.get("STANDIN_SOCKET", control.DEFAULT_SOCKET))
    commands = parser.add_subparsers(dest="cmd", required=True, metavar="COMMAND")
    commands.add_parser("status", help="what is true now, as JSON")
    commands.add_parser("faults", help="all faults and what a client sees")
    fault = commands.add_parser("fault", help="have this fault, in place of the others")
    fault.add_argument("name", help="a name or a phase (P1 to P12)")
    fault.add_argument("args", nargs="*", metavar="KEY=VALUE", help="its arguments; values are JSON or text")
    fault.add_argument("--add", action="store_true", help="keep the other faults")
    clear = commands.add_parser("clear", help="end all faults, or one")
    clear.add_argument("name", nargs="?")
    commands.add_parser("approve", help="approve the push, as on a phone")
    commands.add_parser("decline", help="decline the push")
    commands.add_parser("requests", help="who asked what, one JSON object per line")
    commands.add_parser("reset", help="forget requests and counts")
    restart = commands.add_parser("restart", help="the gateway's own restart, now, or another end of its own")
    restart.add_argument("event", nargs="?", help="LOGOFF: a log-off, of which nothing of the gateway's restarts it")
    commands.add_parser("relogin", help="the gateway has to sign in again, and does")
    commands.add_parser("drop", help="close all API connections")
    end = commands.add_parser("exit", help="end the JVM with an exit code")
    end.add_argument("code", type=int)
    return parser.parse_args(argv)


def main() -> None:
    """Run the command; exit 1 when it is refused."""
    options = vars(parse(sys.argv[1:]))
    path = options.pop("socket")
    if options["cmd"] == "faults":
        for fault in faults.FAULTS.values():
            print(f"{fault.name:26}{fault.description}. Client: {fault.seen}.")
        return
    pairs = dict(pair.partition("=")[::2] for pair in options.pop("args", []))
    options["args"] = {key: faults.value_of(text) for key, text in pairs.items()}
    try:
        reply = control.call(options, path)
    except control.ControlError as error:
        sys.exit(f"standin-ctl: {error}")
    if not reply.pop("ok"):
        sys.exit(f"standin-ctl: {reply['error']}")
    for request in reply.pop("requests", []):
        print(json.dumps(request))
    if reply:
        print(json.dumps(reply, indent=1))


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t
from datetime import UTC, datetime

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import windows
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.module_utils.report.fleet import urgency
from ansible_collections.ibops.gateway.plugins.module_utils.report.live_check import VERDICTS
from ansible_collections.ibops.gateway.plugins.module_utils.report.picture import key, strip
from ansible_collections.ibops.gateway.plugins.plugin_utils.commands import localized

TEXT_LIMIT = 200

Row = tuple[str, ...]
# The columns that a page shows as they are.
DETAILS: Row = ("until", "account", "address", "image")
HEADER: Row = ("host", "mode", "state", *DETAILS, "next step")
UNKNOWN: Row = ("-",) * len(DETAILS)


def gateway_table(hosts: c.Iterable[c.Mapping[str, object]]) -> list[str]:
    rows = [HEADER, *map(row, hosts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in rows]


def row(host: c.Mapping[str, object]) -> Row:
    name, mode = str(host["inventory_hostname"]), str(host.get("gateway_mode", "-"))
    look = host.get("gateway_look")
    if not isinstance(look, c.Mapping) or "state" not in look:
        if isinstance(look, c.Mapping) and not look.get("unreachable") and look.get("msg"):
            return (name, mode, "not known", *UNKNOWN, localized(printable(str(look["msg"]), TEXT_LIMIT), name))
        return (name, mode, "unreachable", *UNKNOWN, "look at the VM: is it running, does SSH reach it?")
    watcher = look.get("watcher")
    notes = ["settings pending"] * bool(look.get("pending")) + ([str(watcher)] if watcher else [])
    notes += _release(look.get("release") or {})
    state = str(look["state"] or "not deployed") + (f" ({', '.join(notes)})" if notes else "")
    step = f"On the host: journalctl -u ibgw-watch@{look.get('gateway_name')}" if watcher else look.get("next_step")
    digest = str((look.get("container") or {}).get("image") or "-").rpartition("@sha256:")[2][:12]
    address = f"{look['host']}:{look['port']}" if look.get("port") else "-"
    return (
        name,
        mode,
        state,
        _until(host, look),
        ", ".join(look.get("accounts") or ["-"]),
        address,
        digest,
        localized(str(step), name),
    )


def _until(host: c.Mapping[str, t.Any], look: c.Mapping[str, t.Any]) -> str:
    """Say until when a sign-in or a paper session lasts, or when the next session starts; with the zone."""
    if valid := (look.get("session") or {}).get("valid_until_new_york"):
        return f"{valid} America/New_York"
    entries = host.get("gateway_paper_sessions") or []
    if host.get("gateway_mode") != "paper" or not look["state"] or windows.problems(entries):
        return "-"
    sessions = [windows.PaperSession.from_data(each) for each in entries]
    now = datetime.now(UTC)
    if present := windows.current(sessions, now):
        return windows.told(present.end)
    following = windows.upcoming(sessions, now)
    return f"next {windows.told(following.start)}" if following else "-"


def _release(ends: c.Mapping[str, t.Any]) -> list[str]:
    """Say until when IBKR accepts the gateway's release, if an end is known or was asked for."""
    if ends.get("severity", "ok") == "ok":
        return []
    if not ends["accepted_until"]:
        return ["IBKR asks for a newer release"]
    return [f"release {'accepted until' if ends['days_left'] > 0 else 'not accepted since'} {ends['accepted_until']}"]


def gateway_page(hosts: c.Iterable[c.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the gateways for their page, the most urgent first, and how many there are of each verdict."""
    shown = []
    for host in hosts:
        look = host.get("gateway_look")
        found = look if isinstance(look, c.Mapping) else {}
        cells = {name: printable(cell, TEXT_LIMIT) for name, cell in zip(HEADER, row(host), strict=True)}
        reason = printable(str(found.get("reason") or ""), TEXT_LIMIT)
        picture = strip(found) if found.get("checked_at") else ""
        details = {name: cells[name] for name in DETAILS if cells[name] != "-"}
        shown.append({**cells, "details": details, "verdict": urgency(found), "reason": reason, "strip": picture})
    shown.sort(key=lambda each: (-VERDICTS.index(each["verdict"]), each["host"]))
    counts = {verdict: sum(each["verdict"] == verdict for each in shown) for verdict in reversed(VERDICTS)}
    return {"gateways": shown, "counts": counts, "key": key()}


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"gateway_table": gateway_table, "gateway_page": gateway_page}

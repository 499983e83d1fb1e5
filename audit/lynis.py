"""Judge: Lynis, Debian's package. Its hardening index, warnings and suggestions."""

from __future__ import annotations

import re

from audit.machine import Machine
from audit.report import Finding, Verdict

# Its log and report go where none of its own checks looks.
COMMAND = """
umask 077; place=$(mktemp -d /run/ibgw-audit.XXXXXX); cd /
lynis audit system --no-colors --quick --log-file "$place/log" --report-file "$place/report" >/dev/null 2>&1 </dev/null
cat "$place/report"; rm -r "$place"
"""
KINDS = ("warning", "suggestion")


PACKAGES = ("lynis",)


def judge(machine: Machine) -> Verdict:
    return read(machine.run(COMMAND))


def read(report: str) -> Verdict:
    """The verdict from the text of lynis-report.dat."""
    values = dict(line.split("=", 1) for line in report.splitlines() if re.match(r"\w+=", line))
    entries = [
        (kind, line.split("=", 1)[1].split("|"))
        for kind in KINDS
        for line in report.splitlines()
        if line.startswith(f"{kind}[]=")
    ]
    details = [line.split("=", 1)[1].split("|") for line in report.splitlines() if line.startswith("details[]=")]
    findings = []
    for kind, (test, text, detail, *_rest) in entries:
        parts = [fields for fields in details if fields[0] == test and kind == "suggestion" and "-" in (detail or "-")]
        findings += [_of_detail(test, text, fields[2]) for fields in parts] or [_of_entry(kind, test, text, detail)]
    counts = {f"{kind}s": sum(1 for found, _fields in entries if found == kind) for kind in KINDS}
    return Verdict(
        {"index": float(values["hardening_index"]), **counts},
        findings,
        made_with={"lynis": values["lynis_version"], "tests": int(values["lynis_tests_done"])},
    )


def _of_entry(kind: str, test: str, text: str, detail: str) -> Finding:
    """`SSH-7408 AllowTcpForwarding`, `NETW-3200 dccp`: repeated tests are distinguished by subject."""
    subject = re.match(r"(\w+) \(set ", detail) or re.search(r"(/\w+)(?= file system)|(?<=')\w+(?=' is really)", text)
    detail = "" if detail == "-" else f" ({detail})"
    name = subject[0].removesuffix(" (set ") if subject else ""
    return Finding(f"{test} {name}".strip(), f"{kind}: {text}{detail}")


def _of_detail(test: str, text: str, detail: str) -> Finding:
    """`KRNL-6000 kernel.kptr_restrict`, from `desc:...;field:kernel.kptr_restrict;prefval:2;value:0;`."""
    fields = dict(part.split(":", 1) for part in detail.split(";") if ":" in part)
    key = fields.get("field", "")
    wanted = f"wants {fields.get('prefval', '?')}, found {fields.get('value', '?')}"
    return Finding(f"{test} {key}".strip(), f"suggestion: {text} ({key} {wanted})")

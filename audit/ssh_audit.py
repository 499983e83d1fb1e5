"""Judge: ssh-audit, from PyPI by its lock, run on the control node against the machine's SSH port."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from audit.machine import ROOT, AuditError, Machine
from audit.report import Finding, Verdict

LOCK = ROOT / "requirements" / "ssh_audit.txt"
HOME = ROOT / ".cache" / "audit" / "ssh_audit"
ATTEMPTS = 4
PENALTY_SECONDS = 30
SECTIONS = ("kex", "key", "enc", "mac")


def judge(machine: Machine) -> Verdict:
    program = _program()
    address, port = machine.address
    said = ""
    for _attempt in range(ATTEMPTS):
        # Exit status 2 means warnings, 3 failures.
        command = [str(program), "--json", "--port", str(port), address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode in {0, 2, 3}:
            return read(json.loads(done.stdout))
        said = done.stdout.strip() + done.stderr.strip()
        # A server that penalizes our address after an earlier audit accepts it again after a while.
        time.sleep(PENALTY_SECONDS)
    raise AuditError(f"ssh-audit of {address}:{port}: {said[-500:]}")


def read(report: dict[str, Any]) -> Verdict:
    """The verdict from ssh-audit's JSON: one finding for each of its [fail] and [warn] lines."""
    findings = []
    counts = {"fail": 0, "warn": 0}
    for section in SECTIONS:
        for algorithm in report.get(section, []):
            for level in counts:
                for text in algorithm.get("notes", {}).get(level, []):
                    counts[level] += 1
                    size = f" {algorithm['keysize']}" if "keysize" in algorithm else ""
                    findings.append(Finding(f"{section} {algorithm['algorithm']}", f"[{level}]{size} {text}"))
    notes = [str(note) for note in report.get("additional_notes", [])]
    return Verdict({name: float(count) for name, count in counts.items()}, findings, notes, _made_with(report))


def _made_with(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "ssh_audit": LOCK.read_text().partition("ssh-audit==")[2].split()[0],
        "server": report["banner"]["software"],
    }


def _program() -> Path:
    """ssh-audit in its own environment, made if it is missing or its lock has changed."""
    program, stamp = HOME / "bin" / "ssh-audit", HOME / "lock.sha256"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(HOME)], check=True)
        install = [*uv, "pip", "install", "--require-hashes", "--python", str(HOME / "bin" / "python"), "-r", str(LOCK)]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
    return program

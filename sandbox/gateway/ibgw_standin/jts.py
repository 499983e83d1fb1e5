# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jts.ini: the changes that IBC's JtsIniManager makes at every start, and the gateway after login."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

NOT_A_FILE, IO_ERROR = 1108, 1109
"""IBC's exit codes for what can be wrong here."""

# Java's line ends, by which IBC reads the file; Python has more.
_LINE_END = re.compile(r"\r\n|\n|\r")
_SECTION = re.compile(r"\[([^\[\]]+)\]")


class JtsError(Exception):
    """IBC ends with ``code`` because of jts.ini."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class JtsIni:
    """Sections of keys, in the order of the file; ``problems`` are lines that the gateway cannot make sense of."""

    def __init__(self, text: str = "") -> None:
        self.sections: dict[str, dict[str, str]] = {}
        self.problems: list[str] = []
        section: dict[str, str] | None = None
        for number, raw in enumerate(_LINE_END.split(text), 1):
            line = raw.strip()
            where = f"jts.ini line {number}"
            if not line or line[0] in "#;":
                continue
            found = _SECTION.fullmatch(line)
            if found:
                if found[1] in self.sections:
                    self.problems.append(f"{where}: section [{found[1]}] stands there twice")
                section = self.sections.setdefault(found[1], {})
                continue
            key, equals, value = line.partition("=")
            if not equals or section is None:
                self.problems.append(f"{where}: {line!r} is neither a [section] nor a key=value in one")
                continue
            if key.strip() in section:
                self.problems.append(f"{where}: {key.strip()} stands there twice")
            section[key.strip()] = value.strip()
        zone = self.get("Logon", "TimeZone")
        if zone and not _is_zone(zone):
            self.problems.append(f"jts.ini: [Logon] TimeZone {zone!r} is no IANA time zone (as America/New_York)")

    def __str__(self) -> str:
        lines = []
        for name, keys in self.sections.items():
            lines += [f"[{name}]", *(f"{key}={value}" for key, value in keys.items())]
        return "\n".join(lines) + "\n"

    def get(self, section: str, key: str) -> str:
        """Return a value, empty when there is none."""
        return self.sections.get(section, {}).get(key, "")

    def put(self, section: str, **keys: str) -> None:
        """Set values."""
        self.sections.setdefault(section, {}).update(keys)

    @property
    def time_zone(self) -> str:
        """The zone of ``[Logon] TimeZone``, empty when it is not set, or none."""
        zone = self.get("Logon", "TimeZone")
        return zone if zone and _is_zone(zone) else ""


def prepare(path: Path, trusted: str, log: Callable[[str], None]) -> JtsIni:
    """Do and print the same as JtsIniManager.java: add missing keys, update different ones.

    The file is written only if something changes; :class:`JtsError` when that fails, as on a read-only mount.
    """
    if path.is_dir():
        raise JtsError(NOT_A_FILE, f"{path} already exists but is a directory")
    if not path.is_file():
        log(f"Creating minimal {path}")
        minimal = ["[Logon]", "s3store=true", "Locale=en", "displayedproxymsg=1", "UseSSL=true",
                   "[IBGateway]", "ApiOnly=true"]  # fmt: skip
        return _rewrite(path, minimal, log, f"Problem creating {path}")
    try:
        lines = re.split(r"\r\n|\r|\n", path.read_text(encoding="utf-8").removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise JtsError(IO_ERROR, f"Unexpected IOException on {path}: Input length = 1") from error
    except OSError as error:
        raise JtsError(IO_ERROR, f"Unexpected IOException on {path}: {path}") from error
    log(f"Ensuring {path} contains required minimal lines")
    wanted = [("[Logon]", "s3store", "true"), ("[Logon]", "Locale", "en"), ("[Logon]", "displayedproxymsg", "1"),
              ("[Logon]", "UseSSL", "true"), ("[IBGateway]", "ApiOnly", "true"),
              ("[IBGateway]", "TrustedIPs", ",".join(filter(None, ("127.0.0.1", trusted))))]  # fmt: skip
    missing: dict[str, list[str]] = {}
    updated = False
    for section, key, value in wanted:
        at = _index(lines, section, key)
        if at is None:
            log(f"Can't find setting: {section}/{key}={value}")
            missing.setdefault(section, []).append(f"{key}={value}")
            continue
        found = lines[at].partition("=")[2]
        differs = found != value and key != "s3store"
        log(f"Found setting: {section}/{key}={found}" + (f": updating value to {value}" if differs else ""))
        if differs:
            lines[at], updated = f"{key}={value}", True
    if updated:
        log(f"Some settings updated in {path}")
    if missing:
        log(f"Missing lines in {path}")
    if not updated and not missing:
        log(f"Confirmed {path} contains required minimal lines")
        return JtsIni("\n".join(lines))
    with contextlib.suppress(OSError):
        path.unlink()
    log(f"Rewriting existing {path}")
    return _rewrite(path, _completed(lines, missing), log, f"Problem writing to {path}")


def _index(lines: list[str], section: str, key: str) -> int | None:
    """Return the line of a section's key."""
    inside = False
    for number, line in enumerate(lines):
        if line.startswith("["):
            if inside:
                return None
            inside = line == section
        elif inside and line.startswith(f"{key}="):
            return number
    return None


def _completed(lines: list[str], missing: dict[str, list[str]]) -> list[str]:
    """Return the lines with missing keys added at the end of their section, or in a new one."""
    result: list[str] = []
    current = ""
    left = dict(missing)
    for line in (*lines, "["):
        if line.startswith("["):
            result += left.pop(current, [])
            current = line
        result.append(line)
    return result[:-1] + [line for section, keys in left.items() for line in (section, *keys)]


def _rewrite(path: Path, lines: list[str], log: Callable[[str], None], trouble: str) -> JtsIni:
    for line in lines:
        log(f"    jts.ini: {line}")
    text = "\n".join(lines) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JtsError(IO_ERROR, f"{trouble}: {path} ({error.strerror})") from error
    return JtsIni(text)


def own(ini: JtsIni, mode: str) -> JtsIni:
    """Return the file as the gateway leaves it after a login: its own keys added, sections in its own order."""
    ini.put("IBGateway", LocalServerPort="4000", RemotePortOrderRouting="4001")
    ini.put("Logon", tradingMode=mode[0], SupportsSSL="standin:4000,true,20261121,false")
    ini.put("Communication", Peer="standin:4001", Region="us")
    ini.sections.setdefault("ns", {})
    ini.sections = {name: ini.sections[name] for name in sorted(ini.sections)}
    return ini


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # KeyError: no such zone
        return False
    return True

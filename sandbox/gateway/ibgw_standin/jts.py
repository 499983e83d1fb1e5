# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jts.ini: what IBC's JtsIniManager does to it at every start, and what the gateway adds after login."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

JTS_IO_ERROR, NO_SETTINGS_DIR, INVALID_SETTING = 1109, 1106, 1105
"""IBC's exit codes for what can be wrong here."""

# Of Java, which IBC reads the file with; Python has more of them.
_LINE_END = re.compile(r"\r\n|\n|\r")
_SECTION = re.compile(r"\[([^\[\]]+)\]")


class JtsError(ValueError):
    """jts.ini cannot be used; ``code`` is IBC's exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class JtsIni:
    """Sections of keys, in the order of the file."""

    def __init__(self, text: str = "") -> None:
        self.sections: dict[str, dict[str, str]] = {}
        section: dict[str, str] | None = None
        for number, raw in enumerate(_LINE_END.split(text), 1):
            line = raw.strip()
            where = f"jts.ini line {number}"
            if not line or line[0] in "#;":
                continue
            found = _SECTION.fullmatch(line)
            if found:
                if found[1] in self.sections:
                    raise JtsError(INVALID_SETTING, f"{where}: section [{found[1]}] stands there twice")
                section = self.sections[found[1]] = {}
                continue
            key, equals, value = line.partition("=")
            if not equals or section is None:
                raise JtsError(INVALID_SETTING, f"{where}: {line!r} is neither a [section] nor a key=value in one")
            if key.strip() in section:
                raise JtsError(INVALID_SETTING, f"{where}: {key.strip()} stands there twice")
            section[key.strip()] = value.strip()

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
        """The zone of ``[Logon] TimeZone``, empty when it is not set."""
        return self.get("Logon", "TimeZone")


def prepare(path: Path, trusted: str) -> JtsIni:
    """Do what JtsIniManager does: add what IBC needs, delete the file, write it anew."""
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise JtsError(NO_SETTINGS_DIR, f"{path.parent} cannot be made: {error.strerror}") from error
    try:
        text = path.read_text(encoding="latin-1") if path.exists() else ""
    except OSError as error:
        raise JtsError(JTS_IO_ERROR, f"{path} cannot be read: {error.strerror}") from error
    ini = JtsIni(text)
    zone = ini.time_zone
    if zone and not _is_zone(zone):
        raise JtsError(
            INVALID_SETTING, f"jts.ini: [Logon] TimeZone {zone!r} is no IANA time zone (as America/New_York)"
        )
    ini.sections.setdefault("Logon", {}).setdefault("s3store", "true")
    ini.put("Logon", Locale="en", displayedproxymsg="1", UseSSL="true")
    ini.put("IBGateway", ApiOnly="true", TrustedIPs=",".join(filter(None, ("127.0.0.1", trusted.replace(" ", "")))))
    write(path, ini)
    return ini


def write(path: Path, ini: JtsIni) -> None:
    """Delete the file and write it anew: a file that is a mount of its own cannot be deleted."""
    try:
        path.unlink(missing_ok=True)
        path.write_text(str(ini), encoding="latin-1", errors="replace")
    except OSError as error:
        fix = "mount the directory, writable, rather than the file"
        raise JtsError(JTS_IO_ERROR, f"{path} cannot be replaced: {error.strerror} ({fix})") from error


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

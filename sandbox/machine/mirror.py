"""The source of Debian packages: this machine's own mirror, and how to reach it."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.machine.common import run

# apt's options for reaching and reading a mirror; its other settings are not copied.
REACH = re.compile(r'Acquire::(https?::(?!User-Agent)|ftp::|Retries|Force|Check-|Max-|Min-).* ".+";')
MIRROR_LIST = re.compile(r"mirror\+file:(/.+?)/?$")


def host_release() -> dict[str, str]:
    """The fields of /etc/os-release."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines if "=" in line)}


def sources(release: str) -> list[str]:
    """apt's source lines for a Debian release, by this machine's mirrors; empty (mmdebstrap's choice) without any."""
    host = host_release()
    if host.get("ID") != "debian":
        return []
    targets = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
    return from_targets(targets, host.get("VERSION_CODENAME", ""), release)


def from_targets(targets: str, host_release: str, release: str) -> list[str]:
    """Source lines for `release` from lines `URI SUITE` of a host that runs `host_release`.

    Keeps suites <release>, <release>-updates and <release>-security; the first of several mirrors.
    """
    mirrors: dict[str, str] = {}
    for line in targets.splitlines():
        uri, _, suite = line.partition(" ")
        if re.match(r"https?:|mirror\+file:", uri):
            mirrors.setdefault(suite, _plain(uri))
    if host_release not in mirrors:
        return []
    kinds = [kind for kind in ("", "-updates", "-security") if host_release + kind in mirrors]
    return [f"deb {mirrors[host_release + kind]} {release}{kind} main" for kind in kinds]


def _plain(uri: str) -> str:
    """The first mirror in a list, which is a local file that other machines cannot see."""
    found = MIRROR_LIST.match(uri)
    if not found:
        return uri.rstrip("/")
    lines = (line.split() for line in Path(found[1]).read_text().splitlines())
    return next((words[0].rstrip("/") for words in lines if words and not words[0].startswith("#")), uri)


def reach() -> list[str]:
    """This machine's apt options for proxies, retries and the like, one line each."""
    return [line for line in run(["apt-config", "dump"]).splitlines() if REACH.match(line)]

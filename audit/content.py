"""SCAP content: Debian's newest package ssg-debian, fetched and verified by the machine's own apt."""

from __future__ import annotations

import base64
import io
import shutil
import tarfile
from pathlib import Path

from audit.machine import ROOT, Machine, say

CACHE = ROOT / ".cache" / "audit"
STREAMS = {"trixie": "ssg-debian13-ds.xml", "bookworm": "ssg-debian12-ds.xml"}
INSIDE = "usr/share/xml/scap/ssg/content"
# sid has the newest version. apt gets separate lists and a separate cache, so that the machine's packages stay
# unchanged; the mirror is the machine's own.
FETCH = """
set -eu
place=$(mktemp -d /var/tmp/ibgw-audit.XXXXXX); trap 'rm -r "$place"' EXIT; chmod 0755 "$place"; cd "$place"
targets=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages')
mirror=$(echo "$targets" | sed -n 's/^{codename} //p' | head -n 1)
mkdir -p lists/partial cache/archives/partial
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sources.list
apt_sid() {{
    apt-get -qq -o Dir::Etc::SourceList="$place/sources.list" -o Dir::Etc::SourceParts=- \\
        -o Dir::State::Lists="$place/lists" -o Dir::Cache="$place/cache" \\
        -o APT::Sandbox::User=root -o Acquire::Languages=none "$@" >&2
}}
apt_sid update
apt_sid download ssg-debian
dpkg-deb --extract ssg-debian_*.deb unpacked
dpkg-deb --show --showformat='${{Version}}\\n' ssg-debian_*.deb
tar --create --gzip --directory unpacked/{inside} {streams} | base64 --wrap 0
"""


def fetch(machine: Machine) -> tuple[str, Path]:
    """The content's version and the data stream of the machine's release; kept in the checkout until `forget`."""
    kept = sorted(CACHE.glob(f"ssg-*/{STREAMS[machine.codename]}"))
    if not kept:
        say(f"{machine.host}: fetching Debian's newest ssg-debian")
        script = FETCH.format(codename=machine.codename, inside=INSIDE, streams=" ".join(STREAMS.values()))
        version, _newline, packed = machine.run(script).partition("\n")
        kept = [_unpack(version, packed) / STREAMS[machine.codename]]
    return kept[-1].parent.name.removeprefix("ssg-"), kept[-1]


def forget() -> None:
    """Let the next `fetch` look for a newer version."""
    shutil.rmtree(CACHE, ignore_errors=True)


def _unpack(version: str, packed: str) -> Path:
    place = CACHE / f"ssg-{version}"
    place.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
        archive.extractall(place, filter="data")
    return place

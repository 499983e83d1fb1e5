"""The table of allowed connections that molecule/access checks, and its picture.

`python docs/access_matrix.py` writes docs/explanation/access-matrix.svg.
"""

from __future__ import annotations

import collections.abc as c
import pathlib
import types
import typing as t

PICTURE = pathlib.Path(__file__).resolve().with_name("explanation") / "access-matrix.svg"
PORTS = {
    4002: "API",
    4003: "relay, live",
    4004: "relay, paper",
    4102: "mTLS",
    3389: "RDP",
    5900: "VNC",
    7462: "IBC",
    22: "SSH",
    2375: "Docker",
    2376: "Docker, TLS",
}
OPEN, REFUSED, DROPPED = "open", "refused", "dropped"


class Row(t.NamedTuple):
    """A client's place, a destination, the outcome of an attempt, and the ports with another outcome."""

    source: str
    target: str
    rest: str
    but: c.Mapping[int, str] = types.MappingProxyType({})

    def expected(self) -> dict[int, str]:
        return dict.fromkeys(PORTS, self.rest) | dict(self.but)


MATRIX = [
    Row("gateway subnet", "VM, IPv4", DROPPED, {22: OPEN}),
    Row("gateway subnet", "VM, IPv6", DROPPED, {22: OPEN}),
    Row("Cloud Run subnet", "VM, IPv4", DROPPED, {4002: OPEN}),
    Row("Cloud Run subnet", "VM, IPv6", DROPPED, {4002: OPEN}),
    # Clients of mtls must then present a certificate.
    Row("outside subnet", "VM, IPv4", DROPPED, {4102: OPEN}),
    Row("outside subnet", "VM, IPv6", DROPPED, {4102: OPEN}),
    Row("peer in the overlay", "VM, overlay, IPv4", DROPPED, {4002: OPEN}),
    Row("peer in the overlay", "VM, overlay, IPv6", DROPPED, {4002: OPEN}),
    Row("stranger in the overlay", "VM, overlay, IPv4", DROPPED),
    Row("stranger in the overlay", "VM, overlay, IPv6", DROPPED),
    Row("bastion", "VM, IPv4", DROPPED, {22: OPEN}),
    Row("bastion", "VM, IPv6", DROPPED, {22: OPEN}),
    # The bastion's own SSH server, and the tunnel's end.
    Row("bastion", "its loopback", REFUSED, {22: OPEN, 4002: OPEN}),
    Row("container, clients' network", "gateway, by name", REFUSED, {4004: OPEN}),
    Row("container, clients' network", "VM, its bridge", DROPPED),
    Row("container, default network", "gateway, default network", DROPPED),
    Row("container, default network", "gateway, clients' network", DROPPED),
    Row("container, default network", "VM, IPv4", DROPPED),
    Row("container, a third network", "gateway, default network", DROPPED),
    Row("container, a third network", "gateway, clients' network", DROPPED),
    Row("container, a third network", "VM, IPv4", DROPPED),
    Row("user of the VM", "loopback", REFUSED, {22: OPEN}),
    Row("user of the VM", "VM, IPv4", REFUSED, {22: OPEN}),
    Row("user of the VM", "VM, IPv6", REFUSED, {22: OPEN}),
    Row("user of the VM", "gateway, default network", REFUSED),
    Row("root of the VM", "loopback", REFUSED, {22: OPEN, 4002: OPEN, 4102: OPEN}),
]


def printed(cells: dict[tuple[str, str], dict[int, str]]) -> str:
    head = f"{'from':28}{'to':28}" + "".join(f"{port:>9}" for port in PORTS)
    lines = [
        f"{source:28}{target:28}" + "".join(f"{found[port]:>9}" for port in PORTS)
        for (source, target), found in cells.items()
    ]
    return "\n".join([head, *lines])


def picture() -> str:
    left, top, width, height = 400, 70, 84, 24
    colours = {OPEN: ("#1a7f37", "#ffffff"), REFUSED: ("#d0d7de", "#57606a"), DROPPED: ("#f6f8fa", "#8c959f")}
    right, bottom = left + width * len(PORTS) + 12, top + height * len(MATRIX) + 12
    box = f'viewBox="0 0 {right} {bottom}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{right}" height="{bottom}" fill="#ffffff"/>',
        '<g font-weight="bold"><text x="12" y="56">from</text><text x="210" y="56">to</text></g>',
    ]
    for column, (port, name) in enumerate(PORTS.items()):
        x = left + column * width + width // 2
        head = f'<text x="{x}" y="38">{name}</text><text x="{x}" y="56">{port}</text>'
        parts.append(f'<g text-anchor="middle">{head}</g>')
    for line, row in enumerate(MATRIX):
        y = top + line * height
        parts.append(f'<text x="12" y="{y + 16}">{row.source}</text><text x="210" y="{y + 16}">{row.target}</text>')
        for column, state in enumerate(row.expected().values()):
            x, (fill, ink) = left + column * width, colours[state]
            parts.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{height - 2}" fill="{fill}"/>'
                f'<text x="{x + width // 2}" y="{y + 16}" text-anchor="middle" fill="{ink}">{state}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture())

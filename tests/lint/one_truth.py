"""Compare facts that stand in several places because one file cannot read another.

A claim is a name, the truth, and what the other places have; any difference fails, whichever side has more.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import yaml
from tests.lint.files import ROOT, project_files

sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.ibops.gateway.plugins.module_utils.agent import releases
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import ports, verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan, week, windows
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import image
from ansible_collections.ibops.gateway.plugins.module_utils.report import picture
from ansible_collections.ibops.gateway.plugins.module_utils.rules import access, mtls, wireguard

Claim = tuple[str, object, dict[str, object]]
MODES = ("live", "paper")


def text(path: str) -> str:
    return (ROOT / path).read_text()


def variable(path: str, name: str) -> Any:
    return yaml.safe_load(text(path))[name]


def by_mode(path: str, name: str) -> dict[str, int]:
    """The numbers by mode in a variable, which is a mapping or an expression with one."""
    found = re.findall(r"'?(live|paper)'?: (\d+)", str(variable(path, name)))
    return {mode: int(number) for mode, number in found}


def option(role: str, name: str) -> dict[str, Any]:
    entry_points = yaml.safe_load(text(f"roles/{role}/meta/argument_specs.yml"))["argument_specs"]
    found: dict[str, Any] = entry_points["main.yml"]["options"][name]
    return found


def documented(path: str, name: str) -> dict[str, Any]:
    """An option of a module's DOCUMENTATION."""
    block = re.search(r'DOCUMENTATION = r?"""(.*?)"""', text(path), re.S)
    found: dict[str, Any] = yaml.safe_load(block[1] if block else "")["options"][name]
    return found


def stand_ins(port: str, prefix: str = "") -> dict[str, int]:
    """The ports by mode that the stand-in's script sets *port* to; of TWS with its *prefix*."""
    script = text("sandbox/gateway/image/scripts/common.sh")
    found = re.findall(rf"^\t*{prefix}(live|paper)\).*\b{port}=(\d+)", script, re.M)
    return {mode: int(number) for mode, number in found}


def tws_claims() -> Iterator[Claim]:
    relays = re.findall(r"'(live|paper)': (\d+)", variable("roles/access/vars/main/main.yml", "__access_relay_port"))
    own = "roles/gateway/vars/main.yml"
    yield (
        "the port of TWS's API",
        ports.TWS_API,
        {
            own: by_mode(own, "__gateway_tws_api_port"),
            "sandbox/gateway": stand_ins("API_PORT", "tws-"),
        },
    )
    yield (
        "the port of TWS's relay",
        ports.TWS_RELAY,
        {
            own: by_mode(own, "__gateway_tws_relay_port"),
            "roles/access/vars/main/main.yml": {mode: int(port) for mode, port in relays[:2]},
            "sandbox/gateway": stand_ins("SOCAT_PORT", "tws-"),
        },
    )


def ports_claims() -> Iterator[Claim]:
    yield (
        "the port of the API",
        ports.API,
        {
            "roles/gateway/vars/main.yml": by_mode("roles/gateway/vars/main.yml", "__gateway_api_port"),
            "sandbox/gateway": stand_ins("API_PORT"),
        },
    )
    yield (
        "the port of the relay",
        ports.RELAY,
        {
            "roles/gateway/vars/main.yml": by_mode("roles/gateway/vars/main.yml", "__gateway_relay_port"),
            "roles/access/vars/main/main.yml": by_mode("roles/access/vars/main/main.yml", "__access_relay_port"),
            "sandbox/gateway": stand_ins("SOCAT_PORT"),
        },
    )
    yield (
        "the port of the desktop",
        ports.DESKTOP,
        {"roles/gateway/vars/main.yml": by_mode("roles/gateway/vars/main.yml", "__gateway_desktop_port")},
    )
    yield (
        "the port of mutual TLS",
        mtls.PORTS,
        {"roles/access/defaults/main.yml": by_mode("roles/access/defaults/main.yml", "access_mtls_port")},
    )
    yield (
        "the port of WireGuard",
        wireguard.UDP_PORTS,
        {"roles/access/defaults/main.yml": by_mode("roles/access/defaults/main.yml", "access_wireguard_udp_port")},
    )
    forwarded = option("hardening", "hardening_ssh_forward_to")["default"]
    apis = [port for ports_of in ports.API_OF.values() for port in ports_of.values()]
    reached = {f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in apis}
    reached |= {f"127.0.0.1:{port}" for port in (ports.PORTAL, *ports.DESKTOP.values())}
    yield "what SSH may forward to", reached, {"hardening_ssh_forward_to": set(forwarded)}


GENERATED = re.compile(r"<!-- generated: .*?<!-- end -->", re.S)
PORTS_SAID = (
    re.compile(r"\blive V?\(?(?P<live>\d{4,5})\)?,? (?:and )?paper V?\(?(?P<paper>\d{4,5})"),
    re.compile(r"\b(?P<live>\d{4,5}) for live,? (?:and )?(?P<paper>\d{4,5}) for paper"),
    re.compile(r"\b(?P<paper>\d{4,5}) for paper,? (?:and )?(?P<live>\d{4,5}) for live"),
)
WEEKLY = re.compile(rf"(?:Saturday|Sunday) \d\d:\d\d|\b(?:{week.SIGN_IN_OPENS:%H:%M}|{week.CLOSE:%H:%M})\b")


def said_claims() -> Iterator[Claim]:
    pairs = (ports.API, ports.RELAY, ports.TWS_API, ports.DESKTOP, mtls.PORTS, wireguard.UDP_PORTS)
    wrong, times = [], []
    for path in project_files():
        if path.parts[0] not in ("docs", "playbooks", "plugins", "roles") or path.suffix == ".svg":
            continue
        content = GENERATED.sub("", text(str(path)))
        said = (found for pattern in PORTS_SAID for found in pattern.finditer(content))
        wrong += [f"{path}: {found[0]}" for found in said if {mode: int(found[mode]) for mode in MODES} not in pairs]
        if path.name != "week.py":
            times += [f"{path}: {found}" for found in WEEKLY.findall(content)]
    yield "two ports by mode in a text, which are others", [], {"docs, playbooks, plugins, roles": wrong}
    yield "weekly times in a text, outside of week.py", [], {"docs, playbooks, plugins, roles": times}


def session_claims() -> Iterator[Claim]:
    sessions = option("gateway", "gateway_paper_sessions")["options"]
    yield (
        "the keys of a paper session",
        {*windows.PaperSession.__dataclass_fields__},
        {"gateway_paper_sessions": {*sessions}},
    )
    yield "the days of the week", list(week.DAYS), {"gateway_paper_sessions": sessions["days"]["choices"]}
    yield (
        "the regions of IBKR's servers",
        [*week.RESETS],
        {"session_region": option("session", "session_region")["choices"]},
    )
    defaults = plan.Plan()
    yield (
        "the defaults of role session",
        {
            "session_region": defaults.region,
            "session_client_id": defaults.client_id,
            "session_interval": defaults.interval,
            "session_manual_minutes": defaults.manual_minutes,
            "session_sign_in_deadline": defaults.sign_in_deadline,
            "session_sign_in_at": [*defaults.sign_in_at],
            "session_sign_in_zone": defaults.sign_in_zone,
            "session_sign_in_minutes": defaults.sign_in_minutes,
            "session_sign_in_pushes": defaults.pushes,
            "session_weekly_close": defaults.weekly_close,
            "session_gateway_log_days": defaults.gateway_log_days,
            "session_gateway_log_mib": defaults.gateway_log_mib,
            "session_http_address": defaults.http_address,
            "session_http_port": defaults.http_port,
        },
        {
            "its specification": {
                name: each["default"]
                for name, each in yaml.safe_load(text("roles/session/meta/argument_specs.yml"))["argument_specs"][
                    "main.yml"
                ]["options"].items()
                # These are not of the plan; and without a plan no metrics are written.
                if name not in ("session_watch", "session_alerts", "session_heartbeat", "session_metrics_directory")
            }
        },
    )


def state_claims() -> Iterator[Claim]:
    states = list(verdicts.GATEWAY_STATES)
    yield "the states", states, {"gateway_ready": documented("plugins/modules/gateway_ready.py", "state")["choices"]}
    yield (
        "the states with a colour",
        {*states},
        {"plugins/module_utils/report/picture.py": {*picture.COLOURS} - {picture.UNKNOWN}},
    )


def access_claims() -> Iterator[Claim]:
    folder = ROOT / "roles/access/vars/main"
    tables = {path.stem for path in folder.glob("*.yml") if f"__access_{path.stem}" in yaml.safe_load(path.read_text())}
    clients = {
        re.sub(
            r"^client/(.*)\.txt\.j2$",
            r"\1",
            yaml.safe_load((folder / f"{name}.yml").read_text())[f"__access_{name}"]["client"],
        )
        for name in tables
    }
    methods = {*access.METHODS}
    yield "the access methods", methods, {"roles/access/vars/main": tables, "roles/access/templates/client": clients}


def hardening_claims() -> Iterator[Claim]:
    folder = ROOT / "roles/hardening/vars/main"
    controls = {path.stem for path in folder.glob("*.yml")} - {"main"}
    options = yaml.safe_load(text("roles/hardening/meta/argument_specs.yml"))["argument_specs"]["main.yml"]["options"]
    switches = {name.removeprefix("hardening_") for name in options if name.count("_") == 1}
    tables = {
        name for name in controls if f"__hardening_{name}" in yaml.safe_load((folder / f"{name}.yml").read_text())
    }
    yield "the controls of the hardening", controls, {"switches in its specification": switches, "tables": tables}


def image_claims() -> Iterator[Claim]:
    """Images that may be used, and releases that IBKR accepts."""
    page = text("docs/how-to/upgrade.md")
    rows = set(re.findall(r"(?m)^\| `(\w+)` \|", page))
    kinds = {*image.NOTES, *image.ACCEPTABLE, *image.REFUSED}
    yield "the differences of an image", kinds, {"docs/how-to/upgrade.md": rows}
    accepted = option("gateway", "gateway_image_accept")["choices"]
    returns = variable("roles/gateway/vars/main.yml", "__gateway_image_returns")
    yield (
        "the differences of an image that can be accepted",
        [*image.ACCEPTABLE],
        {"gateway_image_accept": accepted, "__gateway_image_returns": returns},
    )
    cutoffs = {(str(row.day), str(row.minimum)) for row in releases.CUTOFFS if row.minimum}
    said = set(re.findall(r"(?m)^\| (20\d\d-\d\d-\d\d) \| ([\d.]+) \|", page))
    yield "IBKR's cut-offs", cutoffs, {"docs/how-to/upgrade.md": said}
    oldest = str(max(row.minimum for row in releases.CUTOFFS if row.minimum))
    builder = set(re.findall(r"\b10\.\d\d\.\d+\b(?!\.)", text("sandbox/gateway/build")))
    yield "the oldest release that IBKR accepts", {oldest}, {"sandbox/gateway/build": builder}


CLAIMS = (
    image_claims,
    ports_claims,
    tws_claims,
    said_claims,
    session_claims,
    state_claims,
    access_claims,
    hardening_claims,
)


def problems() -> list[str]:
    return [
        f"{name}: {truth}; {place} has {found}"
        for claims in CLAIMS
        for name, truth, places in claims()
        for place, found in places.items()
        if found != truth
    ]


if __name__ == "__main__":
    wrong = problems()
    print("\n".join(wrong) or "every place says the same")
    sys.exit(bool(wrong))

"""The dashboard for Grafana, roles/observability/files/ib_gateway.json, built by Grafana's own library, and Google's.

Each query is answered by the Prometheus of Molecule's scenario `observability`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from tests.lint.files import ROOT

sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.rules import promql

RULES = ROOT / "roles/observability/vars/main/rules.yml"
GOOGLE_PATH = ROOT / "roles/observability/files/google_dashboard.json"
COLUMNS, ROWS = 24, 8
PATH = ROOT / "roles/observability/files/ib_gateway.json"
COLORS = dict(zip(verdicts.GATEWAY_STATES, ("text", "blue", "purple", "green", "orange", "red"), strict=True))
# The gateways that are shown, by the dashboard's own variable.
CHOSEN = '{gateway=~"$gateway"}'
NOW, LINE, STATE = "now", "line", "state"


class Panel(NamedTuple):
    """A panel, *width* of 24 columns wide. In a query @ is the choice of gateways."""

    title: str
    text: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = LINE
    width: int = 8


PANELS = (
    Panel("State", "The gateway's state by its watcher.", {"{{gateway}}": "ibgw:state:code@"}, kind=STATE, width=24),
    Panel(
        "Alerts",
        "What fires now.",
        {"{{alertname}} {{gateway}}": 'ALERTS{alertstate="firing",alertname!="Watchdog",gateway=~"$gateway"}'},
        kind=STATE,
        width=24,
    ),
    Panel(
        "Sign-in holds for", "Live: until IBKR's week ends.", {"{{gateway}}": "ibgw:session_left:seconds@"}, "s", NOW, 6
    ),
    Panel(
        "Sign-in due in",
        "Live: by session_sign_in_deadline.",
        {"{{gateway}}": "ibgw:sign_in_left:seconds@"},
        "s",
        NOW,
        6,
    ),
    Panel("Ready, last day", "Part of the last day.", {"{{gateway}}": "ibgw:ready:avg1d@"}, "percentunit", NOW, 6),
    Panel(
        "Release is accepted for",
        "Until IBKR refuses it.",
        {"{{gateway}}": "ibgw_release_accepted_until_timestamp_seconds@ - time()"},
        "s",
        NOW,
        6,
    ),
    Panel("Last look", "Time since the watcher looked.", {"{{gateway}}": "ibgw:look_age:seconds@"}, "s"),
    Panel(
        "Probe", "Time of each step of the last probe.", {"{{gateway}} {{step}}": "ibgw_probe_duration_seconds@"}, "s"
    ),
    Panel("Clock skew", "The gateway's clock against the host's.", {"{{gateway}}": "ibgw_clock_skew_seconds@"}, "s"),
    Panel("API", "State of the last probe.", {"{{gateway}} {{state}}": "ibgw_api_state@ == 1"}),
    Panel("Farms", "IBKR's data farms.", {"{{gateway}} {{status}}": "ibgw_farms@"}),
    Panel("Notices", "Messages of the API, by code.", {"{{gateway}} {{code}}": "ibgw_notices@ > 0"}),
    Panel(
        "Sign-ins",
        "Of this start of the container.",
        {
            "{{gateway}} tried": "ibgw_login_attempts_total@",
            "{{gateway}} refused": "ibgw_refused_logins_total@",
            "{{gateway}} pushes": "ibgw_pushes_total@",
            "{{gateway}} pushes missed": "ibgw_pushes_missed_total@",
        },
    ),
    Panel("Starts", "Starts of the container, in a day.", {"{{gateway}}": "increase(ibgw_starts_total@[1d])"}),
    Panel("Blocks", "In a day, by cause.", {"{{gateway}} {{cause}}": "increase(ibgw_blocks_total@[1d]) > 0"}),
    Panel(
        "Alerts of the watcher",
        "Waiting for a channel, and given up.",
        {"{{gateway}} waiting": "ibgw_alerts_waiting@", "{{gateway}} dropped": "ibgw_alerts_dropped_total@"},
    ),
    Panel(
        "Heartbeats",
        "Calls of the dead man's switch in five minutes.",
        {
            "{{gateway}} taken": "increase(ibgw_heartbeats_total@[5m])",
            "{{gateway}} not taken": "increase(ibgw_heartbeats_failed_total@[5m])",
        },
    ),
    Panel(
        "Certificates end in",
        "Of mutual TLS.",
        {"{{gateway}} {{kind}}": "ibgw_certificate_end_timestamp_seconds@ - time()"},
        "s",
    ),
    Panel(
        "Disk", "Free part of the file systems.", {"{{gateway}} {{filesystem}}": "ibgw_disk_free_ratio@"}, "percentunit"
    ),
    Panel("Log", "Size of the container's log.", {"{{gateway}}": "ibgw_log_bytes@"}, "bytes"),
    Panel("Watcher's memory", "systemd ends it at 64 MiB.", {"{{gateway}}": "ibgw_watcher_memory_bytes@"}, "bytes"),
    Panel("Watcher's processor", "Part of one processor.", {"{{gateway}}": "ibgw:watcher_cpu:rate5m@"}, "percentunit"),
    Panel(
        "Machine's memory",
        "Available; from node-exporter.",
        {"{{instance}}": 'node_memory_MemAvailable_bytes{job="ibgw"}'},
        "bytes",
    ),
    Panel("Machine's load", "Of one minute; from node-exporter.", {"{{instance}}": 'node_load1{job="ibgw"}'}),
)
Builder = stat.Panel | statetimeline.Panel | timeseries.Panel
BUILDERS: dict[str, Callable[[], Builder]] = {NOW: stat.Panel, STATE: statetimeline.Panel, LINE: timeseries.Panel}
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${source}")


def built(panel: Panel) -> Builder:
    made = BUILDERS[panel.kind]()
    made.title(panel.title).description(panel.text).datasource(SOURCE).unit(panel.unit).span(panel.width).height(7)
    for number, (legend, query) in enumerate(panel.queries.items()):
        asked = (
            prometheus.Dataquery().expr(query.replace("@", CHOSEN)).legend_format(legend).ref_id(chr(ord("A") + number))
        )
        made.with_target(asked.instant() if panel.kind == NOW else asked.range())
    if panel.title == "State":
        shown = {
            str(code): model.ValueMappingResult(text=state, color=COLORS[state])
            for code, state in enumerate(verdicts.GATEWAY_STATES)
        }
        made.mappings([model.ValueMap(options=shown)])
    return made


def text() -> str:
    """The dashboard as JSON, for Grafana's import and for its provisioning."""
    made = dashboard.Dashboard("IB Gateway").uid("ibgw").tags(["ibgw"]).timezone("browser")
    made.time("now-1d", "now").refresh("1m")
    made.with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    gateways = dashboard.QueryVariable("gateway").label("Gateway").datasource(SOURCE).multi(True).include_all(True)
    made.with_variable(gateways.query("label_values(ibgw_healthy, gateway)").all_value(".*"))
    for panel in PANELS:
        made.with_panel(built(panel))
    plain = json.loads(json.dumps(made.build(), cls=JSONEncoder), object_hook=without_nulls)
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"


# Grafana's units as Cloud Monitoring has them: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.metricDescriptors
UNITS = {"short": "1", "percentunit": "10^2.%", "bytes": "By", "s": "s"}


def google_text() -> str:
    """The same panels as a dashboard of Cloud Monitoring, which has no choice of gateways and no recorded series."""
    records = {each["record"]: each["expr"] for each in yaml.safe_load(RULES.read_text())["__observability_records"]}
    tiles: list[dict[str, Any]] = []
    x = y = 0
    for panel in PANELS:
        if x + panel.width > COLUMNS:
            x, y = 0, y + ROWS
        place = {"xPos": x, "yPos": y, "width": panel.width, "height": ROWS}
        tiles.append({**place, "widget": {"title": panel.title, **_widget(panel, records)}})
        x += panel.width
    layout = {"columns": COLUMNS, "tiles": tiles}
    return json.dumps({"displayName": "IB Gateway", "mosaicLayout": layout}, indent=2, sort_keys=True) + "\n"


def _widget(panel: Panel, records: dict[str, str]) -> dict[str, Any]:
    # Prometheus' own series of what fires; Google lists its incidents.
    if panel.title == "Alerts":
        return {"incidentList": {}}
    data = []
    for legend, query in panel.queries.items():
        asked = promql.expanded(query.replace("@", "").replace(CHOSEN, ""), records)
        series = {"timeSeriesQuery": {"prometheusQuery": asked, "unitOverride": UNITS[panel.unit]}}
        shown = re.sub(r"\{\{(\w+)\}\}", r"${\1}", legend)
        is_now = panel.kind == NOW
        data.append(series if is_now else {**series, "plotType": "LINE", "legendTemplate": shown})
    return {"timeSeriesTable": {"dataSets": data}} if panel.kind == NOW else {"xyChart": {"dataSets": data}}


def without_nulls(node: dict[str, Any]) -> dict[str, Any]:
    """Remove the nulls that the library writes for unset fields: Grafana uses its own defaults then."""
    return {key: value for key, value in node.items() if value is not None}

#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_monitoring
short_description: Alert policies, log-based metrics and a dashboard in Cloud Monitoring
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Makes the alert policies, the log-based metrics and the dashboard of one set what the options say. A set belongs to
    a whole project, and speaks of every gateway whose Ops Agent writes to it.
  - What the collection makes carries its mark, the labels C(ibops-gateway) and C(ibops-gateway-policy) of a policy,
    the label C(ibops-gateway) of the dashboard, and C([ibops.gateway]) at the end of a metric's description. What has
    the mark and the name of this set and is not in the options is removed. Nothing else ever is.
  - Each field that an option speaks of is compared, and a policy is sent only those that differ. A policy for absence
    is silent about a series until that has written again after the policy was changed, in whatever field.
  - A log-based metric that a policy or a dashboard uses is not removed; that is found before the first write.
extends_documentation_fragment:
  - ibops.gateway.gcp
requirements:
  - google-cloud-monitoring >= 2.32
  - google-cloud-monitoring-dashboards >= 3.2
  - google-cloud-logging >= 3.17
attributes:
  check_mode:
    description: Reads only, and reports what would change.
    support: full
  diff_mode:
    description: Shows what changes, in the API's words, as far as an option speaks of it. The same in check mode.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description: The set's name, which begins the ids of its metrics, and is the id of its dashboard.
    type: str
    default: ibgw
  state:
    description: With V(absent), everything of the set is removed, whatever the other options say.
    type: str
    choices: [present, absent]
    default: present
  policies:
    description: All alert policies of the set. An empty list removes them. Left as they are, where it is not given.
    type: list
    elements: dict
    suboptions:
      name:
        description: The policy's name, for example V(GatewayBlocked).
        type: str
        required: true
      severity:
        description: How bad it is.
        type: str
        choices: [critical, error, warning]
        required: true
      text:
        description: What is wrong, in the notification.
        type: str
        required: true
      step:
        description: What to do, in the notification.
        type: str
        default: ""
      query:
        description: The PromQL query that finds something while it is wrong. Either this or O(policies[].absent).
        type: str
      duration:
        description: For how long O(policies[].query) has to find it, in seconds, whole minutes.
        type: int
        default: 0
      interval:
        description: How often O(policies[].query) is evaluated, in seconds.
        type: int
        default: 60
      absent:
        description: A metric that is missed when it has been written once and no longer is.
        type: dict
        suboptions:
          metric:
            description: The metric's type, for example V(prometheus.googleapis.com/ibgw_info/gauge).
            type: str
            required: true
          resource:
            description: The type of the monitored resource that it belongs to.
            type: str
            default: prometheus_target
          labels:
            description: Only series with these labels of the metric.
            type: dict
            default: {}
          by:
            description: Labels of the metric, each combination of which is missed for itself.
            type: list
            elements: str
            default: []
          duration:
            description: After how many seconds, whole minutes, from 120 to 84600.
            type: int
            default: 300
      channels:
        description:
          - Full names of the notification channels that are told. An empty list is nobody.
          - Left as they are, where it is not given.
        type: list
        elements: str
  log_metrics:
    description: All log-based metrics of the set. An empty list removes them. Left as they are, where it is not given.
    type: list
    elements: dict
    suboptions:
      name:
        description: The metric's name, which has the set's name and a dot before it in its id.
        type: str
        required: true
      text:
        description: What it counts.
        type: str
        required: true
      filter:
        description: Which log entries it counts, in the language of Cloud Logging.
        type: str
        required: true
      labels:
        description:
          - Labels, each with the extractor of its value, for example V(EXTRACT(jsonPayload.gateway)).
          - Google can add one to a metric, and not change or remove one.
        type: dict
        default: {}
  dashboard:
    description:
      - The dashboard, as Google's API has it, without C(name) and C(etag).
      - An empty one removes it. Left as it is, where it is not given.
    type: dict
  timeout:
    default: 120
  api_endpoint:
    description:
      - Another address of the Cloud Monitoring API for alert policies, which speaks gRPC. Defaults to the environment's
        C(GCP_MONITORING_ENDPOINT).
    type: str
  logging_endpoint:
    description:
      - Another address of the Cloud Logging API, which speaks gRPC. Defaults to the environment's
        C(GCP_LOGGING_ENDPOINT).
    type: str
  dashboards_endpoint:
    description:
      - Another address of the Cloud Monitoring API for dashboards, which speaks REST. Defaults to the environment's
        C(GCP_DASHBOARDS_ENDPOINT).
    type: str
"""

EXAMPLES = r"""
- name: Be told when a gateway is blocked, and when a live one no longer says anything
  ibops.gateway.gcp_monitoring:
    project: my-project
    policies:
      - name: GatewayBlocked
        severity: critical
        text: The watcher has blocked the gateway.
        step: "On its host: ibgwctl status."
        query: ibgw_state{state="blocked"} == 1
        channels: [projects/my-project/notificationChannels/1234567890]
      - name: GatewaySilent
        severity: critical
        text: Nothing is heard of the gateway's VM.
        absent:
          metric: prometheus.googleapis.com/ibgw_info/gauge
          labels: {mode: live}
          by: [gateway, instance_name]
          duration: 300
        channels: [projects/my-project/notificationChannels/1234567890]

- name: Remove everything of the set
  ibops.gateway.gcp_monitoring:
    project: my-project
    state: absent
"""

RETURN = r"""
actions:
  description: The calls that changed something, or would in check mode.
  returned: always
  type: list
  elements: str
  sample: [alertPolicies.create GatewayBlocked]
unfinished:
  description:
    - The calls of which it is open what becomes of them, as no answer came.
    - The next run looks at what they have done.
  returned: on failure
  type: list
  elements: str
  sample: [alertPolicies.create GatewayBlocked]
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import monitoring
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.client import Client
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.journal import Journal
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources.alert_policy import MONITORING

ABSENT = {
    "metric": {"type": "str", "required": True},
    "resource": {"type": "str", "default": "prometheus_target"},
    "labels": {"type": "dict", "default": {}},
    "by": {"type": "list", "elements": "str", "default": []},
    "duration": {"type": "int", "default": 300},
}
POLICY = {
    "name": {"type": "str", "required": True},
    "severity": {"type": "str", "choices": ["critical", "error", "warning"], "required": True},
    "text": {"type": "str", "required": True},
    "step": {"type": "str", "default": ""},
    "query": {"type": "str"},
    "duration": {"type": "int", "default": 0},
    "interval": {"type": "int", "default": 60},
    "absent": {"type": "dict", "options": ABSENT},
    "channels": {"type": "list", "elements": "str"},
}
LOG_METRIC = {
    "name": {"type": "str", "required": True},
    "text": {"type": "str", "required": True},
    "filter": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
}
NOTHING: dict[str, object] = {"policies": [], "log_metrics": [], "dashboard": {}}


def endpoint(variable: str) -> dict[str, object]:
    return {"type": "str", "fallback": (env_fallback, [variable])}


def main() -> None:
    module = AnsibleModule(
        argument_spec=_gcp.project_spec(
            name={"type": "str", "default": "ibgw"},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            policies={"type": "list", "elements": "dict", "options": POLICY},
            log_metrics={"type": "list", "elements": "dict", "options": LOG_METRIC},
            dashboard={"type": "dict"},
            timeout={"type": "float", "default": 120},
            api_endpoint=endpoint("GCP_MONITORING_ENDPOINT"),
            logging_endpoint=endpoint("GCP_LOGGING_ENDPOINT"),
            dashboards_endpoint=endpoint("GCP_DASHBOARDS_ENDPOINT"),
        ),
        supports_check_mode=True,
    )
    options = {**module.params, **(NOTHING if module.params["state"] == "absent" else {})}
    _gcp.refuse(module, monitoring.problems(options))
    journal = Journal()
    try:
        with _gcp.interruptible():
            client = Client(
                MONITORING, options["project"], _gcp.who(module), options["api_endpoint"], options["timeout"]
            )
            journal = client.journal
            cloud = monitoring.Monitoring(client, options)
            changes = cloud.changes()
            # One after the other: Google refuses changes of policies side by side.
            for change in changes if not module.check_mode else []:
                cloud.carry_out(change)
    except GcpError as error:
        _gcp.fail(module, str(error), journal, problems=_gcp.listed(error.problems))
    for warning in cloud.warnings:
        module.warn(warning)
    actions = [change.action for change in changes] if module.check_mode else journal.actions
    diff = {
        side: {f"{each.collection}/{each.key}": body for each in changes if (body := getattr(each, side)) is not None}
        for side in ("before", "after")
    }
    module.exit_json(changed=bool(actions), actions=actions, diff=diff)


if __name__ == "__main__":
    main()

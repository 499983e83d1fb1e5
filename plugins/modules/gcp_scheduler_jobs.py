#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_scheduler_jobs
short_description: Start and stop a VM by the clock, with Cloud Scheduler
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Makes the jobs of Cloud Scheduler that start and stop one VM what the options say. Each calls C(instances.start) or
    C(instances.stop) of the Compute Engine API by itself, as a service account.
  - What the collection makes carries its mark, C([ibops.gateway]) at the end of the description. A job with the mark
    that starts or stops this VM and is not among O(jobs) is deleted. Nothing else ever is.
  - Filter P(ibops.gateway.vm_hours#filter) makes O(jobs) out of a paper gateway's sessions.
extends_documentation_fragment:
  - ibops.gateway.gcp
  - ibops.gateway.gcp.region
requirements:
  - google-cloud-scheduler >= 2.21
attributes:
  check_mode:
    description: Reads only, and reports what would change.
    support: full
  diff_mode:
    description: Shows the jobs that change, in the API's words. The same in check mode.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  instance:
    description: The VM's name.
    type: str
    required: true
  zone:
    description: The VM's zone.
    type: str
    required: true
  service_account:
    description:
      - The address of the service account that the jobs run as. It has to have C(compute.instances.start) and
        C(compute.instances.stop) on the VM, and nothing else.
      - Required unless O(jobs) is empty.
    type: str
  jobs:
    description: All jobs for this VM. An empty list removes them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The job's name, one of its own in the region.
        type: str
        required: true
      action:
        description: What the job does. A VM that is started or stopped already is left as it is.
        type: str
        choices: [start, stop]
        required: true
      schedule:
        description: When, as a line of cron in O(jobs[].time_zone). Minute, hour, day, month, day of the week.
        type: str
        required: true
      time_zone:
        description: The zone of O(jobs[].schedule), as IANA names it.
        type: str
        required: true
      description:
        description: What the job is for. The action and the VM, where it is not given.
        type: str
      paused:
        description: Whether the job is paused. Left as it is, where it is not given.
        type: bool
  retry:
    description: How a call that has failed is tried again.
    type: dict
    default: {}
    suboptions:
      count:
        description: How often.
        type: int
        default: 3
      max_duration:
        description: Limit in seconds; 0 means no limit.
        type: int
        default: 0
      min_backoff:
        description: The first pause, in seconds.
        type: int
        default: 10
      max_backoff:
        description: The longest pause, in seconds.
        type: int
        default: 60
      max_doublings:
        description: How often the pause doubles, before it grows evenly.
        type: int
        default: 3
  attempt_deadline:
    description: How long one call may take, in seconds.
    type: int
    default: 60
  timeout:
    default: 120
  api_endpoint:
    description: Another address of the Cloud Scheduler API. Defaults to the environment's C(GCP_SCHEDULER_ENDPOINT).
    type: str
seealso:
  - module: ibops.gateway.gcp_run_job
  - plugin: ibops.gateway.vm_hours
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The paper VM runs around its pipelines
  ibops.gateway.gcp_scheduler_jobs:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    instance: ibgw-paper
    service_account: ibgw-hours@my-project.iam.gserviceaccount.com
    jobs: "{{ gateway_paper_sessions | ibops.gateway.vm_hours('ibgw-paper') }}"

- name: The same, written out
  ibops.gateway.gcp_scheduler_jobs:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    instance: ibgw-paper
    service_account: ibgw-hours@my-project.iam.gserviceaccount.com
    jobs:
      - {name: ibgw-paper-start, action: start, schedule: "15 9 * * 1-5", time_zone: America/New_York}
      - {name: ibgw-paper-stop, action: stop, schedule: "55 10 * * 1-5", time_zone: America/New_York}
"""

RETURN = r"""
actions:
  description: The calls that changed something, or would in check mode.
  returned: always
  type: list
  elements: str
  sample: [jobs.create ibgw-paper-start]
unfinished:
  description:
    - The calls of which it is open what becomes of them, as no answer came or Google still goes on with them.
    - The message has the commands that show it.
  returned: on failure
  type: list
  elements: str
  sample: [instances.insert ibgw-paper]
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.client import Client
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.journal import Journal
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import scheduler_job

RETRY = {"count": 3, "max_duration": 0, "min_backoff": 10, "max_backoff": 60, "max_doublings": 3}
JOB = {
    "name": {"type": "str", "required": True},
    "action": {"type": "str", "choices": ["start", "stop"], "required": True},
    "schedule": {"type": "str", "required": True},
    "time_zone": {"type": "str", "required": True},
    "description": {"type": "str"},
    "paused": {"type": "bool"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=_gcp.argument_spec(
            instance={"type": "str", "required": True},
            zone={"type": "str", "required": True},
            service_account={"type": "str"},
            jobs={"type": "list", "elements": "dict", "required": True, "options": JOB},
            retry={
                "type": "dict",
                "default": {},
                "options": {name: {"type": "int", "default": value} for name, value in RETRY.items()},
            },
            attempt_deadline={"type": "int", "default": 60},
            timeout={"type": "float", "default": 120},
            api_endpoint={"type": "str", "fallback": (env_fallback, ["GCP_SCHEDULER_ENDPOINT"])},
        ),
        supports_check_mode=True,
    )
    options = module.params
    _gcp.refuse(module, scheduler_job.problems(options))
    journal = Journal()
    try:
        with _gcp.interruptible():
            client = Client(
                scheduler_job.SCHEDULER,
                options["project"],
                _gcp.who(module),
                options["api_endpoint"],
                options["timeout"],
            )
            journal = client.journal
            jobs = scheduler_job.Jobs(client, options["region"])
            changes = scheduler_job.changes(options, jobs.read())
            for change in changes if not module.check_mode else []:
                for verb in change.verbs:
                    jobs.carry_out(change, verb)
    except GcpError as error:
        _gcp.fail(module, str(error), journal, problems=_gcp.listed(error.problems))
    actions = [action for change in changes for action in change.actions] if module.check_mode else journal.actions
    diff = {
        "before": {change.name: change.before for change in changes if change.before is not None},
        "after": {change.name: change.after for change in changes if change.after is not None},
    }
    module.exit_json(changed=bool(actions), actions=actions, diff=diff)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_run_job
short_description: Execute a job of Cloud Run and wait for its end
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Executes a job that is there already, once, and waits until the execution has ended. It fails when the execution
    does, with the reason, the log's address and the next step.
  - Before that it looks at whether the job can reach the gateway at all. See O(gateway_address).
  - The request to execute is sent once, since twice could be two executions. When its answer is lost, the execution
    that the job has got since is followed; when there is none, the module says that it is not known.
extends_documentation_fragment:
  - ibops.gateway.gcp
  - ibops.gateway.gcp.region
requirements:
  - google-cloud-run >= 0.16
attributes:
  check_mode:
    description: Reads the job only, refuses what it would refuse, and says what it would execute.
    support: full
  diff_mode:
    description: An execution is not a state that has a difference.
    support: none
  idempotent:
    description: Each run is an execution.
    support: none
options:
  job:
    description: The job's name.
    type: str
    required: true
  args:
    description: Arguments for this execution, in place of the job's. An empty list means none.
    type: list
    elements: str
  env:
    description:
      - Environment variables for this execution, besides the job's.
      - This is not a place for secrets, as Cloud Run shows the values. A job takes those from Secret Manager.
    type: dict
  container:
    description: The container that O(args) and O(env) are for, in a job of several. The first, where it is not given.
    type: str
  task_count:
    description: How many tasks this execution has, in place of the job's number.
    type: int
  task_timeout:
    description: How long a task of this execution may take, in seconds, in place of the job's time.
    type: int
  gateway_address:
    description:
      - The address, or the name, at which the job reaches the gateway. A job that cannot reach it is refused. It has no
        access to a VPC, its egress leaves out the address, or the address is the loopback.
      - Without it, a job that has no access to a VPC is a warning.
    type: str
  allow_parallel:
    description: Execute the job also while its newest execution still runs.
    type: bool
    default: false
  timeout:
    description: How long the execution may take, in seconds, the start of its instances included.
    type: float
    default: 3600
  cancel_on_timeout:
    description: Cancel the execution when O(timeout) is over. Without it, the execution goes on.
    type: bool
    default: true
  api_endpoint:
    description: Another address of the Cloud Run API. Defaults to the environment's C(GCP_RUN_ENDPOINT).
    type: str
seealso:
  - module: ibops.gateway.gcp_scheduler_jobs
"""

EXAMPLES = r"""
- name: Run the pipeline, and stop it after an hour
  ibops.gateway.gcp_run_job:
    project: my-project
    region: europe-west1
    job: pipeline
    gateway_address: 10.10.0.2
    env:
      TRADING_DAY: "2026-11-27"
    timeout: 3600
"""

RETURN = r"""
execution:
  description: The execution's full name. Not in check mode.
  returned: when there is one
  type: str
  sample: projects/my-project/locations/europe-west1/jobs/pipeline/executions/pipeline-x7k2p
ended:
  description: V(succeeded), V(failed), V(cancelled), V(timed_out), or V(running) when it was not to be cancelled.
  returned: when there is an execution
  type: str
  sample: succeeded
reason:
  description: Why it failed, in Cloud Run's words.
  returned: when there is an execution
  type: str
  sample: "NON_ZERO_EXIT_CODE: The container exited with an error."
tasks:
  description: How many tasks there were; how many of them succeeded, failed, were cancelled, were tried again.
  returned: when there is an execution
  type: dict
  sample: {tasks: 1, succeeded: 1, failed: 0, cancelled: 0, retried: 0}
log_uri:
  description: Where its log is.
  returned: when there is an execution
  type: str
  sample: https://console.cloud.google.com/logs/viewer?project=my-project
elapsed:
  description: How long it took, in seconds.
  returned: when there is an execution
  type: float
  sample: 87.2
actions:
  description: The calls that were made, in the order in which they were done.
  returned: on failure
  type: list
  elements: str
  sample: [jobs.run pipeline]
unfinished:
  description:
    - The calls of which it is open what becomes of them, as no answer came.
    - The message has the command that shows it.
  returned: on failure
  type: list
  elements: str
  sample: [jobs.run pipeline]
plan:
  description: What is executed, overrides included. Of the environment, the names.
  returned: success
  type: dict
  sample: {image: "europe-docker.pkg.dev/my-project/pipeline/main@sha256:...", args: [], env: [IB_HOST], tasks: 1}
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.client import Client
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError, InterruptedRunError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.normal import last
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import run_job


def verdict(ended: run_job.Ended, options: dict[str, t.Any]) -> str:
    """Explain an execution that did not succeed, with the next step."""
    short, limit = last(ended.body["name"]), f"{options['timeout']:g} s of timeout"
    where = f"--region {options['region']} --project {options['project']}"
    what = {
        "running": f"has not ended within the {limit}.",
        "timed_out": f"was told to end, as it had not ended within the {limit}.",
        "cancelled": "was cancelled by somebody else.",
        "failed": f"failed: {ended.reason}",
    }
    if ended.how == "running":
        step = goes_on(short, options)
    elif ended.body.get("logUri"):
        step = f"Its log: {ended.body['logUri']}"
    else:
        step = f"`gcloud run jobs executions describe {short} {where}` says more."
    return f"Execution {short} {what[ended.how]} {step}"


def goes_on(execution: str, options: dict[str, t.Any]) -> str:
    """Explain that an execution continues, and how to end it."""
    where = f"--region {options['region']} --project {options['project']}"
    return f"It goes on; `gcloud run jobs executions cancel {last(execution)} {where}` ends it."


def new_module() -> AnsibleModule:
    return AnsibleModule(
        argument_spec=_gcp.argument_spec(
            job={"type": "str", "required": True},
            args={"type": "list", "elements": "str"},
            env={"type": "dict"},
            container={"type": "str"},
            task_count={"type": "int"},
            task_timeout={"type": "int"},
            gateway_address={"type": "str"},
            allow_parallel={"type": "bool", "default": False},
            timeout={"type": "float", "default": 3600},
            cancel_on_timeout={"type": "bool", "default": True},
            api_endpoint={"type": "str", "fallback": (env_fallback, ["GCP_RUN_ENDPOINT"])},
        ),
        supports_check_mode=True,
    )


def main() -> None:
    module = new_module()
    options = module.params
    _gcp.refuse(module, run_job.problems(options))
    try:
        # Includes the time before and after the execution.
        seconds = options["timeout"] + 3 * run_job.CANCEL_SECONDS
        client = Client(run_job.RUN, options["project"], _gcp.who(module), options["api_endpoint"], seconds)
        job = run_job.Job(client, options["region"], options["job"])
        with _gcp.interruptible():
            found = job.read()
    except GcpError as error:
        module.fail_json(msg=f"{error} Nothing was executed.")
    refused, warned = run_job.obstacles(found, options)
    for each in warned:
        module.warn(each)
    _gcp.refuse(module, refused, "Nothing was executed.")
    plan = run_job.summary(found, options)
    if module.check_mode:
        module.exit_json(changed=True, plan=plan)

    started = time.monotonic()
    result: dict[str, t.Any] = {"plan": plan}
    begun = ""
    try:
        with _gcp.interruptible():
            execution, lost = job.start(found, run_job.overrides(options))
            result |= {"changed": True, "execution": execution}
            begun = f"Execution {last(execution)} was started, and then: "
            if lost:
                module.warn(f"The answer was lost on its way; followed is {execution}, which the job has got since.")
            ended = job.follow(execution, options["timeout"])
            if ended.how == "running" and options["cancel_on_timeout"]:
                ended = job.cancel(execution)
    except GcpError as error:
        on = isinstance(error, InterruptedRunError) and "execution" in result
        journal = client.journal
        result |= {"changed": not journal.is_empty, "actions": journal.actions, "unfinished": journal.unfinished}
        module.fail_json(msg=f"{begun}{error}{' ' + goes_on(result['execution'], options) if on else ''}", **result)
    result |= {
        "ended": ended.how,
        "reason": ended.reason,
        "tasks": ended.counts(),
        "log_uri": ended.body.get("logUri", ""),
        "elapsed": round(time.monotonic() - started, 3),
    }
    if ended.how != "succeeded":
        module.fail_json(msg=verdict(ended, options), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_container
short_description: Make, replace and start the container of one gateway, from the look to the ready API
version_added: 1.1.0
author: ibops.gateway contributors (@ibops)
description:
  - Holds the gateway's lease, looks, decides, writes the gateway's files, makes the new container beside the old one,
    signs the old one off, starts the new one and waits until its API is ready; where that fails, the old one is put
    back with its files. A paper gateway that ran is started again; a live one is left down, since a start is a push.
  - Settings that the engine would refuse, a port that another process holds, a gateway of another mode by the same
    name and an IBKR user that another container of the host has are refused before anything is touched, also in check
    mode.
  - An image is asked before it is trusted, after its pull and before anything is touched, by inspecting it and its
    files; it is never run for that. A release that IBKR no longer accepts, and an image that is not what the role
    assumes, are refused with each difference (O(accept_image)); check mode does not see the files.
  - What drives the gateway (IBC, ibg-controller) is read off the image, too. ibg-controller gets the settings out of
    O(config) as environment, and a setting that it cannot keep is refused by name. A running live gateway changes from
    one to the other with O(apply=now), or at a sign-in while it is down.
  - A live gateway is left alone by a run that has no limit, and a running one keeps its container until its next
    sign-in, unless O(apply=now). A paused one is resumed on its kept sign-in.
  - Run it as root.
extends_documentation_fragment:
  - ibops.gateway.endpoint.attributes
  - ibops.gateway.lease
  - ibops.gateway.lease.keep
attributes:
  check_mode:
    description: Makes every check of a real run, predicts the change, and touches nothing.
    support: full
  diff_mode:
    description: Shows the files; of a secret only that it changes.
    support: full
  idempotent:
    description: A second run changes nothing, unless O(recreate) is set.
    support: full
options:
  gateway_name:
    description: Name of the gateway.
    type: str
    required: true
  user:
    description: Its IBKR user; no other container of the host may have it.
    type: str
    required: true
  container:
    description:
      - What the container is started with; C(image), C(uid), C(environment), C(mounts), C(tmpfs), C(port),
        C(container_port), C(memory), C(cpus), C(heap_mb), C(pids_limit), C(nofile), C(stop_grace), C(log_max_size),
        C(log_max_files), C(program) (V(gateway) without it, or V(tws), the desktop image).
      - All capabilities are dropped, but for those that the desktop image's init has to have, and no new privileges are
        to be had; the port is published on 127.0.0.1 only.
    type: dict
    required: true
  descriptor:
    description: The gateway's description for programs on the host; written as C(gateway.json), with its revision.
    type: dict
    required: true
  config:
    description: IBC's settings template, as for M(ibops.gateway.gateway_settings). Required without O(portal).
    type: str
  jts:
    description: The keys of C(jts.ini) to hold, as for M(ibops.gateway.gateway_settings). Required with O(config).
    type: str
  portal:
    description:
      - What a Client Portal Gateway has in the place of O(config) and O(jts). Its O(descriptor) is written as
        C(client_portal.json); Docker stops it, its image is not inspected, and it is ready when its API and websocket
        answer.
    type: dict
    suboptions:
      conf:
        description: The text of C(conf.yaml).
        type: str
        required: true
      keystore:
        description: A Java keystore on the control node with its certificate; the module gets its bytes, in Base64.
        type: str
      ca:
        description: The CA (PEM) that signed the certificate, by which the checks go. Required with O(portal.keystore).
        type: str
      websocket:
        description: Whether ready includes that the websocket answers.
        type: bool
        default: true
  password:
    description:
      - The IBKR password, as for M(ibops.gateway.gateway_settings). A live gateway has it while it signs in, and the VM
        keeps it only of a paper gateway.
    type: str
  password_secret:
    description: Name of the secret from which the VM fetches the password for each start, instead of O(password).
    type: str
  paper_sessions:
    description: >-
      O(ibops.gateway.gateway#role:main.yml:gateway_paper_sessions), of which the host has to know every zone.
    type: list
    elements: dict
    default: []
  min_free_mib:
    description: Refuse to write when a file system of this gateway or of Docker has less space left, in MiB.
    type: int
    default: 0
  pull_timeout:
    description: Seconds that all of an image's pull may take, whatever the registry does.
    type: int
    default: 1800
  start:
    description: >-
      V(always) starts the gateway and waits until it is ready; V(if_running) does so only for one that ran; V(never)
      leaves a replaced one down.
    type: str
    choices: [always, if_running, never]
    default: always
  apply:
    description: When a changed setting reaches a running live gateway; V(now) sends a push to a phone.
    type: str
    choices: [next_signin, now]
    default: next_signin
  recreate:
    description: Make a new container also where nothing differs. A running live one still waits, unless O(apply=now).
    type: bool
    default: false
  change_mode:
    description: Let a paper gateway become a live one by the same name, or the other way round, while it is down.
    type: bool
    default: false
  accept_image:
    description:
      - What an image may be though the role assumes something else, of the differences that RV(image) names.
      - O(ibops.gateway.gateway#role:main.yml:gateway_image_accept) has them all.
    type: list
    elements: str
    default: []
  ready_timeout:
    description: Seconds from a start to the ready API.
    type: float
    default: 180.0
  stop_timeout:
    description: Seconds for IBC's STOP, after which Docker stops the container.
    type: float
    default: 90.0
  settled:
    description: Steps that the control node has done (V(image), V(push)); set by the action plugin of the same name.
    type: list
    elements: str
    default: []
seealso:
  - module: ibops.gateway.gateway_session
  - module: ibops.gateway.gateway_sign_in
"""

EXAMPLES = r"""
- name: Run the gateway as its settings say
  ibops.gateway.gateway_container:
    gateway_name: paper
    user: alice
    password: "{{ lookup('ansible.builtin.env', 'IBKR_PASSWORD') }}"
    config: "{{ lookup('ansible.builtin.template', 'config.ini.j2') }}"
    jts: "{{ lookup('ansible.builtin.template', 'jts.ini.j2') }}"
    descriptor: "{{ gateway_descriptor }}"
    container: "{{ gateway_container_settings }}"
  become: true
"""

RETURN = r"""
step:
  description: The action on the container (V(none), V(pending), V(make), V(start), V(replace),
    V(resume), V(prove)).
  returned: success
  type: str
  sample: replace
starts:
  description: Whether this run started it.
  returned: success
  type: bool
  sample: true
pending:
  description: Whether it runs with other settings than those written, which wait for its next sign-in.
  returned: success
  type: bool
  sample: false
deployed:
  description: Whether there is a gateway now.
  returned: success
  type: bool
  sample: true
image:
  description:
    - What the image is, as M(ibops.gateway.gateway_image_info) returns it. The version of IBC and what is wrong with
      files are known where a container is made of it.
    - Null where the image is not on the host.
  returned: success
  type: dict
  sample: {release: 10.50.1d, controller: ibc, controller_version: 3.24.1, refused: false, differences: []}
state:
  description: State of the gateway; RV(ignore:reason), RV(ignore:next_step), RV(ignore:accounts) and more are those of
    M(ibops.gateway.gateway_info).
  returned: success
  type: str
  sample: ready
client_networks:
  description: Docker networks that role P(ibops.gateway.access#role) has made for the gateway's clients.
  returned: success
  type: list
  elements: str
  sample: [ibgw-paper]
needs:
  description: Steps that the control node has to do first (V(image), V(push)); for the action plugin of the same name.
  returned: when something is needed
  type: str
  sample: image
"""

import base64
import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent import files
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.commands import ChannelError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.properties import (
    UnrepresentableError,
    escape,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import tickle
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import (
    Descriptor,
    DescriptorError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import NETWORK_LABEL
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import (
    container,
    controller_settings,
    deployment,
    gateway,
    portal,
    settings_files,
)
from ansible_collections.ibops.gateway.plugins.module_utils.host import calendar_data, container_user

PORTAL = {
    "conf": {"type": "str", "required": True, "no_log": True},
    "keystore": {"type": "str", "no_log": True},
    "ca": {"type": "str"},
    "websocket": {"type": "bool", "default": True},
}
CONFIG_DIR = "/etc/ibgw"
STATE_DIR = "/var/lib/ibgw"


def gateway_of(params: dict[str, t.Any], controller: str) -> deployment.Deployment:
    """Build the deployment from the options, for an image with *controller*; the container's settings have been
    checked. UnrepresentableError."""
    if params["password"] is not None:
        escape(params["password"])
    own, name = controller_settings.environment(controller, params["config"]), params["gateway_name"]
    settings = {**params["container"], "environment": {**params["container"]["environment"], **own}}
    mode = params["descriptor"]["mode"]
    labels = {"ibops.gateway.name": name, "ibops.gateway.mode": mode}
    request = container.body(settings, labels)
    if own:
        # The image's own health check probes the API's port every 30 s, and tools that restart unhealthy containers
        # would cause pushes.
        request["Healthcheck"] = {"Test": ["NONE"]}
    secret = params["password_secret"] or settings_files.secret_revision(name, params["password"])
    scripts = settings_files.DESKTOP_SCRIPTS if container.program(settings) == "tws" else {}
    revision = container.revision(request, params["config"], params["jts"], secret, *scripts.values())
    written = {**params["descriptor"], "revision": revision, "controller": controller}
    known = {key: value for key, value in written.items() if key in Descriptor.__dataclass_fields__}
    parameters = {
        "gateway_name": name,
        "config_dir": CONFIG_DIR,
        "state_dir": STATE_DIR,
        "uid": settings["uid"],
        "password": params["password"] if mode == "paper" else None,
        "keeps_password": mode == "paper" and not params["password_secret"],
        "password_is_property": controllers.by_name(controller).password_is_property,
        "config": params["config"],
        "jts": params["jts"],
        "jts_keys": params["jts"],
        "scripts": scripts,
        "settings_dir": os.path.basename(params["descriptor"]["settings_dir"]),
        "descriptor": written,
    }
    described = Descriptor(**known)
    control = Control(
        described,
        plan.load_or_default(name)[0],
        owner=params["lease_owner"] or "",
        keep=params["keep_lease"],
        password=params["password"] if mode == "live" else None,
    )
    order = order_of(params, described, request, parameters)
    return gateway.GatewayDeployment(order, control, tuple(params["settled"]))


def portal_of(params: dict[str, t.Any]) -> deployment.Deployment:
    """Build the deployment of a Client Portal Gateway from the options; the container's settings have been checked."""
    own, name, mode = params["portal"], params["gateway_name"], params["descriptor"]["mode"]
    labels = {neighbours.NAME_LABEL: name, neighbours.STACK_LABEL: neighbours.PORTAL, neighbours.MODE_LABEL: mode}
    request = container.body(params["container"], labels)
    secrets = {"secrets/ibkr_user": params["user"], "secrets/ibkr_password": params["password"]}
    secrets["inputs/conf.yaml"] = own["conf"]
    certificate = {}
    if own["keystore"]:
        # Its bytes, as module_utils/agent/files.py holds a file's.
        certificate["inputs/cacert.jks"] = base64.b64decode(own["keystore"]).decode("utf-8", "surrogateescape")
        certificate["inputs/cacert.pem"] = own["ca"]
    # Slow, as that of a password alone; conf.yaml has the keystore's.
    secret = settings_files.secret_revision(name, json.dumps([*secrets.values()]))
    revision = container.revision(request, secret, *certificate.values())
    described = tickle.Deployed(**{**params["descriptor"], "name": name, "revision": revision})
    parameters = {
        "uid": int(params["container"]["uid"]),
        "files": {**secrets, **certificate},
        "websocket": own["websocket"],
    }
    owner = params["lease_owner"] or f"the operator (process {os.getpid()})"
    actor = portal.PortalActor(described, owner, params["keep_lease"])
    order = order_of(params, described, request, parameters)
    return portal.PortalDeployment(order, actor, tuple(params["settled"]))


def order_of(
    params: dict[str, t.Any],
    described: deployment.Described,
    request: dict[str, t.Any],
    parameters: dict[str, t.Any],
) -> deployment.Order:
    return deployment.Order(
        described,
        params["user"],
        request,
        parameters,
        params["start"],
        params["apply"] == "now",
        params["recreate"],
        params["names_live"] or params["check"],
        params["change_mode"],
        params["ready_timeout"],
        params["stop_timeout"],
        tuple(params["accept_image"]),
    )


def cpus() -> int | None:
    try:
        return Engine().cpus()
    except EngineError:
        return None


def networks(name: str) -> list[str]:
    return Engine().networks(f"{NETWORK_LABEL}={name}")


def predicted(params: dict[str, t.Any], made: deployment.Deployment, fault: EngineError) -> dict[str, t.Any]:
    """Predict a first run on a host without an engine."""
    name, image = made.order.descriptor.container, params["container"]["image"]
    return {
        "changed": True,
        "diff": container_user.reserve(made.order.parameters["uid"], check=True)
        + files.reconcile(made.entries(), check=True),
        "step": deployment.MAKE,
        "starts": made.order.start == deployment.ALWAYS,
        "deployed": False,
        "pending": False,
        "image": None,
        "container": None,
        "client_networks": [],
        "engine": {"reachable": False, "reason": str(fault)},
        "msg": f"Would pull {image} and make container {name}.",
    }


def report(made: deployment.Deployment, done: deployment.Done, check: bool) -> dict[str, t.Any]:
    found = made.facts(check)
    return {
        **found,
        "changed": done.changed,
        "diff": done.diff,
        "step": done.step,
        "starts": done.starts,
        "image": done.image.as_dict() if done.image else None,
        "deployed": bool(not check or found["container"]["exists"]),
        "client_networks": networks(made.order.descriptor.name),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "container": {"type": "dict", "required": True},
            "descriptor": {"type": "dict", "required": True},
            "config": {"type": "str"},
            "jts": {"type": "str"},
            "portal": {"type": "dict", "options": PORTAL},
            "password": {"type": "str", "no_log": True},
            "password_secret": {"type": "str", "no_log": False},
            "paper_sessions": {"type": "list", "elements": "dict", "default": []},
            "min_free_mib": {"type": "int", "default": 0},
            "pull_timeout": {"type": "int", "default": 1800},
            "start": {"type": "str", "choices": ["always", "if_running", "never"], "default": "always"},
            "apply": {"type": "str", "choices": ["next_signin", "now"], "default": "next_signin"},
            "recreate": {"type": "bool", "default": False},
            "change_mode": {"type": "bool", "default": False},
            "accept_image": {"type": "list", "elements": "str", "default": []},
            "ready_timeout": {"type": "float", "default": 180.0},
            "stop_timeout": {"type": "float", "default": 90.0},
            "keep_lease": {"type": "float", "default": 0.0},
            "lease_owner": {"type": "str"},
            "names_live": {"type": "bool", "default": False},
            "settled": {"type": "list", "elements": "str", "default": []},
        },
        required_one_of=[("password", "password_secret"), ("config", "portal")],
        required_together=[("config", "jts")],
        mutually_exclusive=[("password", "password_secret"), ("config", "portal"), ("password_secret", "portal")],
        supports_check_mode=True,
    )
    params = {**module.params, "check": module.check_mode}
    prefix = "client_portal_" if params["portal"] else "gateway_"
    problems = container.problems(params["container"], cpus(), prefix)
    problems += calendar_data.calendar_problems(params["descriptor"].get("time_zone"), params["paper_sessions"])
    if problems:
        module.fail_json(msg="Nothing was changed. Please fix:\n- " + "\n- ".join(map(str, problems)))
    shortage = settings_files.short_of_space([CONFIG_DIR, STATE_DIR, settings_files.DOCKER_DIR], params["min_free_mib"])
    if shortage:
        module.fail_json(msg=shortage)
    try:
        module.exit_json(**carry_out(module, params))
    except UnrepresentableError as fault:
        module.fail_json(
            msg=f"gateway_password: {fault}; IBC cannot read it from its settings file. Nothing was changed."
        )
    except OSError as fault:
        module.fail_json(
            msg=f"cannot write {fault.filename}: {fault.strerror}. The gateway was left alone; fix the cause and run "
            "again."
        )
    except EngineError as fault:
        module.fail_json(msg=f"{fault}. The running container was left alone; fix the cause and run again.")
    except container_user.TakenError as fault:
        module.fail_json(msg=f"{fault}. Nothing was touched.")
    except (BusyError, SessionError, ChannelError, DescriptorError) as fault:
        module.fail_json(msg=str(fault))


def carry_out(module: AnsibleModule, params: dict[str, t.Any]) -> dict[str, t.Any]:
    controller = controllers.DEFAULT
    try:
        if not params["portal"]:
            controller = gateway.controller_of(Engine(), params["gateway_name"], params["container"]["image"])
        made = portal_of(params) if params["portal"] else gateway_of(params, controller)
        done = made.run(module.check_mode)
        if done.needs:
            return {"changed": False, "needs": done.needs, "msg": NEEDS[done.needs].format(**params)}
        for each in done.image.differences if done.image else ():
            if each.id.startswith("release_"):
                module.warn(f"gateway_image: {each.text}")
        return report(made, done, module.check_mode)
    except EngineError as fault:
        if not module.check_mode:
            raise
        made = portal_of(params) if params["portal"] else gateway_of(params, controller)
        return predicted(params, made, fault)


NEEDS = {
    "image": "the image of gateway {gateway_name} is not on this host",
    "push": "{gateway_name} signs in now: approve the push on the phone within three minutes. This run waits for "
    "{ready_timeout:.0f} seconds at most.",
}


if __name__ == "__main__":
    main()

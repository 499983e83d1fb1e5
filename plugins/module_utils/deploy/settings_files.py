# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories and files of one gateway on its VM."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ..agent.controller.properties import escape
from ..agent.controller.settings_dir import JtsIni
from ..agent.files import Absent, Directory, Entry, File, Secret

DOCKER_DIR = "/var/lib/docker"
# Scripts for the desktop image's init, by path below the gateway's directory.
#
# The init runs IBC as a service and restarts it whenever it ends: after a STOP, a missed push, a refused password
# (gnzsnz/ib-gateway-docker's Dockerfile.tws; process_custom_services of linuxserver's docker-mods). The image runs
# ibc/once.sh before each start, as root (START_SCRIPTS); the second one ends the container instead.
#
# Its RDP server listens on all addresses, where containers of the same network reach it. init/loopback.sh changes that
# before any service starts (init-custom-files of linuxserver's docker-baseimage-ubuntu; xrdp.ini(5), port).
DESKTOP_SCRIPTS = {
    "ibc/once.sh": """\
#!/bin/bash
# Written by role gateway. IBC is started once in a run of the container: a second start would sign in again.
if [ -e /run/ibgw/started ]; then
    echo ".> IBC has ended: ending the container"
    /run/s6/basedir/bin/halt
    exec sleep infinity
fi
touch /run/ibgw/started
""",
    "init/loopback.sh": """\
#!/bin/bash
# Written by role gateway. The desktop is reached through the container's loopback only.
sed -i 's|^port=3389$|port=tcp://127.0.0.1:3389|' /etc/xrdp/xrdp.ini
""",
}


def entries(params: Mapping[str, Any]) -> list[Entry]:
    """Return the wanted directories and files, parents first.

    ``password`` is the paper gateway's password that the VM keeps, as its controller reads it: a Java property, unless
    ``password_is_property`` is false. Without ``keeps_password`` the VM keeps none. ``settings_dir`` is the name of the
    program's own directory, ``scripts`` those that its image needs (:data:`DESKTOP_SCRIPTS`).
    """
    config, state = (
        f"{params['config_dir']}/{params['gateway_name']}",
        f"{params['state_dir']}/{params['gateway_name']}",
    )
    settings = f"{state}/{params.get('settings_dir') or 'tws_settings'}"
    root, uid = os.geteuid(), int(str(params["uid"]))
    group = os.getegid()
    wanted: list[Entry] = [
        Directory(str(params["config_dir"]), 0o700, root, group),
        Directory(config, 0o700, root, group),
        Directory(f"{config}/ibc", 0o750, root, uid),
        Directory(str(params["state_dir"]), 0o711, root, group),
        Directory(state, 0o711, root, group),
        Directory(settings, 0o700, uid, uid),
    ]
    if params["password"] is not None:
        text = str(params["password"])
        kept = escape(text) if params.get("password_is_property", True) else text
        wanted.append(Secret(f"{config}/password", kept, 0o600, root, group))
    if not params.get("keeps_password", True):
        wanted.append(Absent(f"{config}/password"))
    if params["config"] is not None:
        wanted.append(File(f"{config}/ibc/config.ini.tmpl", str(params["config"]), 0o440, root, uid))
    if params.get("scripts"):
        wanted.append(Directory(f"{config}/init", 0o750, root, group))
        wanted += [File(f"{config}/{place}", text, 0o440, root, group) for place, text in params["scripts"].items()]
    if params.get("jts_keys") is not None:
        # The previous content of jts.ini, to restore together with the container that was started with it.
        wanted.append(File(f"{config}/jts.keys", str(params["jts_keys"]), 0o600, root, group))
    if params["descriptor"] is not None:
        described = json.dumps(params["descriptor"], indent=2, sort_keys=True) + "\n"
        wanted.append(File(f"{config}/gateway.json", described, 0o600, root, group))
    if params["jts"] is not None:
        wanted.append(JtsIni(settings, str(params["jts"]), uid, uid))
    return wanted


def short_of_space(directories: list[str], min_free_mib: int) -> str:
    """Name the first file system with less than *min_free_mib* MiB left, or return an empty text."""
    for directory in directories:
        while not os.path.isdir(directory):
            directory = os.path.dirname(directory)
        status = os.statvfs(directory)
        free_mib = status.f_bavail * status.f_frsize // 2**20
        if free_mib < min_free_mib:
            return (
                f"gateway_min_free_mib: {free_mib} MiB are left at {directory}, {min_free_mib} are asked for; "
                "free some (docker system prune, journalctl --vacuum-size) or lower the variable. "
                "Nothing was changed."
            )
    return ""


def secret_revision(name: str, secret: str) -> str:
    """Return a salted, slow digest of the password of gateway *name*: a change shows, the password does not."""
    salt = f"ibops.gateway/{name}".encode()
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16).hex()

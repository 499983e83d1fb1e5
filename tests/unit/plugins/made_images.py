# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up images: what the engine tells of one, and its files as the engine's archive has them."""

from __future__ import annotations

import io
import re
import tarfile
import typing as t

from tests.lint.files import ROOT

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import controller_settings, image
from ansible_collections.ibops.gateway.plugins.module_utils.rules.ibc_settings import KEYS

RELEASE = "10.50.1d"
TEMPLATE = (ROOT / "sandbox/gateway/image/templates/config.ini.tmpl").read_bytes()
# Every key that the role sets, with values of no account.
CONFIG = re.sub(
    r"\{[%#].*?[%#]\}|\{\{.*?\}\}", "", (ROOT / "templates/config.ini.j2").read_text().partition("{% for")[0]
)
SYMLINK = 1 << 27


def config_of(**values: str) -> str:
    """config.ini at the role's defaults, but for *values* by IBC's key."""
    given = {name: controller_settings.default(key) for name, key in KEYS.items() if key.variable}
    given |= {name: key.text for name, key in KEYS.items() if key.text is not None}
    return "# made\n\n" + "".join(f"{name}={value}\n" for name, value in (given | values).items())


class MadeImage:
    """The image of a *program* as published, for user *uid*; change its parts to have another."""

    def __init__(self, uid: int = 1000, release: str = RELEASE, program: str = "gateway") -> None:
        self.platform = ("linux", "amd64")
        layout = image.LAYOUTS[program]
        self.environment = {
            **layout.environment,
            "IB_GATEWAY_VERSION": release,
            "TWS_MAJOR_VRSN": release,
            "GATEWAY_OR_TWS": program,
        }
        self.config: dict[str, t.Any] = {"User": f"{uid}:{uid}", "Cmd": [layout.entry], "Labels": None}
        if layout.root:
            # Its init is the base image's entry point, and its files are its own user's.
            uid = 911
            self.config |= {"User": "", "Cmd": None, "Entrypoint": [layout.entry]}
        self.files: dict[str, bytes] = {
            **dict.fromkeys(layout.scripts, b"#!/bin/bash\n"),
            layout.controllers["ibc"]: b"#!/bin/bash\n",
            layout.template: TEMPLATE,
            layout.version: b"3.24.1\n",
            f"{layout.program}/{release}/ibgateway.vmoptions": b"-Xmx768m\n",
        }
        self.owners: dict[str, int] = {}
        self.links: set[str] = set()
        self.uid = uid
        # Of a file: an archive of its own, and the size that is told of it.
        self.archives: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}

    def have_ibg_controller(self, version: str = "v0.12.1") -> MadeImage:
        """Make it the image of ibg-controller, which has IBC as well."""
        source = "https://example.invalid/ibg-controller"
        self.config["Labels"] = {
            controllers.IBG_LABEL: self.environment["IB_GATEWAY_VERSION"],
            image.VERSION_LABEL: version,
            image.SOURCE_LABEL: source,
        }
        layout = image.LAYOUTS["gateway"]
        own = (layout.controllers["ibg-controller"], *layout.extra["ibg-controller"])
        self.files |= dict.fromkeys(own, b"x" * (1 << 17))
        return self

    def inspect(self) -> dict[str, t.Any]:
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        return {"Os": self.platform[0], "Architecture": self.platform[1], "Config": {**self.config, "Env": environment}}

    def stat(self, path: str) -> dict[str, t.Any] | None:
        if path not in self.files:
            return None
        link = path in self.links
        size = self.sizes.get(path, len(self.files[path]))
        return {
            "name": path.rpartition("/")[2],
            "size": size,
            "mode": SYMLINK | 0o777 if link else 0o644,
            "linkTarget": "/etc/shadow" if link else "",
        }

    def archive(self, path: str) -> bytes:
        if path in self.archives:
            return self.archives[path]
        member = tarfile.TarInfo(path.rpartition("/")[2])
        member.size, member.uid = len(self.files[path]), self.owners.get(path, self.uid)
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            tar.addfile(member, io.BytesIO(self.files[path]))
        return made.getvalue()

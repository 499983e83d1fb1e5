"""A connection to a host that is not there: modules answer as on a real one, from directory $STAND_IN_ANSWERS."""

from __future__ import annotations

import os
import pathlib
import re

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: stand_in
short_description: A host that is not there
author: ibops.gateway contributors
description: Answers every module as it was answered before.
extends_documentation_fragment: [connection_pipelining]
"""
MODULE = re.compile(
    rb"module_fqn='ansible_collections\.([\w.]+)\.plugins\.modules\.(\w+)'|module_fqn='ansible\.modules\.(\w+)'"
)


class Connection(ConnectionBase):
    transport = "stand_in"
    has_pipelining = always_pipeline_modules = True

    def _connect(self) -> Connection:
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        found = MODULE.search(in_data or b"")
        if not found:
            raise AnsibleConnectionFailure(f"the stand-in runs modules and nothing else: {cmd[:200]}")
        namespace, own, builtin = (each.decode() for each in found.groups(b""))
        name = f"{namespace}.{own}" if own else f"ansible.builtin.{builtin}"
        # Each task is a process, which reads only its own.
        answer = pathlib.Path(os.environ["STAND_IN_ANSWERS"], name)
        if not answer.exists():
            raise AnsibleConnectionFailure(f"no answer of module {name} was recorded")
        return 0, answer.read_text().replace("@HOST@", self._play_context.remote_addr).encode(), b""

    def put_file(self, in_path: str, out_path: str) -> None:
        raise AnsibleConnectionFailure(f"the stand-in takes no file: {out_path}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        raise AnsibleConnectionFailure(f"the stand-in has no file: {in_path}")

    def close(self) -> None:
        pass

"""The fakes as a process of their own, for a playbook: `python -m tests.fake_gcp ADDRESS KEY_FILE SECRET=TEXT ...`.

Compute Engine is on COMPUTE_PORT of the loopback; Secret Manager and a VM's metadata server are on SECRETS_PORT of
ADDRESS, which the machine that plays the VM has to reach, and whose SSH host key KEY_FILE is. SIGTERM ends them.
"""

from __future__ import annotations

import pathlib
import signal
import sys

from tests.fake_gcp.connectors import FakeConnectors
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.secrets import FakeSecrets
from tests.fake_gcp.server import FakeGcp

COMPUTE_PORT, SECRETS_PORT, RUN_PORT, CONNECTORS_PORT = 18411, 18412, 18413, 18414


def main() -> None:
    address, key_file, *given = sys.argv[1:]
    kind, key = pathlib.Path(key_file).read_text().split()[:2]
    others = FakeRun(port=RUN_PORT), FakeConnectors(port=CONNECTORS_PORT)
    with FakeGcp(port=COMPUTE_PORT) as cloud, FakeSecrets(address, SECRETS_PORT) as kept, others[0], others[1]:
        cloud.state.host_keys = [(kind, key)]
        kept.versions = {name: text.encode() for name, _equals, text in (each.partition("=") for each in given)}
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()

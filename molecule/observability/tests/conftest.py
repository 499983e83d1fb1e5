"""Shared by the scenario's tests: the machine that watches the gateway's, and its Prometheus."""

from __future__ import annotations

import os
import typing as t

import pytest
import testinfra
from testinfra.host import Host
from tests.sandbox.prometheus import Prometheus


@pytest.fixture(scope="session")
def monitoring(variables: dict[str, t.Any]) -> Host:
    address = f"10.211.0.{13 + 10 * int(os.environ['SANDBOX_SLOT'])}"
    return testinfra.get_host(
        f"ssh://{variables['user']}@{address}",
        sudo=True,
        ssh_identity_file=variables["ssh_private_key_file"],
        ssh_extra_args=variables["ssh_common_args"],
    )


@pytest.fixture(scope="session")
def prometheus(monitoring: Host) -> Prometheus:
    return Prometheus(monitoring)

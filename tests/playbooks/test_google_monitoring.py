"""google_monitoring.yml on the fakes of Cloud Monitoring and Cloud Logging."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from tests.fake_gcp.monitoring import FakeDashboards, FakeLogging, FakeMonitoring
from tests.playbooks.plays import played


def test_made_repeated_removed(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = {"gcp_vm_project": "demo-project", "gcp_vm_zone": "europe-west1-b"}
    groups = {"gateways": {"children": {"paper": {"hosts": {"ibgw-paper": host}}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(groups))
    # gRPC reads this spelling alone.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FakeMonitoring() as policies, FakeLogging() as logs, FakeDashboards() as dashboards:
        for name, fake in (("MONITORING", policies), ("LOGGING", logs), ("DASHBOARDS", dashboards)):
            monkeypatch.setenv(f"GCP_{name}_ENDPOINT", fake.endpoint)

        def play(*arguments: str) -> str:
            inventory = ("-i", str(tmp_path / "hosts.yml"))
            status, printed = played(
                pytestconfig.rootpath, policies, "playbooks/google_monitoring.yml", *inventory, *arguments
            )
            assert status == 0, printed
            return printed

        play()
        made = [len(each.store.resources) for each in (policies, logs, dashboards)]
        assert made == [8, 2, 1]
        assert "changed=0" in play("--check")
        play("-e", "observability_google_state=absent")
        assert [len(each.store.resources) for each in (policies, logs, dashboards)] == [0, 0, 0]

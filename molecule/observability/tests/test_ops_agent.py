"""Google's Ops Agent beside a real watcher; files/ops_agent_repository.sh has a stand-in of its package."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from testinfra.host import Host
from tests.role_values import value
from tests.unit.plugins import ops_agent

Playbook = t.Callable[..., t.Any]
VARIABLES = ("-e", "@molecule/observability/vars/main.yml", "--tags", "observability")
CONFIG = "/etc/google-cloud-ops-agent/config.yaml"
SOURCE = "/etc/apt/sources.list.d/google-cloud-ops-agent.sources"


@pytest.fixture
def kept(host: Host) -> t.Iterator[None]:
    """After the test, the configuration is what it was."""
    host.check_output(f"cp -p {CONFIG} {CONFIG}.kept")
    yield
    host.check_output(f"mv {CONFIG}.kept {CONFIG} && systemctl restart google-cloud-ops-agent")


def test_it_is_installed_from_a_repository_signed_by_a_pinned_key(host: Host) -> None:
    assert host.package("google-cloud-ops-agent").is_installed
    fingerprint = host.file("/srv/ops-agent/fingerprint").content_string.strip()
    (signed,) = (line for line in host.file(SOURCE).content_string.splitlines() if line.startswith("Signed-By:"))
    assert signed.split()[2:] == [fingerprint]


def test_it_runs_with_the_roles_configuration(host: Host, variables: dict[str, t.Any]) -> None:
    config = yaml.safe_load(host.file(CONFIG).content_string)
    assert ops_agent.faults(config) == []
    (scrape,) = config["metrics"]["receivers"]["ibgw"]["config"]["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"{variables['host']}:9100"]}]
    assert host.service("google-cloud-ops-agent").is_running
    assert host.service("google-cloud-ops-agent").is_enabled


def test_the_watchers_lines_would_be_counted_and_no_others_sent(host: Host) -> None:
    config = yaml.safe_load(host.file(CONFIG).content_string)
    transitions, _ = value("observability", "__observability_google_log_metrics")
    lines = [json.loads(each) for each in host.check_output("journalctl -b -o json").splitlines()]
    sent = [(line, entry) for line in lines for entry in ops_agent.entries(config, {"PRIORITY": "6", **line})]
    units = {line["_SYSTEMD_UNIT"].partition("@")[0] for line, _ in sent}
    assert len(sent) < len(lines)
    assert all(each.startswith("ibgw") for each in units)
    counted = [entry for line, entry in sent if ops_agent.matches(transitions["filter"], entry)]
    assert {each["jsonPayload"]["to"] for each in counted} >= {"ready"}
    assert {each["jsonPayload"]["gateway"] for each in counted} == {"live"}


@pytest.mark.usefixtures("kept")
def test_a_configuration_of_somebody_elses_is_refused(playbook: Playbook, host: Host) -> None:
    host.check_output(f"echo 'logging: {{}}' >{CONFIG}")
    run = playbook("site.yml", "live", *VARIABLES)
    assert (run.status, run.changed, "ops-agent-configured: sandbox-live" in run.printed) == (2, 0, True), run.printed
    # Nor is it removed with what is.
    run = playbook("site.yml", "live", *VARIABLES, "-e", "observability_ops_agent=false")
    assert run.status == 0, run.printed
    assert host.file(CONFIG).content_string == "logging: {}\n"


def test_what_the_agent_does_not_take_is_not_written(playbook: Playbook, host: Host) -> None:
    before = host.file(CONFIG).content_string
    unknown = json.dumps({"observability_ops_agent_settings": {"tracing": {}}})
    run = playbook("site.yml", "live", *VARIABLES, "-e", unknown)
    assert (run.status, host.file(CONFIG).content_string) == (2, before), run.printed


def test_a_key_that_is_not_pinned_installs_nothing(playbook: Playbook, host: Host) -> None:
    fingerprint = host.file("/srv/ops-agent/fingerprint").content_string.strip()
    host.check_output(f"apt-get -q purge -y google-cloud-ops-agent && rm {SOURCE}")
    # The file of keys has another one, which has signed nothing.
    keys = "gpg --show-keys --with-colons /srv/ops-agent/doc/apt-key.gpg"
    found = [line.split(":")[9] for line in host.check_output(keys).splitlines() if line.startswith("fpr")]
    (other,) = {*found} - {fingerprint}
    source = {"observability_ops_agent_source": "google"}
    pinned = {key: json.dumps({**source, "observability_ops_agent_fingerprints": [key]}) for key in found}
    run = playbook("site.yml", "live", *VARIABLES, "-e", pinned[other])
    assert (run.status, "ops-agent-repository: sandbox-live" in run.printed) == (2, True), run.printed
    assert not host.file(SOURCE).exists
    assert not host.package("google-cloud-ops-agent").is_installed
    run = playbook("site.yml", "live", *VARIABLES, "-e", pinned[fingerprint])
    assert run.status == 0, run.printed
    assert host.file(CONFIG).content_string.startswith("# Managed by ibops.gateway.\n")

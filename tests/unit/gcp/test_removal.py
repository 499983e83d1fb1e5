"""A removal is planned whole: what uses what would go is read first and refused by name, and nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.fake_gcp.connectors import FakeConnectors
from tests.fake_gcp.links import HOST
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.server import FakeGcp
from tests.fake_gcp.state import Entry
from tests.unit.gcp.conftest import DOCUMENT, RunModule, ids

PROJECT = "projects/demo-project"
REGION = "regions/europe-west1"
MAIN, GATEWAY, RUN = "global/networks/main", f"{REGION}/subnetworks/gateway", f"{REGION}/subnetworks/run"
ROUTER = f"{REGION}/routers/router"
EARLIER = "zones/us-central1-b/instances/foreign"
Fakes = tuple[FakeGcp, FakeRun, FakeConnectors]


def put(fake: FakeGcp, path: str, **body: Any) -> None:
    """A resource that the collection has not made."""
    found = {"name": path.rpartition("/")[2], "selfLink": f"{HOST}{PROJECT}/{path}", **body}
    fake.state.resources[f"{PROJECT}/{path}"] = Entry(found)


def link(path: str) -> str:
    return f"{HOST}{PROJECT}/{path}"


def machine(fakes: Fakes) -> None:
    interface = {"name": "nic0", "network": link(MAIN), "subnetwork": link(GATEWAY), "networkIP": "10.10.0.9"}
    put(fakes[0], EARLIER, networkInterfaces=[interface], tags={}, metadata={})


def second_interface(fakes: Fakes) -> None:
    other = {"name": "nic0", "network": link("global/networks/other"), "networkIP": "10.20.0.2"}
    put(
        fakes[0],
        EARLIER,
        networkInterfaces=[other, {"name": "nic1", "network": link(MAIN), "networkIP": "10.1.1.1"}],
        tags={},
        metadata={},
    )


def forwarding_rule(fakes: Fakes) -> None:
    put(fakes[0], f"{REGION}/forwardingRules/lb", network=link(MAIN), subnetwork=link(GATEWAY))


def peering(fakes: Fakes) -> None:
    theirs = "https://www.googleapis.com/compute/v1/projects/other/global/networks/x"
    fakes[0].put(MAIN, peerings=[{"name": "to-other", "network": theirs, "state": "ACTIVE"}])


def elsewhere(fakes: Fakes) -> None:
    put(fakes[0], "regions/us-east1/subnetworks/far", network=link(MAIN), ipCidrRange="10.30.0.0/24")


def address(fakes: Fakes) -> None:
    put(fakes[0], f"{REGION}/addresses/theirs", subnetwork=link(GATEWAY), address="10.10.0.5", addressType="INTERNAL")


def address_used(fakes: Fakes) -> None:
    external = fakes[0].resource(f"{REGION}/addresses/nat")["address"]
    interface = {"name": "nic0", "network": link("global/networks/other"), "networkIP": "10.20.0.2"}
    configs = [{"name": "External NAT", "natIP": external}]
    put(fakes[0], EARLIER, networkInterfaces=[{**interface, "accessConfigs": configs}], tags={}, metadata={})


def serverless_address(fakes: Fakes) -> None:
    put(
        fakes[0],
        f"{REGION}/addresses/serverless-ipv4-1",
        subnetwork=link(RUN),
        address="10.10.1.5",
        purpose="SERVERLESS",
    )


def rule(fakes: Fakes) -> None:
    fakes[0].put("global/firewalls/api", description="somebody's")


def route(fakes: Fakes) -> None:
    put(fakes[0], "global/routes/appliance", network=link(MAIN), nextHopIp="10.10.0.9", destRange="10.9.0.0/16")


def vpn(fakes: Fakes) -> None:
    put(fakes[0], f"{REGION}/vpnGateways/office", network=link(MAIN))


def classic_vpn(fakes: Fakes) -> None:
    put(fakes[0], f"{REGION}/targetVpnGateways/office", network=link(MAIN))


def tunnel(fakes: Fakes) -> None:
    put(fakes[0], f"{REGION}/vpnTunnels/office-1", router=link(ROUTER))


def attachment(fakes: Fakes) -> None:
    put(fakes[0], f"{REGION}/interconnectAttachments/office", router=link(ROUTER))


def endpoints(fakes: Fakes) -> None:
    put(
        fakes[0],
        "zones/europe-west1-b/networkEndpointGroups/ingress",
        network=link(MAIN),
        subnetwork=link(GATEWAY),
    )


def range_for_services(fakes: Fakes) -> None:
    put(
        fakes[0],
        "global/addresses/services",
        network=link(MAIN),
        purpose="VPC_PEERING",
        addressType="INTERNAL",
        address="10.80.0.0",
    )


def policy(fakes: Fakes) -> None:
    fakes[0].put(MAIN, firewallPolicy=link("global/firewallPolicies/company"))


def job(fakes: Fakes) -> None:
    access = {"networkInterfaces": [{"network": "main", "subnetwork": "run"}], "egress": "PRIVATE_RANGES_ONLY"}
    name = f"{PROJECT}/locations/europe-west1/jobs/pipeline"
    fakes[1].jobs[name] = {"name": name, "uid": "u", "generation": "1", "template": {"template": {"vpcAccess": access}}}


def service(fakes: Fakes) -> None:
    access = {"networkInterfaces": [{"network": f"{PROJECT}/global/networks/main"}]}
    fakes[1].services.append(
        {"name": f"{PROJECT}/locations/europe-west1/services/web", "template": {"vpcAccess": access}}
    )


def connector(fakes: Fakes) -> None:
    name = f"{PROJECT}/locations/europe-west1/connectors/serverless"
    fakes[2].connectors.append({"name": name, "subnet": {"name": "run"}, "state": "READY"})


# Something else uses the network; who is named, and what is used.
USERS: dict[str, tuple[Callable[[Fakes], None], list[str]]] = {
    "a VM in another zone": (machine, ["networks/main: zones/us-central1-b/instances/foreign",
                                       "subnetworks/gateway: zones/us-central1-b/instances/foreign"]),
    "a VM's second interface": (second_interface, ["networks/main: zones/us-central1-b/instances/foreign"]),
    "a forwarding rule": (forwarding_rule, [f"subnetworks/gateway: {REGION}/forwardingRules/lb"]),
    "a peering": (peering, ["networks/main: peering to-other with projects/other/global/networks/x"]),
    "a subnet of another region": (elsewhere, ["networks/main: regions/us-east1/subnetworks/far"]),
    "an address in a subnet": (address, [f"subnetworks/gateway: {REGION}/addresses/theirs"]),
    "a VM with the address": (address_used, ["addresses/nat: zones/us-central1-b/instances/foreign"]),
    "Cloud Run's own address": (serverless_address, ["subnetworks/run: Cloud Run, which keeps address"]),
    "a rule": (rule, ["networks/main: global/firewalls/api"]),
    "a custom route": (route, ["networks/main: global/routes/appliance"]),
    "a VPN gateway": (vpn, [f"networks/main: {REGION}/vpnGateways/office"]),
    "a classic VPN gateway": (classic_vpn, [f"networks/main: {REGION}/targetVpnGateways/office"]),
    "a VPN tunnel": (tunnel, [f"routers/router: {REGION}/vpnTunnels/office-1"]),
    "an interconnect": (attachment, [f"routers/router: {REGION}/interconnectAttachments/office"]),
    "a group of endpoints": (
        endpoints, ["networks/main: zones/europe-west1-b/networkEndpointGroups/ingress"]
    ),
    "a range for Google's services": (range_for_services, ["networks/main: global/addresses/services"]),
    "a firewall policy": (policy, ["networks/main: firewall policy company"]),
    "a job of Cloud Run": (job, ["subnetworks/run: run.googleapis.com jobs pipeline"]),
    "a service of Cloud Run": (service, ["networks/main: run.googleapis.com services web"]),
    "a connector": (connector, ["subnetworks/run: vpcaccess.googleapis.com connectors serverless"]),
}  # fmt: skip


@pytest.mark.parametrize("check", [True, False], ids=["check", "for real"])
@pytest.mark.parametrize("kind", USERS)
def test_refused_before_the_first_write(
    run: RunModule, fake: FakeGcp, cloud_run: FakeRun, connectors: FakeConnectors, kind: str, check: bool
) -> None:
    run()
    use, said = USERS[kind]
    use((fake, cloud_run, connectors))
    fake.calls.clear()
    refused = run(state="absent", check=check)
    assert refused["failed"] is True
    for each in said:
        assert each in refused["msg"]
    assert {each["id"] for each in refused["problems"]} == {"gcp-in-use"}
    assert fake.writes() == []


@pytest.mark.parametrize("check", [True, False], ids=["check", "for real"])
def test_recreation_is_planned_whole_too(run: RunModule, fake: FakeGcp, check: bool) -> None:
    run()
    fake.put(GATEWAY, ipCidrRange="10.10.0.0/24")
    fake.calls.clear()
    refused = run(recreate=True, check=check)
    assert f"subnetworks/gateway: {REGION}/addresses/paper" in refused["msg"]
    assert f"subnetworks/gateway: {REGION}/routers/router" in refused["msg"]
    assert fake.writes() == []


def test_a_job_in_another_network_is_not_in_the_way(run: RunModule, fake: FakeGcp, cloud_run: FakeRun) -> None:
    run()
    for name, interface in {
        "other": {"network": "other", "subnetwork": "other"},
        "shared": {"network": "projects/host-project/global/networks/main"},
    }.items():
        full = f"{PROJECT}/locations/europe-west1/jobs/{name}"
        access = {"networkInterfaces": [interface]}
        cloud_run.jobs[full] = {
            "name": full,
            "uid": "u",
            "generation": "1",
            "template": {"template": {"vpcAccess": access}},
        }
    gone = run(state="absent")
    assert "failed" not in gone, gone["msg"]
    assert fake.state.resources == {}


@pytest.mark.parametrize("enabled", [True, False])
def test_cloud_run_cannot_be_looked_at(run: RunModule, fake: FakeGcp, cloud_run: FakeRun, enabled: bool) -> None:
    """Without the API nothing uses it; without the right to look, nobody knows."""
    run()
    cloud_run.enabled = enabled
    cloud_run.denied = {"jobs.list"}
    fake.calls.clear()
    done = run(state="absent")
    assert done.get("failed", False) is enabled
    if enabled:
        assert "role run.viewer allows reading it" in done["msg"]
        assert fake.writes() == []


def test_a_public_address_goes_last(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.calls.clear()
    fake.fault("networks.delete", status=400)
    failed = run(state="absent")
    assert failed["failed"] is True
    assert fake.writes()[-1] == "networks.delete main"
    assert fake.resource(f"{REGION}/addresses/nat")["address"]
    assert run(state="absent")["actions"] == ["networks.delete main", "addresses.delete nat"]


def test_what_goes_with_the_network_is_not_in_its_way(run: RunModule, fake: FakeGcp) -> None:
    run()
    outside = f"{HOST}{PROJECT}/global/gateways/default-internet-gateway"
    put(fake, "global/routes/default-route-8c69958e61aaef4b", network=link(MAIN), nextHopGateway=outside)
    gone = run(state="absent")
    assert "failed" not in gone, gone["msg"]
    assert fake.state.resources == {}


def test_a_router_alone_is_looked_at_too(run: RunModule, fake: FakeGcp) -> None:
    """Where the rest was there before, only the router goes."""
    run()
    for path in (MAIN, GATEWAY, RUN):
        fake.put(path, description="somebody's")
    for path in (f"{REGION}/addresses/nat", f"{REGION}/addresses/paper"):
        fake.put(path, labels={})
    fakes: Any = (fake, None, None)
    tunnel(fakes)
    fake.calls.clear()
    assert f"routers/router: {REGION}/vpnTunnels/office-1" in run(state="absent")["msg"]
    assert fake.writes() == []


def test_vms_that_go_before(machine: RunModule, run: RunModule, fake: FakeGcp) -> None:
    """The prediction of a teardown: the network's removal is told of the VM's."""
    machine()
    going = machine(check=True, state="absent")["removed"]
    assert "zones/europe-west1-b/instances/ibgw-paper" in going
    assert "zones/europe-west1-b/instances/ibgw-paper uses it" in run(state="absent", check=True)["msg"]
    assert run(state="absent", check=True, removed_before=going)["changed"] is True
    assert "zones/europe-west1-b/instances/ibgw-paper uses it" in run(state="absent", removed_before=going)["msg"]
    assert DOCUMENT["network"]["name"] in str(fake.state.resources)


@pytest.mark.parametrize("check", [True, False], ids=["check", "for real"])
@pytest.mark.parametrize(
    "options",
    [{"state": "absent"}, {"subnet": "run", "network_ip": None, "recreate": True}],
    ids=["removed", "recreated"],
)
def test_a_disk_that_would_go_with_the_vm(
    machine: RunModule, fake: FakeGcp, options: dict[str, Any], check: bool
) -> None:
    machine()
    vm = "zones/europe-west1-b/instances/ibgw-paper"
    put(fake, "zones/europe-west1-b/disks/data", sizeGb="10", type="x", resourcePolicies=[])
    (boot,) = fake.resource(vm)["disks"]
    data = {"source": link("zones/europe-west1-b/disks/data"), "deviceName": "data", "boot": False, "index": 1}
    fake.put(vm, disks=[boot, {**data, "autoDelete": True}])
    fake.calls.clear()
    refused = machine(check=check, **options)
    assert ids(refused) == ["gcp-vm-disks instances/ibgw-paper"]
    assert "set-disk-auto-delete ibgw-paper --no-auto-delete --disk data --zone europe-west1-b" in refused["msg"]
    assert fake.writes() == []
    fake.put(vm, disks=[boot, {**data, "autoDelete": False}])
    assert machine(**options)["changed"] is True
    assert fake.resource("zones/europe-west1-b/disks/data")["sizeGb"] == "10"


@pytest.mark.parametrize("options", [{"state": "absent"}, {"snapshots": {"enabled": False}}], ids=str)
def test_a_schedule_that_another_disk_has(machine: RunModule, fake: FakeGcp, options: dict[str, Any]) -> None:
    machine()
    policy = f"{REGION}/resourcePolicies/ibgw-paper"
    put(fake, "zones/europe-west1-c/disks/data", resourcePolicies=[link(policy)], sizeGb="10", type="x")
    fake.calls.clear()
    assert "resourcePolicies/ibgw-paper: zones/europe-west1-c/disks/data" in machine(**options)["msg"]
    assert fake.writes() == []

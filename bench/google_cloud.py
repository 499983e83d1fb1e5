"""Compare a no-change run of site.yml's cloud part with google.cloud for the same resources, on the same fake.

google.cloud is the release that the package `ansible` of this Python brings. It has its URLs in its code: a CONNECT
proxy leads them to the fake, behind TLS of a throwaway CA. What it cannot make (Cloud NAT) it is spared.
:func:`newest` has the same in an environment with its newest release, which wants Python 3.12 or later;
`PYTHONPATH=.:.ansible/collections:bench python -c 'import google_cloud; print(google_cloud.newest())'` is that alone.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import select
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import typing as t

import site_run
import yaml
from tests import matrix
from tests.fake_gcp.server import FakeGcp

OPERATION_SECONDS = 5.0
# The resources that a first creation waits for in turn: the network, a subnet, an address; the snapshots' schedule, the
# VM.
CRITICAL_PATH = 5 * OPERATION_SECONDS
PLACE = {"project": "demo-project", "region": "europe-west1", "zone": "europe-west1-b"}
HOST = {
    "ansible_connection": "local",
    "gateway_mode": "paper",
    "gcp_vm_project": PLACE["project"],
    "gcp_vm_zone": PLACE["zone"],
    "gcp_vm_snapshots_keep_days": 7,
}


# The guest attributes of the fake's VMs, without which role gcp_vm does not connect.
HOST_KEYS = [("ssh-ed25519", base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode())]


class Proxy:
    """Redirects CONNECT to Google's Compute API to *target* (host, port), and refuses everything else."""

    def __init__(self, target: tuple[str, int], certificate: pathlib.Path) -> None:
        self._target = target
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> t.Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            if request.split()[1] not in (b"compute.googleapis.com:443", b"www.googleapis.com:443"):
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with (
                self._tls.wrap_socket(client, server_side=True) as inside,
                socket.create_connection(self._target) as out,
            ):
                relay(inside, out)


def relay(one: ssl.SSLSocket, other: socket.socket) -> None:
    while True:
        ready = [one] if one.pending() else select.select([one, other], [], [])[0]
        for side in ready:
            data = side.recv(65536)
            if not data:
                return
            (other if side is one else one).sendall(data)


def authority(directory: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate and key for Google's names, and the CA bundle that trusts it."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    names = "subjectAltName=DNS:compute.googleapis.com,DNS:www.googleapis.com"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=fake", "-addext", names, "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    both = directory / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    return both, certificate


def ours() -> list[dict[str, t.Any]]:
    """The role that site.yml makes the machine with."""
    return [{"name": "Ours", "hosts": "paper", "gather_facts": False, "roles": ["ibops.gateway.gcp_vm"]}]


def theirs() -> list[dict[str, t.Any]]:
    """The same resources with google.cloud, written like its examples; referenced resources are registered."""
    place = {"auth_kind": "accesstoken", "access_token": "token", "project": PLACE["project"]}
    regional, zonal = place | {"region": PLACE["region"]}, place | {"zone": PLACE["zone"]}

    def task(kind: str, name: str, where: dict[str, str], **fields: t.Any) -> dict[str, t.Any]:
        done = {"name": f"{kind} {name}", f"google.cloud.gcp_compute_{kind}": {"name": name, **where, **fields}}
        return done | {"register": f"{kind}_{name.replace('-', '_')}"}

    network, subnet = "{{ network_ibgw }}", "{{ subnetwork_ibgw_gateway }}"
    log = {"enable": True, "metadata": "EXCLUDE_ALL_METADATA"}
    rule = {"network": network, "direction": "INGRESS"}
    tasks = [
        task("network", "ibgw", place, auto_create_subnetworks=False, routing_config={"routing_mode": "REGIONAL"}),
        *(
            task("subnetwork", f"ibgw-{name}", regional, network=network, ip_cidr_range=cidr,
                 private_ip_google_access=True)
            for name, cidr in (("gateway", "10.10.0.0/28"), ("run", "10.10.1.0/26"))
        ),
        task("address", "ibgw-nat", regional, address_type="EXTERNAL", network_tier="PREMIUM"),
        task("address", "ibgw-paper", regional, address_type="INTERNAL", purpose="GCE_ENDPOINT", subnetwork=subnet),
        task("router", "ibgw", regional, network=network),
        task("firewall", "ibgw-allow-ssh", place, **rule, source_ranges=["35.235.240.0/20"], target_tags=["ib-gateway"],
             allowed=[{"ip_protocol": "tcp", "ports": ["22"]}], log_config=log),
        task("firewall", "ibgw-allow-api-ibgw-paper", place, **rule, source_ranges=["10.10.1.0/26"],
             target_tags=["ibgw-paper"], allowed=[{"ip_protocol": "tcp", "ports": ["4002"]}],
             log_config=log),
        task("firewall", "ibgw-deny-ingress", place, **rule, priority=65534, source_ranges=["0.0.0.0/0"],
             denied=[{"ip_protocol": "all"}], log_config=log),
        task("resource_policy", "ibgw-paper", regional, snapshot_schedule_policy={
            "schedule": {"daily_schedule": {"days_in_cycle": 1, "start_time": "04:00"}},
            "retention_policy": {"max_retention_days": 7}}),
        task("instance", "ibgw-paper", zonal, machine_type="e2-medium",
             labels={"role": "ib-gateway", "ibgw-mode": "paper"}, tags={"items": ["ib-gateway", "ibgw-paper"]},
             disks=[{"boot": True, "auto_delete": True, "initialize_params": {
                 "source_image": "projects/debian-cloud/global/images/family/debian-13", "disk_size_gb": 20}}],
             network_interfaces=[{"subnetwork": subnet}]),
    ]  # fmt: skip
    return [{"name": "Theirs", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]


def play(
    playbook: list[dict[str, t.Any]], directory: pathlib.Path, **environment: str
) -> tuple[float, dict[str, t.Any]]:
    """Wall time in seconds of a play on a separate host, and Ansible's statistics."""
    path = directory / "play.yml"
    path.write_text(yaml.safe_dump(playbook))
    inventory = directory / "hosts.yml"
    hosts = {"ibgw-paper": HOST}
    inventory.write_text(yaml.safe_dump({"gateways": {"children": {"paper": {"hosts": hosts}}}}))
    variables = os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "NO_PROXY": "127.0.0.1"} | environment
    started = time.monotonic()
    ended = subprocess.run(
        [site_run.PLAYBOOK, path, "-i", inventory], cwd=site_run.ROOT, env=variables, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    elapsed = time.monotonic() - started
    if ended.returncode:
        raise RuntimeError(ended.stdout[-3000:] + ended.stderr[-1000:])
    report = json.loads(ended.stdout[ended.stdout.index("{") :])
    return elapsed, {name: sum(host[name] for host in report["stats"].values()) for name in ("ok", "changed")}


def measure(rounds: int = 3) -> dict[str, t.Any]:
    """Raw samples in seconds, interleaved: no-change runs of both, and a first creation whose operations take time."""
    samples: dict[str, list[float]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        both, trusted = authority(directory)
        mine = {
            "GCP_ACCESS_TOKEN": "token",
            "HTTPS_PROXY": "http://127.0.0.1:1",
        }
        with FakeGcp(operation_seconds=OPERATION_SECONDS) as fake:
            fake.state.host_keys = HOST_KEYS
            creation, _stats = play(ours(), directory, **mine, GCP_COMPUTE_ENDPOINT=fake.endpoint)
        with FakeGcp() as one, FakeGcp() as other:
            one.state.host_keys = HOST_KEYS
            port = int(other.endpoint.rpartition(":")[2])
            with Proxy(("127.0.0.1", port), both) as proxy:
                mine["GCP_COMPUTE_ENDPOINT"] = one.endpoint
                other_s = {"HTTPS_PROXY": proxy.url, "REQUESTS_CA_BUNDLE": str(trusted)}
                play(ours(), directory, **mine)
                play(theirs(), directory, **other_s)
                for number in range(rounds):
                    print(f"google_cloud: round {number + 1} of {rounds}", flush=True)
                    seconds, stats = play(ours(), directory, **mine)
                    samples["ours"].append(seconds)
                    seconds, their_stats = play(theirs(), directory, **other_s)
                    samples["theirs"].append(seconds)
    return {
        "samples_s": samples,
        "changed": {"ours": stats["changed"], "theirs": their_stats["changed"]},
        "creation_s": round(creation, 2),
        "critical_path_s": CRITICAL_PATH,
    }


def newest() -> dict[str, t.Any] | None:
    """:func:`measure` on the newest ansible-core and Python of tests/matrix.py; None without that Python."""
    try:
        own = matrix.LEGS[-1].programs() / "python"
    except LookupError as error:
        print(f"google_cloud: {error} for the newest release", flush=True)
        return None
    path = os.pathsep.join((".", ".ansible/collections"))
    ended = subprocess.run([own, __file__], cwd=site_run.ROOT, env=os.environ | {"PYTHONPATH": path}, check=True,
                           stdout=subprocess.PIPE, text=True)  # fmt: skip
    results: dict[str, t.Any] = json.loads(ended.stdout[ended.stdout.index("{") :])
    return results


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))

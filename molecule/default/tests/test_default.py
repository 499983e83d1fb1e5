"""A paper gateway as site.yml left it, seen from the VM."""

from __future__ import annotations

import json
import typing as t

import pytest
from testinfra.host import Host

Module = t.Callable[..., dict[str, t.Any]]
IN_MEMORY = "/run/ibgw/paper/secrets/tws_password"


@pytest.fixture(scope="module")
def container(host: Host) -> dict[str, t.Any]:
    return json.loads(host.check_output("docker inspect ibgw-paper"))[0]


def test_the_engine_keeps_containers_and_no_upgrade_ends_a_session(host: Host) -> None:
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    assert host.check_output("docker info --format '{{.LiveRestoreEnabled}}'") == "true"
    assert {"docker.io", "containerd", "runc"} <= set(host.check_output("apt-mark showhold").split())


def test_the_gateway_is_ready_for_real(module: Module) -> None:
    verdict = module("ibops.gateway.gateway_ready", gateway_name="paper", timeout=10)
    assert (verdict["state"], verdict["api_state"]) == ("ready", "ready")
    assert all(account.startswith("D") and "***" in account for account in verdict["accounts"])


def test_ibc_reads_every_setting_as_it_is_meant(standin: t.Callable[..., dict[str, t.Any]]) -> None:
    assert standin("status")["settings_problems"] == []


def test_the_image_is_pinned_and_the_container_is_bound(
    container: dict[str, t.Any], variables: dict[str, t.Any]
) -> None:
    limits = container["HostConfig"]
    assert container["Config"]["Image"] == variables["image"]
    assert "@sha256:" in variables["image"]
    assert limits["RestartPolicy"]["Name"] in ("", "no")
    assert limits["CapDrop"] == ["ALL"]
    assert not limits["CapAdd"]
    assert limits["SecurityOpt"] == ["no-new-privileges:true"]
    assert limits["Memory"] == 2 * 2**30
    assert limits["PidsLimit"] == 500
    assert {(limit["Name"], limit["Soft"], limit["Hard"]) for limit in limits["Ulimits"]} == {("nofile", 10000, 10000)}
    assert container["Config"]["StopTimeout"] == 90
    assert container["Config"]["User"] == "1000:1000"
    assert container["Config"]["Labels"]["ibops.gateway.mode"] == "paper"


def test_only_the_api_is_published_and_only_on_loopback(container: dict[str, t.Any]) -> None:
    published = {port: bindings for port, bindings in container["NetworkSettings"]["Ports"].items() if bindings}
    assert published == {"4004/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4002"}]}


def test_the_password_is_roots_and_in_memory_and_nowhere_else(host: Host, variables: dict[str, t.Any]) -> None:
    password = variables["password"]
    for path, gid, mode in (("/etc/ibgw/paper/password", 0, 0o600), (IN_MEMORY, 1000, 0o440)):
        secret = host.file(path)
        assert secret.content_string == password
        assert (secret.user, secret.gid, secret.mode) == ("root", gid, mode)
    assert host.check_output(f"findmnt --noheadings --output FSTYPE --target {IN_MEMORY}") == "tmpfs"
    assert host.file("/etc/ibgw").mode == 0o700
    assert host.file("/etc/ibgw/paper/ibc/config.ini.tmpl").contains("IbPassword=${TWS_PASSWORD}")
    assert host.check_output("docker exec ibgw-paper stat -f -c %T /run/ibc") == "tmpfs"
    assert host.check_output("docker exec ibgw-paper stat -c %a /run/ibc/config.ini") == "600"
    everywhere = (
        "docker inspect ibgw-paper; docker logs ibgw-paper 2>&1; journalctl --no-pager; cat /proc/*/cmdline; "
        "cat /proc/*/environ; cat /etc/ibgw/paper/ibc/* /etc/ibgw/paper/gateway.json; "
        "cat /var/lib/ibgw/paper/tws_settings/jts.ini"
    )
    assert password not in host.run(f"({everywhere}) 2>/dev/null | tr '\\0' '\\n'").stdout


def test_the_gateway_rewrote_jts_ini_and_our_keys_hold(host: Host) -> None:
    jts_ini = host.file("/var/lib/ibgw/paper/tws_settings/jts.ini")
    assert jts_ini.contains("^TimeZone=America/New_York")
    assert jts_ini.uid == 1000


def test_the_modules_find_nothing_where_nothing_is(module: Module) -> None:
    assert module("ibops.gateway.gateway_info", gateway_name="nobody")["deployed"] is False
    assert module("ibops.gateway.gateway_info", host="127.0.0.1", port=9)["api_state"] == "port_closed"


def test_the_command_server_and_the_desktop_listen_nowhere_outside(host: Host) -> None:
    listening = host.check_output("ss -Hltn")
    for port in ("3389", "5900", "7462", "2375", "2376"):
        assert f":{port} " not in listening

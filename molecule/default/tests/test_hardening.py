"""Everything still works on the hardened machine, and its updates end no session."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
Module = t.Callable[..., dict[str, t.Any]]

PROBE = "ibgw-update-probe"


def offer_newer_packages(probe: str) -> None:  # long: its source runs on the machine, alone
    """On the machine: make a security archive with a newer docker.io and the next version of a new package."""
    import glob
    import hashlib
    import io
    import os
    import pathlib
    import subprocess
    import tarfile

    def output(*words: str) -> str:
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def tar(files: dict[str, tuple[bytes, int]]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
            for name, (content, mode) in files.items():
                member = tarfile.TarInfo(f"./{name}")
                member.size, member.mode = len(content), mode
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    def ar(members: dict[str, bytes]) -> bytes:
        parts = [
            b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), 0, 0, 0, b"100644", len(content))
            + content
            + b"\n" * (len(content) % 2)
            for name, content in members.items()
        ]
        return b"!<arch>\n" + b"".join(parts)

    def members(package: bytes) -> dict[str, bytes]:
        found, at = {}, 8
        while at < len(package):
            name, size = package[at : at + 16].decode().strip(), int(package[at + 48 : at + 58])
            found[name] = package[at + 60 : at + 60 + size]
            at += 60 + size + size % 2
        return found

    def control(name: str, version: str) -> bytes:
        fields = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: ibgw <ibgw@localhost>\n"
        return f"{fields}Section: misc\nPriority: optional\nDescription: {name}\n".encode()

    def package(name: str, version: str) -> bytes:
        return ar(
            {
                "debian-binary": b"2.0\n",
                "control.tar.gz": tar({"control": (control(name, version), 0o644)}),
                "data.tar.gz": tar({}),
            }
        )

    def newer(path: str, version: str) -> bytes:
        """The same package, with another version in its control file; what it installs stays packed."""
        parts = members(pathlib.Path(path).read_bytes())
        output("dpkg-deb", "--control", path, "control")
        files = {
            file.name: (file.read_bytes(), file.stat().st_mode & 0o777) for file in pathlib.Path("control").iterdir()
        }
        lines = files["control"][0].decode().splitlines()
        text = "".join(f"Version: {version}\n" if line.startswith("Version: ") else f"{line}\n" for line in lines)
        files["control"] = (text.encode(), 0o644)
        data = {name: content for name, content in parts.items() if name.startswith("data.tar")}
        return ar({"debian-binary": b"2.0\n", "control.tar.gz": tar(files), **data})

    # apt reads it as a user of its own, and a hardened root keeps new files to itself.
    os.umask(0o022)
    os.makedirs("/var/tmp/ibgw-archive", exist_ok=True)
    os.chdir("/var/tmp/ibgw-archive")
    installed = output("dpkg-query", "--show", "--showformat=${Version}", "docker.io")
    output("apt-get", "download", "--quiet", f"docker.io={installed}")
    original = glob.glob("docker.io_*.deb")[0]
    offered = {
        "docker.io_newer.deb": newer(original, f"{installed}+ibgw1"),
        f"{probe}_2.deb": package(probe, "2"),
    }
    pathlib.Path("installed.deb").write_bytes(package(probe, "1"))
    output("dpkg", "--install", "installed.deb")
    index = ""
    for name, content in offered.items():
        pathlib.Path(name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        index += output("dpkg-deb", "--field", name)
        index += f"Filename: ./{name}\nSize: {len(content)}\nSHA256: {digest}\n\n"
    pathlib.Path("Packages").write_text(index)
    codename = output("sh", "-c", ". /etc/os-release; printf %s $VERSION_CODENAME")
    digest = hashlib.sha256(index.encode()).hexdigest()
    release = f"Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: {codename}-security\n"
    release += f"Date: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n {digest} {len(index)} Packages\n"
    pathlib.Path("Release").write_text(release)
    source = pathlib.Path("/etc/apt/sources.list.d/ibgw-archive.list")
    source.write_text("deb [trusted=yes] file:/var/tmp/ibgw-archive ./\n")
    only = ("Dir::Etc::SourceParts=-", f"Dir::Etc::SourceList={source}", "APT::Get::List-Cleanup=false")
    output("apt-get", "update", "--quiet", *(f"--option={option}" for option in only))


TAKE_BACK = f"""
rm -f /etc/apt/sources.list.d/ibgw-archive.list /var/lib/apt/lists/_var_tmp_ibgw-archive*
dpkg --purge {PROBE}
cd /var/tmp/ibgw-archive
dpkg --compare-versions "$(dpkg-query --show --showformat='${{Version}}' docker.io)" le \
    "$(dpkg-deb --field docker.io_*_*.deb Version)" ||
    {{ dpkg --install docker.io_*_*.deb && systemctl restart docker; }}
echo docker.io hold | dpkg --set-selections
rm -rf /var/tmp/ibgw-archive
"""


@pytest.fixture(scope="module")
def _newer_packages(host: Host) -> t.Iterator[None]:
    script = f"{inspect.getsource(offer_newer_packages)}\noffer_newer_packages({PROBE!r})\n"
    try:
        host.check_output("python3 -c %s", f"from __future__ import annotations\n{script}")
        yield
    finally:
        host.check_output("bash -ec %s", TAKE_BACK)


def version(host: Host, package: str) -> str:
    return host.check_output("dpkg-query --show --showformat='${Version}' %s", package)


def engine(host: Host) -> str:
    """The engine's process and those of containerd."""
    return host.check_output("systemctl show --property=MainPID docker.service containerd.service")


def session(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.State.Pid}}' ibgw-paper")


@pytest.mark.usefixtures("_newer_packages")
def test_unattended_upgrades_apply_what_is_harmless_and_leave_the_engine(host: Host, module: Module) -> None:
    before = engine(host), session(host), version(host, "docker.io")
    # There are two fences, the hold, which test_default.py asserts, and the list of unattended-upgrades itself.
    host.check_output("apt-mark unhold docker.io")
    try:
        host.check_output("unattended-upgrade --verbose")
    finally:
        host.check_output("apt-mark hold docker.io")
    assert version(host, PROBE) == "2"
    assert (engine(host), session(host), version(host, "docker.io")) == before
    assert module("ibops.gateway.gateway_info", gateway_name="paper")["state"] == "ready"


@pytest.mark.usefixtures("_newer_packages")
def test_what_waits_is_reported(host: Host, playbook: Playbook) -> None:
    installed = version(host, "docker.io")
    run = playbook("playbooks/updates.yml", "paper")
    assert (run.status, run.changed) == (0, 0)
    assert f"docker.io {installed} -> {installed}+ibgw1, on hold, security" in run.printed
    assert "Running paper" in run.printed


@pytest.mark.usefixtures("_newer_packages")
def test_what_waits_is_applied_only_when_the_session_may_end(host: Host, playbook: Playbook) -> None:
    before = engine(host), session(host), version(host, "docker.io")
    run = playbook("playbooks/updates.yml", "paper", "-e", "hardening_updates_apply=true")
    assert run.status == 2
    assert "Gateway paper runs on sandbox-paper" in run.printed
    assert (engine(host), session(host), version(host, "docker.io")) == before


@pytest.mark.usefixtures("_newer_packages")
def test_applied_with_the_session_up_the_engine_is_new_and_the_container_the_same(
    host: Host, module: Module, playbook: Playbook
) -> None:
    before, running, installed = engine(host), session(host), version(host, "docker.io")
    told = ("-e", "hardening_updates_apply=true", "-e", "hardening_updates_with_session=true")
    run = playbook("playbooks/updates.yml", "paper", *told)
    assert run.status == 0, run.printed
    assert version(host, "docker.io") == f"{installed}+ibgw1"
    assert "docker.io" in host.check_output("apt-mark showhold").split()
    assert engine(host) != before
    assert session(host) == running
    assert module("ibops.gateway.gateway_info", gateway_name="paper")["state"] == "ready"


def test_needrestart_lists_and_restarts_but_not_what_holds_the_session(host: Host) -> None:
    host.check_output("perl -c /etc/needrestart/conf.d/ibgw.conf")
    question = (
        "our %nrconf; do '/etc/needrestart/needrestart.conf'; my %no = %{$nrconf{override_rc}}; "
        "for my $unit (@ARGV) { my ($re) = grep { $unit =~ /$_/ } sort keys %no; print $re ? $no{$re} : 1 }"
    )
    units = "docker.service containerd.service ibgw-watch@paper.service ssh.service cron.service"
    assert host.check_output(f"perl -e {shlex.quote(question)} {units}") == "00011"


def test_updates_come_while_nobody_trades(host: Host) -> None:
    timers = host.check_output("systemctl show --property=TimersCalendar apt-daily.timer apt-daily-upgrade.timer")
    assert re.findall(r"OnCalendar=\S+ (\S+ \S+)", timers) == ["23:30:00 America/New_York", "00:30:00 America/New_York"]


def test_containers_still_start_and_images_come_by_digest(host: Host, variables: dict[str, t.Any]) -> None:
    host.check_output("docker pull --quiet %s", variables["image"])
    host.check_output("docker run --rm --entrypoint true %s", variables["image"])


def through_ssh(variables: dict[str, t.Any], target: str) -> bytes:
    """The answer to the API's greeting through `ssh -W`, which forwards as `ssh -L` does."""
    command = ["ssh", *shlex.split(variables["ssh_common_args"]), "-i", variables["ssh_private_key_file"]]
    command += ["-p", str(variables["port"]), "-W", target, f"{variables['user']}@{variables['host']}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        try:
            client.stdin.write(b"API\0\0\0\0\x09v100..178")
            client.stdin.flush()
            return client.stdout.read(4)
        finally:
            client.kill()


def test_the_api_is_reached_through_ssh_and_nothing_else_is(variables: dict[str, t.Any]) -> None:
    assert len(through_ssh(variables, "127.0.0.1:4002")) == 4
    assert through_ssh(variables, "127.0.0.1:22") == b""


def test_sudo_the_journal_the_clock_and_the_guards_are_alive(host: Host) -> None:
    assert host.check_output("sudo -n id -u") == "0"
    assert host.check_output("ls /var/log/journal/*/system.journal")
    assert host.check_output("journalctl --lines=1 --output=cat")
    assert host.check_output("systemctl is-enabled systemd-timesyncd.service chrony.service 2>/dev/null || true")
    assert "pong" in host.check_output("fail2ban-client ping")
    assert re.search(r"hook input .* policy drop", host.check_output("nft list ruleset"))
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


def test_hardening_again_changes_nothing(playbook: Playbook) -> None:
    run = playbook("site.yml", "paper", "--tags", "hardening")
    assert (run.status, run.changed) == (0, 0), run.printed


def test_our_services_are_little_exposed(exposures: t.Callable[[], dict[str, float]]) -> None:
    found = exposures()
    assert {"ibgw-watch@paper.service", "aidecheck.service", "sysctl-reapply-network.service"} <= found.keys()
    assert {name: level for name, level in found.items() if level > 3.0} == {}

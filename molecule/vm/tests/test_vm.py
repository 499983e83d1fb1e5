"""Checks that need a separate kernel."""

from __future__ import annotations

import platform

from testinfra.host import Host


def test_the_machine_has_a_kernel_of_its_own_and_cgroup_v2(host: Host) -> None:
    assert host.check_output("uname -r") != platform.release()
    assert host.check_output("systemd-detect-virt") in ("qemu", "kvm")
    assert host.check_output("docker info --format '{{.CgroupVersion}}'") == "2"


def test_after_the_reboot_everything_is_up_again(host: Host) -> None:
    assert host.check_output("systemctl is-system-running --wait || true") == "running"
    assert host.check_output("docker inspect --format '{{.State.Running}}' ibgw-paper") == "true"

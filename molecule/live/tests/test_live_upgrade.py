"""Another image for live: fetched at once, used at the next sign-in, rolled back if that fails.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import typing as t

from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
Pinned = t.Callable[[str], tuple[str, str]]
UPGRADE = "playbooks/upgrade.yml"


def image_of(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Config.Image}}' ibgw-live")


def running(host: Host) -> bool:
    return host.check_output("docker inspect --format '{{.State.Running}}' ibgw-live") == "true"


def test_an_untried_image_is_refused(host: Host, playbook: Playbook, images: dict[str, str], pinned: Pinned) -> None:
    run = playbook(UPGRADE, "live", *pinned(images["good"]))
    assert run.status == 2
    assert f"no paper gateway of this run has tried {images['good']}" in run.printed
    assert not host.file("/etc/ibgw/live/upgrade.json").exists


def test_it_waits_for_the_next_sign_in(host: Host, playbook: Playbook, images: dict[str, str], pinned: Pinned) -> None:
    started = host.check_output("docker inspect --format '{{.State.StartedAt}}' ibgw-live")
    host.run(f"docker rmi {images['good']} && docker image prune --all --force")
    arguments = (UPGRADE, "live", *pinned(images["good"]), "-e", "upgrade_canary=false")
    run = playbook(*arguments)
    assert run.status == 0, run.printed
    assert f"sandbox-live takes {images['good']} at its next sign-in" in run.printed
    assert (image_of(host), running(host)) == (images["old"], True)
    assert host.check_output("docker inspect --format '{{.State.StartedAt}}' ibgw-live") == started
    assert host.run(f"docker image inspect {images['good']}").rc == 0
    again = playbook(*arguments)
    assert (again.status, again.changed) == (0, 0), again.printed


def test_a_sign_in_that_a_broken_image_ends_brings_the_one_before_back(
    host: Host, playbook: Playbook, images: dict[str, str], pinned: Pinned
) -> None:
    broken = pinned(images["broken"])
    assert playbook(UPGRADE, "live", *broken, "-e", "upgrade_canary=false").status == 0
    run = playbook("playbooks/live_signin.yml", "live", *broken, "-e", "gateway_apply=now")
    assert run.status == 2
    assert f"the image before, {images['old']}, is back" in run.printed
    assert (image_of(host), running(host)) == (images["old"], False)


def test_a_sign_in_takes_an_image_that_works(
    host: Host, playbook: Playbook, images: dict[str, str], pinned: Pinned
) -> None:
    good = pinned(images["good"])
    assert playbook(UPGRADE, "live", *good, "-e", "upgrade_canary=false").status == 0
    run = playbook("playbooks/live_signin.yml", "live", *good)
    assert run.status == 0, run.printed
    assert (image_of(host), running(host)) == (images["good"], True)
    assert '"tried": true' in host.file("/etc/ibgw/live/upgrade.json").content_string


def test_it_is_taken_at_once_where_that_is_wanted(host: Host, playbook: Playbook, images: dict[str, str]) -> None:
    run = playbook(UPGRADE, "live", "-e", "upgrade_canary=false", "-e", "gateway_apply=now")
    assert run.status == 0, run.printed
    assert "logged in" in run.printed
    assert (image_of(host), running(host)) == (images["old"], True)

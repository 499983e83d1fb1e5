"""Another image on paper: kept if it works, rolled back if not, whenever the run is killed.

Each test starts from whatever the one before it left; the last one brings everything back.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from testinfra.host import Host

Playbook = t.Callable[..., t.Any]
UPGRADE = "playbooks/upgrade.yml"


def image_of(host: Host) -> str:
    return host.check_output("docker inspect --format '{{.Config.Image}}' ibgw-paper")


def running(host: Host) -> bool:
    return host.check_output("docker inspect --format '{{.State.Running}}' ibgw-paper") == "true"


def left(host: Host) -> dict[str, t.Any]:
    return json.loads(host.file("/etc/ibgw/paper/upgrade.json").content_string)


def test_an_image_of_the_command_line_is_refused(host: Host, playbook: Playbook, images: dict[str, str]) -> None:
    run = playbook(UPGRADE, "paper", "-e", f"gateway_image={images['good']}")
    assert run.status == 2
    assert "could not be taken back" in run.printed
    assert image_of(host) == images["old"]


def test_a_broken_image_is_given_back(
    host: Host, playbook: Playbook, images: dict[str, str], pinned: t.Callable[[str], tuple[str, str]]
) -> None:
    run = playbook(UPGRADE, "paper", *pinned(images["broken"]))
    assert run.status == 2
    assert f"{images['broken']} failed its trial on sandbox-paper" in run.printed
    assert f"The image before, {images['old']}, is back" in run.printed
    assert (image_of(host), running(host)) == (images["old"], True)
    assert host.run("ibgwctl wait-ready paper --timeout 60").rc == 0


@pytest.mark.usefixtures("same_container")
@pytest.mark.parametrize("play", [UPGRADE, "site.yml"])
def test_an_image_that_is_not_what_it_must_be_is_refused_before_anything_is_touched(
    host: Host, playbook: Playbook, images: dict[str, str], pinned: t.Callable[[str], tuple[str, str]], play: str
) -> None:
    run = playbook(play, "paper", *pinned(images["unfit"]))
    assert run.status == 2
    for difference in (
        "release_not_accepted: release 10.19.1 has not been accepted by IBKR",
        "user: it is made for user",
    ):
        assert difference in run.printed
    assert (image_of(host), running(host)) == (images["old"], True)
    assert host.check_output("docker ps --all --quiet --filter name=ibgw-paper.image") == ""


def test_a_prediction_changes_nothing(
    host: Host, playbook: Playbook, images: dict[str, str], pinned: t.Callable[[str], tuple[str, str]]
) -> None:
    run = playbook(UPGRADE, "paper", *pinned(images["good"]), "--check", "--diff")
    assert run.status == 0, run.printed
    assert run.changed > 0
    assert image_of(host) == images["old"]


@pytest.mark.parametrize("seconds", [4.0, 7.0])
def test_a_run_that_was_killed_is_finished_by_the_next(
    host: Host,
    playbook: Playbook,
    killed_playbook: t.Callable[..., None],
    images: dict[str, str],
    pinned: t.Callable[[str], tuple[str, str]],
    seconds: float,
) -> None:
    inventory = pinned(images["good"])
    killed_playbook(seconds, UPGRADE, "-i", "inventories/sandbox", *inventory, "-l", "paper")
    run = playbook(UPGRADE, "paper", *inventory)
    assert run.status == 0, run.printed
    assert (image_of(host), running(host), left(host)["tried"]) == (images["good"], True, True)
    again = playbook(UPGRADE, "paper", *inventory)
    assert (again.status, again.changed) == (0, 0), again.printed
    back = playbook(UPGRADE, "paper", *pinned(images["old"]))
    assert back.status == 0, back.printed
    assert left(host)["previous"] == images["good"]


def test_a_run_that_was_killed_on_a_broken_image_is_undone_by_the_next(
    host: Host,
    playbook: Playbook,
    killed_playbook: t.Callable[..., None],
    images: dict[str, str],
    pinned: t.Callable[[str], tuple[str, str]],
) -> None:
    inventory = pinned(images["broken"])
    killed_playbook(6, UPGRADE, "-i", "inventories/sandbox", *inventory, "-l", "paper")
    run = playbook(UPGRADE, "paper", *inventory)
    assert run.status == 2
    assert (image_of(host), running(host)) == (images["old"], True)


def test_a_gateway_that_is_down_is_down_after_it(
    host: Host, playbook: Playbook, images: dict[str, str], pinned: t.Callable[[str], tuple[str, str]]
) -> None:
    host.check_output("ibgwctl stop paper")
    run = playbook(UPGRADE, "paper", *pinned(images["good"]))
    assert run.status == 0, run.printed
    assert (image_of(host), running(host)) == (images["good"], False)
    run = playbook(UPGRADE, "paper", *pinned(images["broken"]))
    assert run.status == 2
    assert (image_of(host), running(host)) == (images["good"], False)
    assert playbook("site.yml", "paper").status == 0

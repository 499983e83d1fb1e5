# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspect an image without running it: made-up images, each with one telling difference."""

from __future__ import annotations

import collections.abc as c
import io
import tarfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from tests.unit.plugins.made_images import CONFIG, RELEASE, TEMPLATE, MadeImage, config_of

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import promises
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    Engine,
    EngineError,
    NotFoundError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import week
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import image

IMAGE = "image@sha256:1"
OPTIONS = f"{image.PROGRAM}/{RELEASE}/ibgateway.vmoptions"
DAY = datetime(2026, 12, 15, tzinfo=week.NEW_YORK).timestamp()


class Images(Engine):
    """An engine with one image, of which containers can be made; none can be started."""

    def __init__(self, made: MadeImage) -> None:
        self.made, self.calls = made, [""]
        self.containers_made: list[str] = []

    def image(self, image: str) -> dict[str, Any]:
        if image != IMAGE:
            raise NotFoundError("no such image")
        return self.made.inspect()

    def create(self, name: str, request: dict[str, Any]) -> None:
        assert request == {
            "Image": IMAGE, "Cmd": ["true"], "NetworkDisabled": True, "HostConfig": {"NetworkMode": "none"},
        }  # fmt: skip
        self.containers_made.append(name)

    def remove(self, container: str) -> None:
        if container not in self.containers_made:
            raise NotFoundError("no such container")
        self.containers_made.remove(container)

    def path_stat(self, container: str, path: str) -> dict[str, Any] | None:
        assert container in self.containers_made
        return self.made.stat(path)

    def archive(self, container: str, path: str, most: int) -> bytes:
        assert container in self.containers_made
        return self.made.archive(path)[:most]


def wanted(config: str = CONFIG, accept: c.Collection[str] = (), now: float = DAY, **environment: str) -> image.Wanted:
    return image.Wanted(1000, {"TWS_PATH": "", **environment}, config, accept, "linux/amd64", now)


def examine(made: MadeImage, wish: image.Wanted | None = None, files: bool = True) -> image.Report:
    engine = Images(made)
    report = image.examine(engine, IMAGE, wish or wanted(), "ibgw-paper.image" if files else None)
    assert engine.containers_made == []
    return report


def found(report: image.Report) -> list[tuple[str, bool]]:
    return [(each.id, each.refused) for each in report.differences]


KNOWN = "ghcr.io/gnzsnz/ib-gateway; digest of an index"


def test_the_image_as_published() -> None:
    report = examine(MadeImage())
    assert report == image.Report(IMAGE, "10.50.1d", "ibc", "3.24.1", KNOWN, ())
    assert report.as_dict() == {
        **report._asdict(), "differences": [], "refused": False,
        "lines": [f"image       {IMAGE}", "release     10.50.1d", "controller  ibc 3.24.1", f"known       {KNOWN}",
                  "as expected"],
    }  # fmt: skip


def test_without_its_files_less_is_known() -> None:
    report = examine(MadeImage(), files=False)
    assert report == image.Report(IMAGE, "10.50.1d", None, None, None, ())


def test_an_image_that_is_not_there_is_told_so() -> None:
    with pytest.raises(NotFoundError):
        image.examine(Images(MadeImage()), "other", wanted())


def of_release(release: str) -> Callable[[], MadeImage]:
    return lambda: MadeImage(release=release)


def changed(change: Callable[[MadeImage], object]) -> Callable[[], MadeImage]:
    def make() -> MadeImage:
        made = MadeImage()
        change(made)
        return made

    return make


def without(*paths: str) -> Callable[[], MadeImage]:
    return changed(lambda made: [made.files.pop(path) for path in paths])


def with_file(path: str, content: bytes) -> Callable[[], MadeImage]:
    return changed(lambda made: made.files.update({path: content}))


def environment(**values: str) -> Callable[[], MadeImage]:
    return changed(lambda made: made.environment.update(values))


def config(**values: Any) -> Callable[[], MadeImage]:
    return changed(lambda made: made.config.update(values))


def archive_of(*members: tarfile.TarInfo) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"\0" * member.size))
    return made.getvalue()


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("config.ini.tmpl")
    member.type = tarfile.SYMTYPE
    return member


CONTROLLER = image.CONTROLLERS["ibg-controller"]
KEYS_LESS = b"\r\n".join(line for line in TEMPLATE.splitlines() if not line.startswith(b"ReadOnlyApi"))

# {what it is: how it is made, the first difference, a part of its text}
REFUSED: dict[str, tuple[Callable[[], MadeImage], str, str]] = {
    "below the minimum": (of_release("10.45.1j"), "release_not_accepted", "since 2026-12-15; the minimum is 10.50.1"),
    "a garbage version": (of_release("latest"), "release_unknown", "IB_GATEWAY_VERSION is 'latest'"),
    "two versions": (environment(TWS_MAJOR_VRSN="10.45.1j"), "release_unknown", "TWS_MAJOR_VRSN '10.45.1j'"),
    "an empty environment": (
        changed(lambda made: made.environment.clear()), "release_unknown", "TWS_MAJOR_VRSN None",
    ),
    "another architecture": (
        changed(lambda made: setattr(made, "platform", ("linux", "arm64"))), "architecture", "for linux/arm64",
    ),
    "root": (config(User=""), "user", "made for user 'root', the role runs it as 1000:1000"),
    "a user by name": (config(User="abc"), "user", "made for user 'abc'"),
    "another uid": (config(User="1001:1001"), "uid", "made for user '1001:1001'"),
    "files of another uid": (changed(lambda made: setattr(made, "uid", 911)), "uid", "belongs to uid 911"),
    "other paths": (
        environment(TWS_PATH="/opt/ibkr", IBC_PATH="/opt/ibc"), "paths", "TWS_PATH is '/opt/ibkr' and not '",
    ),
    "no program": (without(OPTIONS), "paths", f"it has no {OPTIONS}"),
    "no scripts": (without(image.ENTRY), "paths", f"it has no {image.ENTRY}"),
    "another command": (config(Cmd=["/init"]), "entry_point", "it starts ['/init'], and not"),
    "an entry point": (config(Entrypoint=["tini", "--"]), "entry_point", "it starts ['tini', '--', '/home/ibgateway"),
    "the desktop program": (environment(GATEWAY_OR_TWS="tws"), "program", "it is not IB Gateway"),
    "no controller": (without(image.CONTROLLERS["ibc"]), "no_controller", "none of ibc, ibg-controller, ibctl"),
    "another controller": (
        changed(lambda made: [made.files.pop(image.CONTROLLERS["ibc"]), made.files.update({CONTROLLER: b""})]),
        "other_controller", "ibg-controller drives its gateway",
    ),
    "a third controller": (
        changed(lambda made: [made.files.pop(image.CONTROLLERS["ibc"]),
                              made.files.update({image.CONTROLLERS["ibctl"]: b"x" * (1 << 20)})]),
        "other_controller", "ibctl drives its gateway",
    ),
    "another controller that is chosen, without its label": (
        changed(lambda made: [made.files.update({CONTROLLER: b""}), made.environment.update(USE_IBG_CONTROLLER="yes")]),
        "two_controllers", "without the label com.ibg-controller.",
    ),
    "two controllers": (with_file(CONTROLLER, b"x" * (1 << 17)), "two_controllers", "ibc and ibg-controller are in it"),
    "a label without its controller": (
        config(Labels={"com.ibg-controller.ib-gateway-version": RELEASE}), "no_controller", "it has none of",
    ),
    "the other controller without a part of it": (
        changed(lambda made: made.have_ibg_controller().files.pop(f"{image.HOME}/gateway-input-agent.jar")),
        "paths", "it has no /home/ibgateway/gateway-input-agent.jar",
    ),
    "a release that launches a second gateway": (
        changed(lambda made: made.have_ibg_controller("v0.8.1")), "controller_too_old", "0.9.0 and later do not",
    ),
    "no template": (without(image.TEMPLATE), "no_template", f"it has no {image.TEMPLATE}"),
    "keys that its IBC does not have": (
        with_file(image.TEMPLATE, KEYS_LESS), "unknown_keys", "its IBC has no ReadOnlyApi, which the settings have",
    ),
    "an empty template": (with_file(image.TEMPLATE, b""), "unknown_keys", "and 4"),
    "a template too big": (with_file(image.TEMPLATE, b"a" * (image.MAX_BYTES + 1)), "too_big", "more than 65536 bytes"),
    "a script too big": (with_file(image.ENTRY, b"a" * (image.MAX_BYTES + 1)), "too_big", f"{image.ENTRY} has more"),
    "a template that is a link": (
        changed(lambda made: made.links.add(image.TEMPLATE)), "not_a_file", f"{image.TEMPLATE} is not a regular file",
    ),
    "a link that says it is a file": (
        changed(lambda made: made.archives.update({image.TEMPLATE: archive_of(link())})), "not_a_file", image.TEMPLATE,
    ),
    "an archive of nothing": (
        changed(lambda made: made.archives.update({image.TEMPLATE: archive_of()})), "not_a_file", image.TEMPLATE,
    ),
    "an archive that is none": (
        changed(lambda made: made.archives.update({image.IBC_VERSION: b"x" * 5000})), "not_a_file", image.IBC_VERSION,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_an_image_that_is_not_what_it_must_be_is_refused_by_name(what: str) -> None:
    make, kind, text = REFUSED[what]
    report = examine(make())
    (first, *_others) = [each for each in report.differences if each.refused]
    assert first.id == kind
    assert text in first.text
    assert report.as_dict()["refused"] is True
    assert f"REFUSED     {kind}: {first.text}" in report.lines()
    assert all(each.text.isprintable() and len(each.text) <= 400 for each in report.differences)


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_be_accepted_is_then_told_only(what: str) -> None:
    kinds = {kind for kind, refused in found(examine(REFUSED[what][0]())) if refused}
    left = {kind for kind, refused in found(examine(REFUSED[what][0](), wanted(accept=tuple(kinds)))) if refused}
    assert left == kinds & set(image.REFUSED)


NOTED: dict[str, tuple[Callable[[], MadeImage], image.Wanted, str]] = {
    "a release that ends": (of_release("10.45.1j"), wanted(now=DAY - 1), "release_ends"),
    "a health check": (config(Healthcheck={"Test": ["CMD", "true"]}), wanted(), "health_check"),
    "another IBC": (with_file(image.IBC_VERSION, b"3.24.2"), wanted(), "controller_version"),
    "a release that nobody knows": (of_release("10.51.1a"), wanted(), "unknown_image"),
    "new keys of IBC": (with_file(image.TEMPLATE, TEMPLATE + b"\r\nNewKey=\r\n"), wanted(), "new_keys"),
}


@pytest.mark.parametrize("what", NOTED)
def test_what_is_only_told(what: str) -> None:
    make, wish, kind = NOTED[what]
    assert found(examine(make(), wish)) == [(kind, False)]


def test_every_kind_of_difference_has_an_image() -> None:
    shown = {kind for _make, kind, _text in REFUSED.values()} | {kind for _make, _wish, kind in NOTED.values()}
    # Of what is wanted of it: the tests of ibg-controller's image below.
    shown |= {"setting", "live_costs", "live_promise"}
    assert shown == {*image.NOTES, *image.ACCEPTABLE, *image.REFUSED}
    assert not set(image.NOTES) & set(image.ACCEPTABLE) & set(image.REFUSED)


@pytest.mark.parametrize("files", [True, False])
def test_ibg_controllers_image_is_known_by_its_label(files: bool) -> None:
    report = examine(MadeImage().have_ibg_controller(), wanted(config_of(), TRADING_MODE="paper"), files)
    assert (report.controller, report.controller_version) == ("ibg-controller", "0.12.1")
    # Releases of ibg-controller are known with 10.45.1j alone.
    assert [each for each in found(report) if each[1]] == []
    assert examine(MadeImage(), files=files).controller == ("ibc" if files else None)


def test_a_version_of_its_base_is_not_taken_for_its_own() -> None:
    made = MadeImage().have_ibg_controller("24.04")
    made.config["Labels"][image.SOURCE_LABEL] = "https://example.invalid/base"
    assert examine(made).controller_version is None


def test_keys_of_ibc_do_not_matter_to_ibg_controller() -> None:
    made = MadeImage().have_ibg_controller()
    made.files[image.TEMPLATE] = b""
    assert "unknown_keys" not in dict(found(examine(made)))


def test_a_setting_that_ibg_controller_cannot_keep_is_refused_by_name() -> None:
    wish = wanted(config_of(ColdRestartTime="01:00", Nothing="x"), accept=image.ACCEPTABLE)
    report = examine(MadeImage().have_ibg_controller(), wish, files=False)
    texts = [each.text for each in report.differences if each.id == "setting" and each.refused]
    assert [text.partition(": ")[0] for text in texts] == ["gateway_cold_restart_time", "gateway_config_extra.Nothing"]
    assert "setting" not in dict(found(examine(MadeImage(), wish, files=False)))


def test_on_live_what_ibg_controller_does_not_keep_has_to_be_accepted() -> None:
    made = MadeImage().have_ibg_controller()
    report = examine(made, wanted(TRADING_MODE="live"), files=False)
    texts = " ".join(each.text for each in report.differences if each.id == "live_costs" and each.refused)
    for promise in (promises.START, promises.RESTART, promises.PASSWORD, promises.DEVICE):
        assert promises.PROMISES[promise] in texts
    for promise in promises.LIVE:
        assert promises.PROMISES[promise] not in texts
    accepted = examine(made, wanted(TRADING_MODE="live", accept=("live_costs",)), files=False)
    assert not any(refused for kind, refused in found(accepted) if kind.startswith("live_"))
    assert not any(kind.startswith("live_") for kind, _ in found(examine(MadeImage(), wanted(TRADING_MODE="live"))))


@pytest.mark.parametrize("promise", promises.LIVE)
def test_a_controller_that_breaks_a_promise_of_live_is_refused_whatever_is_accepted(
    monkeypatch: pytest.MonkeyPatch, promise: str
) -> None:
    broken = promises.Basis(False, "nobody knows why", "Do not.")
    monkeypatch.setitem(promises.BASES["ibg-controller"], promise, broken)
    made, wish = MadeImage().have_ibg_controller(), wanted(TRADING_MODE="live", accept=image.ACCEPTABLE)
    assert ("live_promise", True) in found(examine(made, wish, files=False))
    assert ("live_promise", True) not in found(examine(made, wanted(TRADING_MODE="paper"), files=False))


@pytest.mark.parametrize("user", ["1000:1000", "1000"])
def test_the_user_by_number_is_the_roles(user: str) -> None:
    assert found(examine(config(User=user)())) == []


def test_a_key_outside_of_the_template_is_known() -> None:
    assert found(examine(MadeImage(), wanted(CONFIG + "LogComponents=never\n#Nothing=\n=x\n"))) == []
    assert found(examine(MadeImage(), wanted(CONFIG + "Nothing=\n"))) == [("unknown_keys", True)]


def test_a_look_that_fails_leaves_no_container() -> None:
    engine = Images(MadeImage())

    def fails(_container: str, _path: str) -> None:
        raise EngineError("gone")

    engine.path_stat = fails  # type: ignore[method-assign,assignment]  # of this one engine
    with pytest.raises(EngineError, match="gone"):
        image.examine(engine, IMAGE, wanted(), "ibgw-paper.image")
    assert engine.containers_made == []


def desktop(**changes: Any) -> image.Report:
    """The report on the desktop image with another ``config`` and ``environment``, where TWS is wanted."""
    made = MadeImage(program="tws")
    made.config.update(changes.get("config", {}))
    made.environment.update(changes.get("environment", {}))
    return examine(made, wanted()._replace(program="tws"))


def test_the_desktop_image_as_published() -> None:
    known = "ghcr.io/gnzsnz/tws-rdesktop; digest of an index"
    assert desktop() == image.Report(IMAGE, "10.50.1d", "ibc", "3.24.1", known, ())


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"config": {"User": "1000:1000"}}, "user", "made for user '1000:1000', and its init has to be root"),
        ({"config": {"Entrypoint": None, "Cmd": ["/bin/bash"]}}, "entry_point", "and not /init"),
        ({"environment": {"TWS_PATH": "/home/ibgateway/Jts"}}, "paths", "and not '/opt/ibkr'"),
        ({"environment": {"GATEWAY_OR_TWS": "gateway"}}, "program", "it is not TWS"),
    ],
)
def test_a_desktop_image_that_is_not_what_it_must_be(changes: dict[str, Any], kind: str, text: str) -> None:
    (difference,) = desktop(**changes).differences
    assert (difference.id, difference.refused) == (kind, True)
    assert text in difference.text


def test_one_program_is_not_taken_for_the_other() -> None:
    for made, program in ((MadeImage(), "tws"), (MadeImage(program="tws"), "gateway")):
        kinds = found(examine(made, wanted(accept=image.ACCEPTABLE)._replace(program=program)))
        assert ("program", True) in kinds

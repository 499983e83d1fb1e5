"""Files that the container leaves in its settings directory, and a later run as root."""

from __future__ import annotations

import typing as t

import pytest

Play = t.Callable[..., t.Any]
PASSWORD = "/etc/ibgw/paper/password"
# Files of the host that are none of the container's business.
WATCHED = f"/etc/shadow /etc/passwd {PASSWORD} /etc/ibgw/paper/gateway.json"
FINGERPRINT = f"stat --format '%n %a %u %g %s' {WATCHED} && sha256sum {WATCHED}"
PUSH = "Second Factor Authentication initiated"
MEBIBYTE = 1 << 20
IN_PLACE = {
    "link_to_shadow": "ln -s /etc/shadow jts.ini",
    "link_to_password": f"ln -s {PASSWORD} jts.ini",
    "hard_link": "ln jts.real jts.ini",
    "fifo": "mkfifo jts.ini",
    "directory": "mkdir jts.ini",
    "three_gibibytes": "truncate --size=3G jts.ini",
    "nothing_readable": "cp jts.real jts.ini && chmod 000 jts.ini",
    # More than the container can do: it has no right to make one.
    "device": "",
}
DEVICE = "mknod {0}/jts.ini c 1 5 && chown --reference={0} {0}/jts.ini"
LEFT_BEHIND = {
    "pause_directory": "mkdir PAUSE_x",
    "eleven_directories": "for n in $(seq 11); do mkdir -p PAUSE_$n/x .ibgw-aside-$n/x; done",
    "pause_fifo": "mkfifo PAUSE_x",
    "autorestart_directory": "mkdir -p aaaa/autorestart",
    "autorestart_fifo": "mkdir -p aaaa && mkfifo aaaa/autorestart",
    "autorestart_link": "mkdir -p aaaa && ln -s /etc/shadow aaaa/autorestart",
    "link_to_a_directory": "ln -s /etc/ibgw aaaa",
    "names_with_escapes": "printf x >\"$(printf 'PAUSE\\n\\033]0;owned\\007\\033[2J')\"",
}


def secrets(paper: t.Any) -> list[str]:
    """Secrets that must not appear in any output: root's line of shadow, the password."""
    lines = paper.machine.out(f"grep ^root: /etc/shadow; cat {PASSWORD}").splitlines()
    return [line.strip().rpartition("=")[2] for line in lines]


def leave(paper: t.Any, command: str) -> None:
    paper.inside(f"cd ~/tws_settings && mv jts.ini jts.real && {command}")


@pytest.mark.parametrize("kind", IN_PLACE)
def test_jts_ini(paper: t.Any, play: Play, kind: str) -> None:
    leave(paper, IN_PLACE[kind] or "! mknod jts.ini c 1 5 2>/dev/null")
    if kind == "device":
        paper.machine.out(DEVICE.format(paper.settings))
    before, hidden = paper.machine.out(FINGERPRINT), secrets(paper)
    real = f"sha256sum {paper.settings}/jts.real"
    content = paper.machine.out(real)
    runs = [play("playbooks/restart.yml", "paper", *arguments, "--diff") for arguments in (["--check"], [])]
    assert [run.status < 0 for run in runs] == [False, False], "it does not end"
    assert not [text for text in hidden for run in runs if text in run.printed]
    assert paper.machine.out(FINGERPRINT) == before
    assert paper.machine.out(real) == content
    # Refused by name, or set aside and ready: nothing else.
    said = runs[1].printed.rpartition("TASK [")[2].partition("]")[2]
    assert runs[1].status == 0 or "jts.ini" in said, runs[1].printed
    assert "Traceback" not in runs[1].printed
    if runs[1].status == 0:
        kind_of, links, size = paper.machine.out(f"stat --format '%F,%h,%s' {paper.settings}/jts.ini").split(",")
        assert (kind_of, links, int(size) < MEBIBYTE) == ("regular file", "1", True)


def test_jts_ini_that_changes(paper: t.Any, play: Play) -> None:
    before, hidden = paper.machine.out(FINGERPRINT), secrets(paper)
    paper.attack("swap")
    for _each in range(2):
        run = play("playbooks/restart.yml", "paper", "--check", "--diff")
        assert not [text for text in hidden if text in run.printed]
    run = play("playbooks/restart.yml", "paper", "--diff")
    assert run.status >= 0, "it does not end"
    assert not [text for text in hidden if text in run.printed]
    assert paper.machine.out(FINGERPRINT) == before


@pytest.mark.parametrize("prefix", ["PAUSE", "other"])
def test_a_hundred_thousand_files(paper: t.Any, play: Play, prefix: str) -> None:
    paper.inside(f"cd ~/tws_settings && seq -f '{prefix}%06.0f' 100000 | xargs touch")
    run = play("playbooks/restart.yml", "paper")
    assert run.status == 0, run.printed
    found, seconds = paper.look()
    assert (found["state"], seconds <= paper.LONGEST_LOOK) == ("ready", True)


@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_sign_in_after(live: t.Any, kind: str) -> None:
    outside = "sha256sum /etc/shadow && stat --format '%n %a %u %g' /etc/ibgw /etc/ibgw/*"
    before = live.machine.out(outside)
    live.inside(f"cd ~/tws_settings && {LEFT_BEHIND[kind]}")
    live.machine.out("docker kill ibgw-live")
    pushes = live.count(PUSH)
    done = live.machine.run("echo any | ibgwctl sign-in live --password-stdin", 60)
    assert done.rc == 0, (done.rc, done.stdout, done.stderr)
    assert "\033" not in done.stdout + done.stderr
    assert live.machine.out(outside) == before
    assert live.count(PUSH) <= pushes + 1


@pytest.mark.parametrize("kind", ["pause_fifo", "autorestart_fifo"])
def test_start_after(paper: t.Any, kind: str) -> None:
    paper.inside(f"cd ~/tws_settings && {LEFT_BEHIND[kind]}")
    paper.machine.out("docker kill ibgw-paper")
    paper.machine.out("ibgwctl start paper && ibgwctl wait-ready paper")

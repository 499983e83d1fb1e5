"""The seed, and files that are written whole or not at all."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from sandbox.machine import keys
from sandbox.machine.common import SandboxError


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ssh = tmp_path / "ssh"
    paths = {
        "STATE": tmp_path,
        "SEED": tmp_path / "seed.tar",
        "SSH": ssh,
        "CLIENT_KEY": ssh / "id_ed25519",
        "HOST_KEY": ssh / "host_ed25519",
        "KNOWN_HOSTS": ssh / "known_hosts",
        "CA": tmp_path / "ca",
        "CA_CERTIFICATE": tmp_path / "ca" / "ca.crt",
    }
    for name, path in paths.items():
        monkeypatch.setattr(keys, name, path)
    return tmp_path


def test_the_seed_lets_in_this_checkout_and_tells_the_way_out(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("UNRELATED", "x")
    keys.make_keys()
    keys.make_seed()
    with tarfile.open(keys.SEED) as tar:
        files = {entry.name: (entry.mode, entry.uid, tar.extractfile(entry)) for entry in tar}
        content = {name: file.read() for name, (_, _, file) in files.items() if file}
    assert files["etc/ssh/ssh_host_ed25519_key"][:2] == (0o600, 0)
    assert content["home/operator/.ssh/authorized_keys"] == keys.CLIENT_KEY.with_suffix(".pub").read_bytes()
    environment = content["etc/environment"].decode()
    assert 'https_proxy="http://proxy.test:3128"\n' in environment
    assert "UNRELATED" not in environment


def test_a_second_run_makes_nothing_anew(state: Path) -> None:
    def made() -> dict[str, int]:
        keys.make_keys()
        keys.make_seed()
        return {str(path): path.stat().st_mtime_ns for path in state.rglob("*") if path.is_file()}

    assert made() == made()


def test_a_registry_at_another_address_gets_another_certificate_of_the_same_ca(state: Path) -> None:
    def made(address: str) -> tuple[bytes, bytes, bool]:
        keys.make_authority(address)
        certificate = keys.CA / "registry.crt"
        signed = keys.run(
            ["openssl", "verify", "-CAfile", str(keys.CA_CERTIFICATE), "-verify_ip", address, str(certificate)]
        )
        return keys.CA_CERTIFICATE.read_bytes(), certificate.read_bytes(), signed.endswith(": OK")

    first = made("10.211.3.7")
    assert made("10.211.3.7") == first
    second = made("10.211.3.77")
    assert (first[2], second[2]) == (True, True)
    assert second[0] == first[0]
    assert second[1] != first[1]


def test_without_set_up_the_error_names_it(state: Path) -> None:
    with pytest.raises(SandboxError, match="make setup"):
        keys.fingerprint()


def test_a_tar_of_the_same_files_is_the_same_bytes() -> None:
    tar = keys._tar({"b": (b"2", 0o644), "a": (b"1", 0o600)})
    assert tar == keys._tar({"a": (b"1", 0o600), "b": (b"2", 0o644)})
    # A VM reads it as a disk, that is in whole sectors.
    assert len(tar) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as content:
        assert content.getnames() == ["a", "b"]


def test_a_file_with_the_same_content_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    keys.write(path, "x", mode=0o600)
    os.utime(path, (0, 0))
    keys.write(path, "x")
    assert (path.stat().st_mtime, path.stat().st_mode & 0o777) == (0, 0o600)
    keys.write(path, "y")
    assert path.read_text() == "y"

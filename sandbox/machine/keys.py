"""The sandbox's own identities: SSH keys, the registry's CA, and the seed that a machine unpacks at boot."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

from sandbox.machine.common import STATE, SandboxError, run, say

SSH = STATE / "ssh"
CLIENT_KEY = SSH / "id_ed25519"
HOST_KEY = SSH / "host_ed25519"
KNOWN_HOSTS = SSH / "known_hosts"
CA = STATE / "ca"
CA_CERTIFICATE = CA / "ca.crt"
SEED = STATE / "seed.tar"

HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
MACHINE_CERTIFICATES = "/etc/sandbox/ca-certificates.crt"
# The programs of a pipeline host, and the variable that gives each its CAs.
CERTIFICATE_VARIABLES = ("CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
# The sandbox machines reach the network as this machine does.
PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL", "PIP_TRUSTED_HOST",
)  # fmt: skip


def make_keys() -> None:
    """Make missing keys: one client key, one host key for all machines, one CA for the registry."""
    SSH.mkdir(parents=True, exist_ok=True, mode=0o700)
    for key, comment in ((CLIENT_KEY, "sandbox operator"), (HOST_KEY, "sandbox machines")):
        if not key.exists():
            say(f"Making an SSH key: {key.relative_to(STATE.parent)}")
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)])
    # All machines have the same host key, so that a recreated one at the same address is still known.
    kind, public = HOST_KEY.with_suffix(".pub").read_text().split()[:2]
    write(KNOWN_HOSTS, f"* {kind} {public}\n")


def make_authority(address: str) -> None:
    """Make the registry's CA, and its certificate for its address on the sandbox network and its loopback port."""
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]
    if not CA_CERTIFICATE.exists():
        say("Making a certificate authority for the sandbox's registry")
        CA.mkdir(parents=True, exist_ok=True, mode=0o700)
        run(["openssl", "req", "-x509", *new_key, "-subj", "/CN=ibops.gateway sandbox",
             "-addext", "keyUsage=critical,keyCertSign",
             "-keyout", str(CA / "ca.key"), "-out", str(CA_CERTIFICATE)])  # fmt: skip
    certificate = CA / "registry.crt"
    if certificate.exists():
        # A newer OpenSSL fails where the address does not match; an older one only says so.
        with contextlib.suppress(SandboxError):
            if "does match" in run(["openssl", "x509", "-in", str(certificate), "-noout", "-checkip", address]):
                return
    run(["openssl", "req", "-x509", *new_key, "-subj", "/CN=sandbox registry",
         "-CA", str(CA_CERTIFICATE), "-CAkey", str(CA / "ca.key"),
         "-addext", "basicConstraints=critical,CA:FALSE",
         "-addext", f"subjectAltName=IP:{address},IP:127.0.0.1",
         "-keyout", str(CA / "registry.key"), "-out", str(certificate)])  # fmt: skip


def make_seed() -> None:
    """Write the seed that a machine unpacks into its root at boot: its host key, authorized keys, network settings.

    The seed is the only input to container and VM from outside, and no part of it is in an image.
    """
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    files = {
        "etc/ssh/ssh_host_ed25519_key": (HOST_KEY.read_bytes(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (HOST_KEY.with_suffix(".pub").read_bytes(), 0o644),
        "home/operator/.ssh/authorized_keys": (CLIENT_KEY.with_suffix(".pub").read_bytes(), 0o600),
    }
    if HOST_CERTIFICATES.exists():
        environment |= dict.fromkeys(CERTIFICATE_VARIABLES, MACHINE_CERTIFICATES)
        files[MACHINE_CERTIFICATES.lstrip("/")] = (HOST_CERTIFICATES.read_bytes(), 0o644)
    lines = "".join(f'{name}="{value}"\n' for name, value in sorted(environment.items()))
    files["etc/environment"] = (lines.encode(), 0o644)
    # sudo drops the environment, and with it pip's settings.
    options = {name[4:].lower().replace("_", "-"): value for name, value in environment.items() if name[:4] == "PIP_"}
    pip = "".join(f"{name} = {value}\n" for name, value in sorted(options.items()))
    files["etc/pip.conf"] = (f"[global]\n{pip}".encode(), 0o644)
    write(SEED, _tar(files), mode=0o600)


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A reproducible tar of {path: (content, mode)}, owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def write(path: Path, content: bytes | str, mode: int = 0o644) -> None:
    """Write a file atomically, unless it has this content already."""
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    new.replace(path)


def fingerprint() -> str:
    """The public half of the client key, which identifies a machine's checkout. SandboxError before set-up."""
    public = CLIENT_KEY.with_suffix(".pub")
    if not public.exists() or not SEED.exists():
        raise SandboxError(f"The sandbox has not been set up: {STATE.name}/ has no keys. Run `make setup` first.")
    return public.read_text().split()[1]

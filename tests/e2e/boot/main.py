"""`make e2e NAME=boot`: the first boot of aws-lite for real, in a container whose first process is systemd.

Runs the very script that EC2 gets as user data, for 1 GiB and for 4 GiB (SIZE=small: 1 GiB), in as much memory as the
machine would have: until the platform is up, its units are sound, a message went through nginx by https, a second run
changed nothing, and the machine ended itself. Let's Encrypt is a stand-in that signs by itself. Needs a Docker Engine
and an image of Debian or Ubuntu (SIGNALINK_BOOT_BASE); without says so and ends with 0 (SIGNALINK_REQUIRE=boot: 1).
"""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from signalink_core.testing import eventually
from signalink_stacks.lib import boot, machine

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[2]
DOMAIN: Final = "chat.example.org"
UNITS: Final = ("signalink.service", "signalink-end.service", "signalink-end.timer")
PASSED: Final = ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "NPM_CONFIG_REGISTRY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
"""Settings of mirrors that the script's programs read."""
AUTHORITIES: Final = r"""mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=%s\n' "$(env | grep -E '^(SSL_CERT_FILE|REQUESTS_CA_BUNDLE)=' | tr '\n' ' ')" \
  > /etc/systemd/system.conf.d/authorities.conf"""
"""Services trust whom the image trusts: a network that reads along has an authority of its own."""
PYTHON: Final = f"{boot.FOLDER}/.venv/bin/python"
SIGNALINK: Final = f"{boot.FOLDER}/.venv/bin/signalink"
AS: Final = ("runuser", "-u", "signalink", "--", "env", "HOME=/var/lib/signalink")


class Failed(Exception):
    """A promise that was not kept, as one sentence."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def expect(kept: bool, otherwise: str) -> None:
    if not kept:
        raise Failed(otherwise)


def run(words: Sequence[str], *, within: float = 60.0, given: str | None = None) -> str:
    """Its output; Failed with the last lines of it when it ends with anything but 0 or not in time."""
    try:
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=within, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"`{' '.join(words[:6])}` took longer than {within:.0f} s") from error
    if done.returncode:
        told = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Failed(f"`{' '.join(words[:6])}` ended with {done.returncode}: {told}")
    return done.stdout


class Box:
    """One machine: a container with so much memory, gone at the end."""

    def __init__(self, image: str, gib: int, source: Path) -> None:
        self.name = f"signalink-boot-{secrets.token_hex(4)}"
        self._words = [
            "docker", "run", "--detach", "--name", self.name, "--privileged", "--cgroupns=private", "--tmpfs=/run",
            "--tmpfs=/tmp:exec", f"--memory={gib}g", f"--memory-swap={gib}g", f"--volume={source}:/src:ro", image,
        ]  # fmt: skip

    def __enter__(self) -> "Box":
        run(self._words)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            ["docker", "rm", "--force", "--volumes", self.name], capture_output=True, timeout=60, check=False
        )

    def do(self, *words: str, within: float = 60.0, given: str | None = None) -> str:
        passed = [f"--env={key}={os.environ[key]}" for key in PASSED if key in os.environ]
        return run(["docker", "exec", "--interactive", *passed, self.name, *words], within=within, given=given)

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        self.do("sh", "-c", f"cat > {path} && chmod {mode} {path}", given=text)

    def await_systemd(self) -> None:
        asyncio.run(eventually(lambda: "running" in self._state(), within=60))

    def _state(self) -> str:
        done = subprocess.run(
            ["docker", "exec", self.name, "systemctl", "is-system-running"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def await_end(self, within: float) -> None:
        run(["docker", "wait", self.name], within=within)


def main() -> int:
    """The proof; the last line is the figure and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="full", help="small: the machine with 1 GiB")
    sizes = (1,) if parser.parse_args().size == "small" else (1, 4)
    image = prepared()
    if image is None:
        required = "boot" in os.environ.get("SIGNALINK_REQUIRE", "").split(",")
        say(f"boot: {'failed' if required else 'not run'}: no Docker Engine answers, or it has no image of Debian")
        return 1 if required else 0
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="signalink-boot-") as folder:
        source = Path(folder)
        source.chmod(0o755)
        run(["git", "clone", "--quiet", "--bare", str(ROOT), str(source / "signalink.git")])
        revision = run(["git", "-C", str(ROOT), "rev-parse", "HEAD"]).strip()
        try:
            told = [prove(image, gib, source, revision) for gib in sizes]
        except (Failed, AssertionError) as error:
            say(f"FAILED: {error}")
    verdict = "ok" if len(told) == len(sizes) else "failed"
    say(f"boot: {'; '.join(told) or 'nothing'}; k3s (8 GiB) not run: {verdict}")
    return 0 if verdict == "ok" else 1


def prepared() -> str | None:
    """The image with systemd; None where it cannot be made."""
    base = os.environ.get("SIGNALINK_BOOT_BASE", "debian:bookworm-slim")
    words = ["docker", "build", "--quiet", f"--build-arg=BASE_IMAGE={base}", str(HERE)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 and done.stdout.strip() else None


def settings(gib: int, revision: str) -> boot.Boot:
    """The machine with 1 GiB has a domain, the other none."""
    domain = DOMAIN if gib == 1 else ""
    return boot.Boot(machine.parts(gib), "/src/signalink.git", revision, "us-east-1", domain, "", "", hours=12)


def prove(image: str, gib: int, source: Path, revision: str) -> str:
    """One machine from nothing to its end; what was measured."""
    wanted = settings(gib, revision)
    with Box(image, gib, source) as box:
        box.await_systemd()
        box.write("/etc/gitconfig", "[safe]\n\tdirectory = *\n")  # a folder of another user, not an https address
        box.do("sh", "-c", AUTHORITIES)
        box.do("systemctl", "daemon-reexec")
        box.do("touch", "/swapfile")  # the kernel is everybody's: no swap is switched on from here
        box.write("/usr/local/bin/certbot", (HERE / "certbot.sh").read_text(), "0755")
        box.write("/usr/local/sbin/boot", boot.script(wanted), "0700")
        began = time.monotonic()
        box.do("/usr/local/sbin/boot", within=900)
        first = time.monotonic() - began
        say(f"{gib} GiB: up {first:.0f} s after the first boot began")
        pss = checked(box, wanted)
        began = time.monotonic()
        box.do("/usr/local/sbin/boot", within=300)
        checked(box, wanted)
        say(f"{gib} GiB: a second run took {time.monotonic() - began:.0f} s and left all as it was")
        box.do("systemctl", "start", "--no-block", "signalink-end.service")
        box.await_end(90)
        say(f"{gib} GiB: the machine ended itself")
    return f"{gib} GiB up after {first:.0f} s with {pss >> 20} MB of PSS"


def checked(box: Box, wanted: boot.Boot) -> int:
    """Units, parts, one message. Bytes of total PSS."""
    box.do("systemctl", "is-active", "signalink.service", "signalink-end.timer")
    box.do("systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in UNITS))
    status: dict[str, Any] = json.loads(box.do(*AS, SIGNALINK, "status", "--json"))
    expect(bool(status["healthy"]), f"not healthy: {status['processes']}")
    runs = {process["name"].removesuffix("-0") for process in status["processes"]}
    expect(runs == set(wanted.parts.runs), f"{sorted(runs)} run, not {sorted(wanted.parts.runs)}")
    expect(set(status["off"]) == set(wanted.parts.missing), f"said to be off: {sorted(status['off'])}")
    name = f"https://{wanted.domain}" if wanted.domain else status["urls"]["api"]
    socket = f"wss://{wanted.domain}/v1/socket" if wanted.domain else status["urls"]["gateway"]
    trusted = "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
    heard = box.do(*AS, trusted, PYTHON, "-", name, socket, given=(HERE / "message.py").read_text())
    expect("heard" in heard, f"the message was not heard: {heard}")
    say(f"  units are sound, {len(runs)} parts run, {heard.strip()} by {name}")
    return int(status["total_pss"])


if __name__ == "__main__":
    sys.exit(main())

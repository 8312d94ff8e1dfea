"""Bad input as real runs: each must say what, why and the next command, exit with its code, and start nothing."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from clone import Clone, Done, expect, say

ENVIRONMENT_BROKEN, USAGE = 3, 64


def run_all(place: Clone) -> None:
    for case in (port_in_use, other_version, broken_manifest, missing_rights, full_disk, wrong_use):
        case(place)


def expect_refusal(done: Done, code: int, *words: str) -> None:
    text = done.stderr + done.stdout
    expect(done.returncode == code, f"exit {done.returncode} instead of {code}: {text}")
    missing = [word for word in (*words, "Next:") if word not in text]
    expect(not missing, f"it does not say {missing}: {text}")
    say(f"  refused: {' '.join(done.stderr.split())[:230]}")


def elsewhere(work: Callable[[Path], None]) -> None:
    """Run a case on a state folder of its own, and see that nothing was started in it."""
    with tempfile.TemporaryDirectory(prefix="signalink-bad-") as folder:
        state = Path(folder) / "state"
        work(state)
        expect(not (state / "postgres").exists(), f"something was started in {state}")


def port_in_use(place: Clone) -> None:
    """8000 is held by this program, or by whoever had it before."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", 8000))
            server.listen()
            who = f"(pid {os.getpid()})"
        except OSError:
            who = "is held by"

        def case(state: Path) -> None:
            done = place.signalink("up", SIGNALINK_STATE=str(state))
            expect_refusal(done, ENVIRONMENT_BROKEN, "port 8000 (api-0 http)", who, "--ports free")

        elsewhere(case)


def other_version(place: Clone) -> None:
    def case(state: Path) -> None:
        state.mkdir()
        (state / "version").write_text("99\n")
        done = place.signalink("up", SIGNALINK_STATE=str(state))
        expect_refusal(done, ENVIRONMENT_BROKEN, "of version 99", "down --purge")

    elsewhere(case)


def broken_manifest(place: Clone) -> None:
    path = place.source / "services" / "gateway" / "service.toml"
    text = path.read_text()
    path.write_text(text.replace("[ports]", "[port]"))

    def case(state: Path) -> None:
        done = place.signalink("up", "--ports", "free", SIGNALINK_STATE=str(state))
        expect_refusal(done, ENVIRONMENT_BROKEN, "services/gateway/service.toml", "port: is not a known key")

    try:
        elsewhere(case)
    finally:
        path.write_text(text)


def missing_rights(place: Clone) -> None:
    """No user, root included, may make a folder in /proc."""
    done = place.signalink("up", "--ports", "free", SIGNALINK_STATE="/proc/signalink")
    expect_refusal(done, ENVIRONMENT_BROKEN, "/proc/signalink cannot be written", "SIGNALINK_STATE")


def full_disk(place: Clone) -> None:
    """A file system of 20 MB, which only root can make (in a mount namespace of its own)."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or not _may_mount():
        say("  full disk: not run, a small file system cannot be mounted here")
        return

    def case(state: Path) -> None:
        state.mkdir()
        script = 'mount -t tmpfs -o size=20m none "$0" && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, str(state), str(place.command), "up", "--ports", "free"]
        done = subprocess.run(
            command,
            env=place.environment() | {"SIGNALINK_STATE": str(state)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        expect_refusal(done, ENVIRONMENT_BROKEN, "MB free; the platform needs")

    elsewhere(case)


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
        return subprocess.run(trial, capture_output=True, timeout=20, check=False).returncode == 0


def wrong_use(place: Clone) -> None:
    expect_refusal(place.signalink("up", "--ports", "many"), USAGE, "many")

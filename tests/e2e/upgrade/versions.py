"""The version before this one: its charts and definitions out of git, whole, in a folder of its own.

SIGNALINK_BEFORE names its revision; without it the last tag, before a first tag the parent commit.
"""

import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from signalink_stacks.charts.vendoring import vendor
from signalink_stacks.clusters.plan import DEFINITIONS
from signalink_stacks.lib import images

GIT_SECONDS = 30


class NoVersion(Exception):
    """There is no version before this one here."""


def revision() -> str:
    """The commit of the version before."""
    wanted = os.environ.get("SIGNALINK_BEFORE") or _git("describe", "--tags", "--abbrev=0") or "HEAD^"
    found = _git("rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}")
    if not found:
        raise NoVersion(f"git knows no {wanted} here; name the version before this one with SIGNALINK_BEFORE")
    return found


def charts(commit: str, folder: Path) -> Path:
    """The umbrella of that commit with all it depends on; `definitions` are beside it."""
    done = subprocess.run(
        ["git", "-C", str(images.root()), "archive", commit, "charts", DEFINITIONS],
        capture_output=True,
        timeout=GIT_SECONDS,
        check=True,
    )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    vendor(folder / "charts", folder / "whole")
    return folder / "whole/signalink"


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(images.root()), *words], capture_output=True, text=True, timeout=GIT_SECONDS, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""

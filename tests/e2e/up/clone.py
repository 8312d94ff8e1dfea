"""A fresh clone of this checkout with a home folder of its own, so that every cache is empty; and its two commands."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
NOT_COPIED = (".venv", ".signalink", ".git", "node_modules", "__pycache__", ".*_cache")
Done = subprocess.CompletedProcess[str]


class Failed(Exception):
    """A case did not end as it must."""


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)


def say(line: str) -> None:
    """Print at once: these programs are watched."""
    print(line, flush=True)  # noqa: T201 - a program's output


def make(folder: Path) -> "Clone":
    """Clone the last commit; where this is no repository, copy the tree."""
    source, home = folder / "signalink", folder / "home"
    home.mkdir()
    done = _git("clone", "--quiet", str(ROOT), str(source))
    if done.returncode:
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_COPIED))
        say(f"copied the tree, for git says: {done.stderr.strip()}")
    else:
        head = _git("-C", str(source), "log", "-1", "--format=%h %s")
        say(f"cloned {head.stdout.strip()}")
    return Clone(source, home)


def _git(*arguments: str) -> Done:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=120, check=False)


def take_down(folder: Path) -> None:
    """Whatever happened: stop what the clone runs."""
    place = Clone(folder / "signalink", folder / "home")
    if place.command.exists():
        place.signalink("down", "--purge")


def pids_of(status: dict[str, Any]) -> dict[str, int]:
    """The children of a status report by name."""
    return {process["name"]: process["pid"] for process in status["processes"] if process["pid"]}


@dataclass(frozen=True)
class Clone:
    """`source` is the checkout, `home` the empty home folder."""

    source: Path
    home: Path

    @property
    def command(self) -> Path:
        return self.source / ".venv" / "bin" / "signalink"

    def environment(self) -> dict[str, str]:
        dropped = {"VIRTUAL_ENV", "PYTHONPATH", "XDG_CACHE_HOME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
        kept = {key: value for key, value in os.environ.items() if key not in dropped}
        kept = {key: value for key, value in kept.items() if not key.startswith("SIGNALINK_")}
        return kept | {"HOME": str(self.home)}

    def make(self, target: str, *arguments: str, within: float) -> Done:
        """The clone's `make`, with the Python that runs this program as the one to make environments with."""
        python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        return self._run(["make", target, f"PYTHON={python}", *arguments], within=within)

    def signalink(self, *arguments: str, within: float = 120, **environment: str) -> Done:
        return self._run([str(self.command), *arguments], within=within, **environment)

    def _run(self, command: list[str], *, within: float, **environment: str) -> Done:
        return subprocess.run(
            command,
            cwd=self.source,
            env=self.environment() | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """Exit 1 (something is not healthy) is an answer too."""
        done = self.signalink("status", "--json")
        expect(done.returncode in (0, 1), f"status exited {done.returncode}: {done.stderr}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def pids(self) -> dict[str, int]:
        """Of the children by name, and of the supervisor."""
        state = json.loads((self.source / ".signalink" / "state.json").read_text())
        return pids_of(self.status()) | {"supervisor": state["supervisor_pid"]}

    def ports(self) -> list[int]:
        return [port for process in self.status()["processes"] for port in process["ports"].values()]

    def kill(self, name: str) -> int:
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_back(self, name: str, old: int) -> bool:
        process = next(each for each in self.status()["processes"] if each["name"] == name)
        return process["pid"] not in (None, old) and process["health"] == "ready"

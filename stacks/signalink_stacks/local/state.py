"""Owns the state folder `.signalink/`: its version, its lock, and `state.json`, the one record of what runs.

    version  secrets/  postgres/  valkey/  kafka/  logs/  run.json (what was asked for)  state.json (what is)  lock

Only the supervisor writes `state.json`; every command reads it. Pids come from here and are compared with the start
time of the process, because a pid may have been given anew.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import psutil

import signalink_stacks
from signalink_stacks.local.credentials import Credentials, write_private
from signalink_stacks.local.problems import EnvironmentBroken

VERSION = "1"
SHOWN_EVENTS = 50
Phase = Literal["starting", "up", "stopping", "down", "failed"]


@dataclass(slots=True)
class Step:
    """One line of the start: `seconds` is None while it is under way."""

    name: str
    began: float
    seconds: float | None = None


@dataclass(slots=True)
class ProcessRecord:
    """One child. Times are seconds since 1970; `health` is a word for `status`."""

    name: str
    kind: Literal["engine", "service"]
    health: str = "waiting"
    pid: int | None = None
    created: float = 0.0
    restarts: int = 0
    last_exit: str = ""
    ports: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class RunState:
    """What is: written by the supervisor, read by everybody. `problem` has code, detail, next_step.

    `only`: the services that were chosen, empty for all; `off`: each part that does not run -> what is missing.
    """

    version: str = VERSION
    phase: Phase = "starting"
    supervisor_pid: int = 0
    supervisor_created: float = 0.0
    began: float = 0.0
    up_after: float | None = None
    steps: list[Step] = field(default_factory=list)
    processes: list[ProcessRecord] = field(default_factory=list)
    engines: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    faults: bool = False
    only: list[str] = field(default_factory=list)
    off: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    problem: dict[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        raw = json.loads(text)
        raw["steps"] = [Step(**step) for step in raw["steps"]]
        raw["processes"] = [ProcessRecord(**process) for process in raw["processes"]]
        return cls(**raw)

    def process(self, name: str) -> ProcessRecord:
        return next(process for process in self.processes if process.name == name)

    def note(self, at: float, process: str, what: str) -> None:
        """Remember something that happened to a process; the newest 50 are kept."""
        self.events = [*self.events, {"at": at, "process": process, "what": what}][-SHOWN_EVENTS:]


def default_root() -> Path:
    """SIGNALINK_STATE, else `.signalink` in the checkout this code runs from, else in the current folder."""
    if given := os.environ.get("SIGNALINK_STATE"):
        return Path(given).absolute()
    checkout = Path(signalink_stacks.__file__).resolve().parents[2]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".signalink"


def is_same(pid: int | None, created: float) -> bool:
    """Whether this very process still runs."""
    if not pid:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 0.1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class StateFolder:
    """One folder, one platform."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()
        self.secrets = Credentials(self.root / "secrets")
        self.logs = self.root / "logs"
        self.run_file = self.root / "run.json"
        self.state_file = self.root / "state.json"

    def open(self) -> Self:
        """Make the folder, or check that it is ours and of this version."""
        found = self.found_version()
        if found not in (None, VERSION):
            raise EnvironmentBroken(
                f"The state folder {self.root} is of version {found}; this program reads version {VERSION}.",
                next_step="`signalink down --purge` deletes it with its data; or keep it: SIGNALINK_STATE=OTHER_FOLDER",
            )
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
            if found is None:  # first, and once: whoever starts at the same time reads it
                (self.root / "version").write_text(VERSION + "\n")
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EnvironmentBroken(
                f"The state folder {self.root} cannot be written: {error.strerror}.",
                next_step=f"give this user the right to write {self.root.parent}, or set SIGNALINK_STATE=FOLDER",
            ) from error
        return self

    def found_version(self) -> str | None:
        """None: nothing is there yet, or it is just being made. `unknown`: a folder that is not ours."""
        try:
            return (self.root / "version").read_text().strip() or None
        except FileNotFoundError:
            filled = self.root.is_dir() and any(self.root.iterdir())
            return "unknown" if filled and not (self.root / "version").exists() else None
        except OSError:
            return None

    def read(self) -> RunState | None:
        """The last written state; None when there was no run."""
        try:
            return RunState.parse(self.state_file.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise EnvironmentBroken(
                f"{self.state_file} cannot be read: {error}.", next_step="`signalink down --purge`, then `signalink up`"
            ) from error

    def write(self, state: RunState) -> None:
        write_private(self.state_file, json.dumps(asdict(state)))

    def alive(self) -> RunState | None:
        """The state of a run whose supervisor lives."""
        state = self.read()
        return state if state and is_same(state.supervisor_pid, state.supervisor_created) else None

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Try the lock that a supervisor holds all its life; False when another one has it."""
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

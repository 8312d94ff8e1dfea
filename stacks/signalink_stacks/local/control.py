"""Owns what commands do with a platform: launch and follow a start, report, stop, clean up after a crash.

The supervisor does the work; this side only starts it, reads `state.json` and sends signals to verified pids.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from signalink_stacks.doctor import checkup
from signalink_stacks.local import memory, recipes, starts
from signalink_stacks.local.engines.base import clean_environment, network_environment, tail
from signalink_stacks.local.layout import ENGINE_PORTS, Wishes
from signalink_stacks.local.problems import BY_CODE, EnvironmentBroken, LocalProblem, StartFailed
from signalink_stacks.local.state import VERSION, RunState, StateFolder, is_same

POLL_SECONDS = 0.03
SILENCE_SECONDS = 15.0
DOWN_SECONDS = 30.0
Watcher = Callable[[RunState], None]
Checker = Callable[[Sequence[checkup.Checked]], None]


@dataclass(frozen=True, slots=True)
class Started:
    """`again`: the platform was there (or being started) already."""

    state: RunState
    again: bool


class SupervisorEnded(StartFailed):
    """Without a word: killed, told to stop, or another one holds the lock."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process known by pid and start time (seconds since 1970), whether or not it is our child."""

    pid: int
    created: float

    def runs(self) -> bool:
        if self.pid <= 0:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # a child of ours would stay as a zombie
        return is_same(self.pid, self.created)

    def signal(self, number: signal.Signals) -> None:
        if self.runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def await_exit(self, within: float) -> bool:
        """Whether it ended within that many seconds."""
        deadline = time.monotonic() + within
        while self.runs():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def _supervisor(state: RunState) -> Process:
    return Process(state.supervisor_pid, state.supervisor_created)


def up(folder: StateFolder, wishes: Wishes, watch: Watcher, checked: Checker = lambda _: None) -> Started:
    """Start the platform, or find it. `watch` sees each new state. LocalProblem when it did not come up.

    The doctor's rules come first; `checked` gets what they found, and one that failed refuses the start.
    """
    if (running := _present(folder)) is not None:
        if running.phase in {"starting", "up"}:
            return Started(_follow(folder, _supervisor(running), watch), again=True)
        _supervisor(running).await_exit(DOWN_SECONDS)
    if folder.found_version() == VERSION:
        clear(folder)
    found = checkup.examine_here("local", folder, wishes)
    checked(found)
    try:
        checkup.require(found)
    except EnvironmentBroken:
        if (other := _present(folder)) is None:
            raise
        return Started(_follow(folder, _supervisor(other), watch), again=True)  # it took the ports meanwhile
    return _start(folder.open(), wishes, watch)


def kept(folder: StateFolder) -> tuple[str, ...]:
    """The services that the last start was asked for; empty: all, or there was none."""
    try:
        found = json.loads(folder.run_file.read_text())["only"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def require_engine(folder: StateFolder, engine: str) -> RunState:
    """The state of the platform that is up with this engine. EnvironmentBroken when it runs without."""
    state = require_running(folder)
    if engine not in state.ports:
        raise EnvironmentBroken(
            f"{engine.capitalize()} does not run: only {', '.join(state.only)} and what they need were chosen.",
            next_step="`signalink down`, then `signalink up --only all`",
        )
    return state


def require_running(folder: StateFolder) -> RunState:
    """The state of the platform that is up. EnvironmentBroken when none is."""
    _check_version(folder)
    state = folder.alive()
    if state is None or state.phase != "up":
        raise EnvironmentBroken(
            f"Signalink is not running ({'down' if state is None else state.phase}).", next_step="`signalink up`"
        )
    return state


def _present(folder: StateFolder) -> RunState | None:
    return folder.alive() if folder.found_version() == VERSION else None


def _start(folder: StateFolder, wishes: Wishes, watch: Watcher) -> Started:
    folder.run_file.write_text(json.dumps(asdict(wishes)))
    process = _launch(folder)
    try:
        state = _follow(folder, process, watch)
    except SupervisorEnded:
        if (other := folder.alive()) is None or other.supervisor_pid == process.pid:
            raise
        return Started(_follow(folder, _supervisor(other), watch), again=True)
    except KeyboardInterrupt:
        process.signal(signal.SIGTERM)
        process.await_exit(DOWN_SECONDS)
        raise
    with contextlib.suppress(OSError):
        starts.remember(folder, wishes, state)
    return Started(state, again=False)


def _launch(folder: StateFolder) -> Process:
    """Start the supervisor in a session of its own; it outlives us."""
    command = [sys.executable, "-m", "signalink_stacks.local.supervisor", str(folder.root)]
    log = str(folder.logs / "supervisor.log")
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        sys.executable,
        command,
        clean_environment() | network_environment() | {"PYTHONUNBUFFERED": "1"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process(pid, psutil.Process(pid).create_time())


def _follow(folder: StateFolder, process: Process, watch: Watcher) -> RunState:
    """Until it is up. Raises what the supervisor reports, or that it died."""
    silent_until = time.monotonic() + SILENCE_SECONDS
    while True:
        gone = not process.runs()  # asked before the state is read: the last word is written before the end
        state = folder.read()
        if state is not None and state.supervisor_pid == process.pid:
            watch(state)
            if state.phase == "up":
                return state
            if state.problem is not None:
                process.await_exit(DOWN_SECONDS)
                raise _reported(state)
        elif time.monotonic() > silent_until:
            raise StartFailed("The supervisor says nothing.", next_step="`signalink logs supervisor`")
        if gone:
            raise SupervisorEnded(
                f"The supervisor ended before the platform was up:\n{tail(folder.logs / 'supervisor.log', 800)}",
                next_step="`signalink logs supervisor`, then `signalink up`",
            )
        time.sleep(POLL_SECONDS)


def _reported(state: RunState) -> LocalProblem:
    problem = state.problem or {}
    kind = BY_CODE.get(problem.get("code", ""), StartFailed)
    return kind(problem.get("detail", "unknown"), next_step=problem.get("next_step"))


@dataclass(frozen=True, slots=True)
class Line:
    """One process as `status` shows it. Bytes; `seconds` since it was started."""

    name: str
    kind: str
    pid: int | None
    health: str
    restarts: int
    last_exit: str
    seconds: float
    rss: int
    pss: int
    ports: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """What `signalink status` says. `total_pss` includes the supervisor."""

    phase: str
    seconds: float
    up_after: float | None
    processes: list[Line]
    total_pss: int
    engines: dict[str, str]
    urls: dict[str, str]
    events: list[dict[str, object]]
    settings: dict[str, str]
    faults: bool
    only: list[str]
    off: dict[str, str]
    state_folder: str

    @property
    def healthy(self) -> bool:
        return self.phase == "up" and all(line.health == "ready" for line in self.processes)


def report(folder: StateFolder) -> Report:
    """The present state, measured now."""
    _check_version(folder)
    state = folder.read() or RunState(phase="down")
    alive = _supervisor(state).runs()
    phase = state.phase if alive or state.phase in {"down", "failed"} else "crashed"
    now = time.time()
    lines = []
    for process in state.processes:
        weight = memory.of_family(process.pid) if process.pid and alive else memory.Weight()
        seconds = now - process.created if process.pid and alive else 0.0
        health = process.health if alive else "stopped"
        pid = process.pid if alive else None
        lines.append(
            Line(
                process.name, process.kind, pid, health, process.restarts, process.last_exit, seconds, weight.rss,
                weight.pss, process.ports,
            )
        )  # fmt: skip
    own = memory.of(state.supervisor_pid).pss if alive else 0
    return Report(
        phase=phase,
        seconds=now - state.began if alive else 0.0,
        up_after=state.up_after,
        processes=lines,
        total_pss=own + sum(line.pss for line in lines),
        engines=state.engines,
        urls=state.urls if alive else {},
        events=list(state.events),
        settings=state.settings,
        faults=state.faults,
        only=state.only,
        off=state.off if alive else {},
        state_folder=str(folder.root),
    )


def _check_version(folder: StateFolder) -> None:
    if folder.found_version() not in (None, VERSION):
        folder.open()


def down(folder: StateFolder, *, purge: bool = False) -> bool:
    """Stop what runs and make sure of it; False when nothing ran. `purge` also deletes the data and the secrets."""
    found = folder.found_version()
    if not purge:
        _check_version(folder)
    state = folder.read() if found == VERSION else None
    ran = state is not None and _supervisor(state).runs()
    if state is not None and ran:
        _supervisor(state).signal(signal.SIGTERM)
        _supervisor(state).await_exit(DOWN_SECONDS)
    if found == VERSION:
        clear(folder)
    if purge:
        _purge(folder, found)
    return ran


def _purge(folder: StateFolder, found: str | None) -> None:
    if found == "unknown":
        raise EnvironmentBroken(
            f"{folder.root} has no version file, so it may not be a state folder; nothing was deleted.",
            next_step=f"look into it and delete it yourself: `ls {folder.root}`",
        )
    if found is not None:
        shutil.rmtree(folder.root)


def clear(folder: StateFolder) -> None:
    """End what a crashed supervisor may have left: verified processes, shared memory. Nothing runs afterwards."""
    state = folder.read()
    if state is None:
        return
    children = [Process(process.pid or 0, process.created) for process in state.processes if process.pid]
    for process in (_supervisor(state), *children):
        # Children of a killed supervisor are dying already; what is left after a while is killed.
        if not process.await_exit(8.0):
            process.signal(signal.SIGKILL)
            process.await_exit(5.0)
    for engine in recipes.engines(folder, ENGINE_PORTS | state.ports).values():
        engine.cleanup()


def log_file(folder: StateFolder, name: str) -> Path:
    """The log of a process or job; `NAME` of a service means its first process."""
    for candidate in (name, f"{name}-0"):
        path = folder.logs / f"{candidate}.log"
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in folder.logs.glob("*.log"))) or "none yet"
    raise EnvironmentBroken(f"There is no log called {name}; there are: {known}.", next_step="`signalink logs NAME`")

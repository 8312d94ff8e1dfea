"""Owns what every engine has: prepare, launch, ready, stop, clean up. Leaves the differences to a module per engine."""

import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from signalink_stacks.local import child
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.ports import free_port, listens

LAUNCHER = Path(child.__file__).resolve()
POLL_SECONDS = 0.02


class EngineFailed(RuntimeError):
    """An engine could not be made ready; the text ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a child process begins. `identity` and `death_signal` as in `child.py`; 0 means it outlives its parent."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    identity: str = "same"
    death_signal: int = signal.SIGKILL

    def argv(self) -> list[str]:
        """The launcher's command line; it becomes `command` by exec, so the pid stays."""
        head = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(self.death_signal)), self.identity]
        return [*head, "--", *self.command]


def clean_environment() -> dict[str, str]:
    """What a child may see of our environment: paths and locale; never a SIGNALINK_ key of this shell."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")
    return {key: os.environ[key] for key in kept if key in os.environ}


def network_environment() -> dict[str, str]:
    """How this machine reaches the outside: proxies, certificate authorities. For downloads only, not for services."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    kept = (*proxies, *map(str.lower, proxies), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {key: os.environ[key] for key in kept if key in os.environ}


def tail(path: Path, size: int = 2000) -> str:
    """The end of a log, for an error message."""
    if not path.exists():
        return "(no log)"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace").strip() or "(empty log)"


class Engine(ABC):
    """One engine in one directory. `port=0` takes a free one. Secrets come from `credentials` (made when absent)."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 20

    def __init__(self, directory: Path, port: int = 0, *, credentials: Credentials | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.credentials = credentials or Credentials(self.directory / "secrets")
        self.log = self.directory / "engine.log"
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """The engine's own version, from its binary or lock."""

    @abstractmethod
    def prepare(self) -> None:
        """Write configuration and, the first time, format the data. Idempotent; may block."""

    @abstractmethod
    def launch(self) -> Launch:
        """How to start it, after `prepare`."""

    @abstractmethod
    def ready(self) -> bool:
        """One attempt, at most 0.5 s: does it answer as a client needs it?"""

    def alive(self) -> bool:
        """One attempt, at most 0.5 s: does it answer at all? An engine that recovers its data is alive, not ready."""
        return self.ready()

    def cleanup(self) -> None:
        """Remove what a killed process may have left outside its directory. Called when it is gone."""
        return

    @property
    def pid(self) -> int:
        if self.process is None:
            raise EngineFailed(f"{self.name} is not running; call start() first")
        return self.process.pid

    def start(self, within: float = 60) -> Self:
        """Prepare, start and wait until ready; `within` seconds. Call from the main thread: children die with it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare()
        launch = self.launch()
        if threading.current_thread() is not threading.main_thread():
            launch = Launch(launch.command, launch.environment, launch.identity, death_signal=0)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                launch.argv(),
                env=clean_environment() | launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await_ready(time.monotonic() + within, within)
        return self

    def stop(self, within: float | None = None) -> None:
        """Stop in order, by SIGKILL after `within` seconds. Safe before start and twice."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(self.stop_seconds if within is None else within)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None
        self.cleanup()

    def kill(self) -> None:
        """SIGKILL and wait: a crash, for tests."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _await_ready(self, deadline: float, within: float) -> None:
        while not (self.ready() and listens(self.pid, self.port)):
            if self.process is None or self.process.poll() is not None:
                raise EngineFailed(f"{self.name} ended while starting:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                self.stop(0)
                raise EngineFailed(f"{self.name} was not ready within {within:g} s:\n{tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

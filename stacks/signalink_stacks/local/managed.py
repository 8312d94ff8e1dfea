"""Owns one child of the supervisor: start until ready, keep alive with backoff, stop. Leaves the order to `start`."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from signalink_core.telemetry.logging import get_logger
from signalink_stacks.local import logfiles, ports
from signalink_stacks.local.engines.base import Launch, clean_environment
from signalink_stacks.local.problems import StartFailed
from signalink_stacks.local.state import ProcessRecord

log = get_logger(__name__)
POLL_SECONDS = 0.03
FIRST_BACKOFF, LAST_BACKOFF = 0.2, 10.0
CALM_SECONDS = 30.0
"""A child that lived this long starts again with the first backoff."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one child is run. `prepare` may block and runs in a thread before each start; times in seconds.

    Ready means that `ready` says so and that the answer on `port` is this child's own.
    """

    name: str
    launch: Callable[[], Launch]
    ready: Callable[[], Awaitable[bool]]
    prepare: Callable[[], None]
    log: Path
    patience: float
    port: int
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 12.0
    cleanup: Callable[[], None] = lambda: None


async def spawn(launch: Launch, log_path: Path) -> asyncio.subprocess.Process:
    """Start a child in its own session, its output appended to a log. From the main thread: it dies with us."""
    with log_path.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *launch.argv(),
            env=clean_environment() | {"PYTHONUNBUFFERED": "1"} | launch.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def exit_words(code: int) -> str:
    """`exit 1`, or the name of the signal that killed it."""
    return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


class Managed:
    """`changed()` is called whenever the record changed; `note(name, what)` reports a death or a restart."""

    def __init__(
        self, recipe: Recipe, record: ProcessRecord, changed: Callable[[], None], note: Callable[[str, str], None]
    ) -> None:
        self.recipe = recipe
        self.record = record
        self._changed = changed
        self._note = note
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._log_start = 0
        self._backoff = FIRST_BACKOFF

    async def start(self) -> None:
        """Until ready; StartFailed when it ends first or is not ready in time."""
        await self._spawn()
        deadline = time.monotonic() + self.recipe.patience
        while not await self._is_ready():
            self._still_starting(deadline)
            await asyncio.sleep(POLL_SECONDS)
        self._set(health="ready")

    async def keep(self) -> None:
        """Watch it for ever: restart with backoff what ends unasked."""
        while not self._stopping:
            process, began = self._running(), time.monotonic()
            code = await process.wait()
            if self._stopping:
                return
            if time.monotonic() - began > CALM_SECONDS:
                self._backoff = FIRST_BACKOFF
            await self._restart(exit_words(code))

    async def check(self) -> None:
        """Ask once and record the answer."""
        if self.record.health in {"ready", "not ready"}:
            self._set(health="ready" if await self.recipe.ready() else "not ready")

    async def stop(self, within: float) -> None:
        """In order, by SIGKILL after `within` seconds. Safe before start and twice."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            self._set(health="stopping")
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.recipe.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), within)
            except TimeoutError:
                self._note(self.recipe.name, f"did not stop within {within:.0f} s and was killed")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        await asyncio.to_thread(self.recipe.cleanup)
        self._set(health="stopped", pid=None)

    async def _is_ready(self) -> bool:
        pid = self._running().pid
        return await self.recipe.ready() and await asyncio.to_thread(ports.listens, pid, self.recipe.port)

    async def _spawn(self) -> None:
        await asyncio.to_thread(self.recipe.prepare)
        self._log_start = self.recipe.log.stat().st_size if self.recipe.log.exists() else 0
        self._process = await spawn(self.recipe.launch(), self.recipe.log)
        try:
            created = psutil.Process(self._process.pid).create_time()
        except psutil.NoSuchProcess:
            created = 0.0
        self._set(health="starting", pid=self._process.pid, created=created)

    async def _restart(self, died: str) -> None:
        self._set(health="restarting", pid=None, last_exit=died)
        self._note(self.recipe.name, f"{died}; starts again in {self._backoff:.1f} s")
        await asyncio.sleep(self._backoff)
        self._backoff = min(LAST_BACKOFF, self._backoff * 2)
        if self._stopping:
            return
        try:
            await self._spawn()
        except Exception as error:
            log.error("restart_failed", process=self.recipe.name, why=str(error))
            self._set(health="restarting", last_exit=str(error))
            return
        self._set(health="not ready", restarts=self.record.restarts + 1)
        self._note(self.recipe.name, f"runs again as pid {self.record.pid}")

    def _still_starting(self, deadline: float) -> None:
        process = self._running()
        if process.returncode is not None:
            raise StartFailed(
                f"{self.recipe.name} ended while starting ({exit_words(process.returncode)}):\n{self._reason()}",
                next_step=f"`signalink logs {self.recipe.name}`, then `signalink up`",
            )
        if time.monotonic() > deadline:
            raise StartFailed(
                f"{self.recipe.name} was not ready within {self.recipe.patience:.0f} s:\n{self._reason()}",
                next_step=f"`signalink logs {self.recipe.name}`, then `signalink up`",
            )

    def _reason(self) -> str:
        return logfiles.explain(self.recipe.log, self._log_start)

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise StartFailed(f"{self.recipe.name} was never started.")
        return self._process

    def _set(self, **fields: object) -> None:
        before = {name: getattr(self.record, name) for name in fields}
        if before != fields:
            for name, value in fields.items():
                setattr(self.record, name, value)
            self._changed()

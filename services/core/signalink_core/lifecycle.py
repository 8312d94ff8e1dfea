"""Start and stop of everything long-lived: owned tasks, safe double stop, and how long to back off."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from signalink_core.telemetry.logging import get_logger

T = TypeVar("T")
TASK_STOP_SECONDS = 10.0
log = get_logger(__name__)


class Lifecycle:
    """Subclass hooks: `_start` (may `spawn` and `enter`), `_stop` (drain; the tasks still run).

    start twice, stop twice, stop before start are safe; a stopped object may be started again. A failed start leaves
    nothing behind. `failed` completes with the exception of the first owned task that crashed.
    """

    def __init__(self) -> None:
        self._lifecycle_lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._resources = AsyncExitStack()
        self._running = False
        self._failed: asyncio.Future[BaseException] | None = None

    @property
    def running(self) -> bool:
        return self._running

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Result: the exception of the first owned task that crashed since the last start."""
        if self._failed is None:
            self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    async def start(self) -> None:
        async with self._lifecycle_lock:
            if self._running:
                return
            if self._failed is not None and self._failed.done():
                self._failed = None
            try:
                await self._start()
            except BaseException:
                await self._release()
                raise
            self._running = True

    async def stop(self) -> None:
        async with self._lifecycle_lock:
            if not self._running:
                return
            self._running = False
            try:
                await self._stop()
            finally:
                await self._release()

    async def _start(self) -> None:
        """Hook."""

    async def _stop(self) -> None:
        """Hook."""

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        """Open a resource that stop closes, after the tasks ended, in reverse order."""
        return await self._resources.enter_async_context(resource)

    def spawn(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run a task that stop cancels and awaits; its crash is logged and completes `failed`."""
        task = asyncio.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("task_crashed", task=task.get_name(), owner=type(self).__name__, exc_info=error)
        if not self.failed.done():
            self.failed.set_result(error)

    async def _release(self) -> None:
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                _, stuck = await asyncio.wait(tasks, timeout=TASK_STOP_SECONDS)
                for task in stuck:
                    log.error("task_stuck", task=task.get_name(), owner=type(self).__name__)
        finally:
            await self._resources.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def until_stopped(stop: asyncio.Event, *parts: Lifecycle) -> None:
    """Wait for `stop`; raise the error of the first of `parts` whose task crashed before that."""
    stopping = asyncio.ensure_future(stop.wait())
    crashes = [part.failed for part in parts]
    waited: list[asyncio.Future[Any]] = [stopping, *crashes]
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for crash in crashes:
        if crash.done():
            raise crash.result()


def full_jitter(attempt: int, base: float = 0.05, cap: float = 5.0) -> float:
    """Seconds to wait before attempt `attempt + 1` (attempts count from 1): uniform in 0..min(cap, base 2^attempt)."""
    return random.uniform(0, min(cap, base * 2 ** min(attempt, 32)))  # noqa: S311 - spreads load, guards nothing

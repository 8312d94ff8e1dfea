"""The one queue of the operator: keys of resources, each in it at most once, taken in batches. Knows nothing of Kafka.

It is taken kind by kind, so that an api that does not answer holds up no topic.

A key that arrives while a batch with it is in flight enters again at the tail when that batch is done, so one key is
never worked on twice at a time. The queue is bounded; a full one raises, since an operator that drops keys lies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from signalink_core.errors import QueueFull
from signalink_core.telemetry import names as metric_names
from signalink_operator.model import Key


class KeyQueue:
    """First in, first out. `most`: keys it holds; `batch` and `linger_seconds`: what ends a batch."""

    def __init__(
        self,
        most: int = 20_000,
        batch: int = 100,
        linger_seconds: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._batch, self._linger, self._clock = most, batch, linger_seconds, clock
        self._waiting: dict[str, dict[Key, None]] = {}
        self._in_flight: set[Key] = set()
        self._again: dict[Key, None] = {}
        self._later: dict[Key, float] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values())) + len(self._again)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is worked on; retries that are not due do not count."""
        return not len(self) and not self._in_flight

    def put(self, key: Key) -> None:
        """Have it worked on soon. Raises QueueFull."""
        self._later.pop(key, None)
        waiting = self._waiting.setdefault(key.kind, {})
        if key in waiting or key in self._again:
            return
        if len(self) >= self._most:
            raise QueueFull(f"{self._most} resources wait to be looked at.", next_step="start the operator again.")
        (self._again if key in self._in_flight else waiting)[key] = None
        self._changed()

    def put_later(self, key: Key, seconds: float) -> None:
        """Have it worked on after a while, unless something puts it earlier."""
        self._later[key] = self._clock() + seconds
        self._wake.set()

    def forget(self, key: Key) -> None:
        """It is gone: no retry of it is due any more."""
        self._later.pop(key, None)

    async def take(self, kind: str) -> list[Key]:
        """The next batch of a kind, oldest first: waits for a first key, then for more until it is full or time is up.

        One caller at a time for each kind.
        """
        waiting = self._waiting.setdefault(kind, {})
        await self._until(lambda: bool(waiting), None)
        await self._until(lambda: len(waiting) >= self._batch, self._clock() + self._linger)
        keys = list(waiting)[: self._batch]
        for key in keys:
            del waiting[key]
        self._in_flight.update(keys)
        metric_names.OPERATOR_BATCH_KEYS.observe(len(keys))
        self._changed()
        return keys

    def done(self, keys: Iterable[Key]) -> None:
        """These are not in flight any more."""
        for key in keys:
            self._in_flight.discard(key)
            if key in self._again:
                del self._again[key]
                self._waiting.setdefault(key.kind, {})[key] = None
        self._changed()

    async def _until(self, condition: Callable[[], bool], deadline: float | None) -> None:
        while True:
            self._wake.clear()
            self._release_due()
            if condition():
                return
            due = min((*self._later.values(), *(() if deadline is None else (deadline,))), default=None)
            seconds = None if due is None else max(0.0, due - self._clock())
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                if deadline is not None and self._clock() >= deadline:
                    return

    def _release_due(self) -> None:
        now = self._clock()
        for key in [key for key, due in self._later.items() if due <= now]:
            self.put(key)

    def _changed(self) -> None:
        metric_names.OPERATOR_QUEUE_KEYS.set(len(self))
        self._wake.set()

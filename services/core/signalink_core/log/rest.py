"""Back-off per shard or topic, so that one Kafka does not take leaves the others alone. Pure but for the clock."""

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from signalink_core.lifecycle import full_jitter

BASE_SECONDS = 0.05
CAP_SECONDS = 2.0
K = TypeVar("K", bound=Hashable)


class Rest(Generic[K]):
    """Counts the failures of each in a row; full jitter up to `cap` seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, cap: float = CAP_SECONDS) -> None:
        self._clock = clock
        self._cap = cap
        self._failures: dict[K, int] = {}
        self._until: dict[K, float] = {}

    def failed(self, ones: Iterable[K]) -> None:
        """These wait before they are tried again."""
        for one in ones:
            self._failures[one] = self._failures.get(one, 0) + 1
            self._until[one] = self._clock() + full_jitter(self._failures[one], BASE_SECONDS, self._cap)

    def succeeded(self, ones: Iterable[K]) -> None:
        """These start again from the shortest wait."""
        for one in ones:
            self._failures.pop(one, None)
            self._until.pop(one, None)

    def failing(self, one: K) -> bool:
        """Whether it failed the last time, resting or not."""
        return one in self._failures

    def failed_ones(self) -> set[K]:
        """All that failed the last time."""
        return set(self._failures)

    def resting(self) -> list[K]:
        """Those that must wait now."""
        now = self._clock()
        return [one for one, until in self._until.items() if until > now]

    def awake(self, held: dict[K, int]) -> dict[K, int]:
        """Those of `held` that need not wait now."""
        now = self._clock()
        return {one: epoch for one, epoch in held.items() if self._until.get(one, 0.0) <= now}

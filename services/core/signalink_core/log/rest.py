"""Back-off per shard, so that a shard Kafka does not take leaves the others alone. Pure but for the clock."""

import time
from collections.abc import Callable, Iterable

from signalink_core.lifecycle import full_jitter

BASE_SECONDS = 0.05
CAP_SECONDS = 2.0


class Rest:
    """Counts the failures of each shard in a row; full jitter up to 2 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[int, int] = {}
        self._until: dict[int, float] = {}

    def failed(self, shards: Iterable[int]) -> None:
        """These wait before they are tried again."""
        for shard in shards:
            self._failures[shard] = self._failures.get(shard, 0) + 1
            self._until[shard] = self._clock() + full_jitter(self._failures[shard], BASE_SECONDS, CAP_SECONDS)

    def succeeded(self, shards: Iterable[int]) -> None:
        """These start again from the shortest wait."""
        for shard in shards:
            self._failures.pop(shard, None)
            self._until.pop(shard, None)

    def awake(self, held: dict[int, int]) -> dict[int, int]:
        """Those of `held` that need not wait now."""
        now = self._clock()
        return {shard: epoch for shard, epoch in held.items() if self._until.get(shard, 0.0) <= now}

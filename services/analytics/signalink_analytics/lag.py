"""Records that wait for this group in Kafka, asked for when somebody wants to know, and remembered for some seconds."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from signalink_analytics import GROUP
from signalink_core.kafka import groups
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry.logging import get_logger

REMEMBERED_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 2.0
log = get_logger(__name__)


class Lag:
    """Many who ask at once cost one look; while Kafka is away the answer is None, at once for some seconds."""

    def __init__(self, kafka: KafkaSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kafka, self._clock = kafka, clock
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._found: Mapping[str, int] | None = None

    async def now(self) -> Mapping[str, int] | None:
        """By topic; None: Kafka does not tell."""
        async with self._looking:
            if self._clock() - self._looked_at > REMEMBERED_SECONDS:
                self._found = await self._look()
                self._looked_at = self._clock()
        return self._found

    async def _look(self) -> Mapping[str, int] | None:
        try:
            found = await groups.progress(self._kafka, within=ANSWER_SECONDS)
        except KafkaUnavailable as error:
            log.warning("lag_unknown", error=str(error))
            return None
        counted: Counter[str] = Counter()
        for each in found:
            if each.group == GROUP:
                counted[each.topic] += each.lag
        return counted

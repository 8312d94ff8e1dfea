"""Three consumers restarted one after another under load: nothing lost, nothing twice, and short pauses."""

import asyncio
import itertools
import time
from collections import defaultdict
from typing import Any
from uuid import UUID

import pytest
from consuming import GROUP, RealRig, message
from test_consumer_contract import WITHIN

from signalink_core.ids import uuid7
from signalink_core.kafka.consumer import ConsumerLimits, KafkaConsumerManager
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.records import partition_of
from signalink_core.testing import eventually

CHANNELS, PARTITIONS = 50, 12
PER_BURST, EVERY_SECONDS, PAUSE_SECONDS = 100, 0.1, 5.0


class Load:
    """1,000 events a second over all partitions, until `stop` is set; `sent` counts them."""

    def __init__(self, real: RealRig) -> None:
        self.real, self.stop, self.sent = real, asyncio.Event(), 0
        self.seqs: dict[UUID, int] = {}
        while len({self._partition(channel) for channel in self.seqs}) < PARTITIONS or len(self.seqs) < CHANNELS:
            self.seqs[uuid7()] = 0

    async def run(self) -> None:
        while not self.stop.is_set():
            burst = [self._next(channel) for channel in [*self.seqs] * max(1, PER_BURST // len(self.seqs))]
            await self.real.send(*burst)
            self.sent += len(burst)
            await asyncio.wait({asyncio.ensure_future(self.stop.wait())}, timeout=EVERY_SECONDS)

    @staticmethod
    def _partition(channel: UUID) -> int:
        return partition_of(str(channel).encode(), PARTITIONS)

    def _next(self, channel: UUID) -> Any:
        self.seqs[channel] += 1
        return message(channel, self.seqs[channel], str(self.seqs[channel]))


@pytest.mark.engine("postgres", "kafka")
async def test_a_rolling_restart_pauses_no_partition_for_long_and_loses_nothing(real: RealRig) -> None:
    times: dict[int, list[float]] = defaultdict(list)

    async def effect(tx: Any, batch: Batch) -> None:
        times[batch.partition].append(time.monotonic())
        rows = [(GROUP, d.event.data["body"], d.event.id) for d in batch.events]
        await tx.executemany("INSERT INTO proof.effects VALUES (DEFAULT, $1, $2, $3)", rows)

    def member(number: int) -> KafkaConsumerManager:
        return real.manager(effect, node=f"m{number}", limits=ConsumerLimits())

    load, members = Load(real), [member(n) for n in range(3)]
    for each in members:
        await each.start()
    sending = asyncio.ensure_future(load.run())
    await eventually(lambda: len(times) == 12, within=WITHIN)
    for number in range(3):
        await members[number].stop()
        members[number] = member(number)
        await members[number].start()
        await eventually(lambda: sorted(len(each.assignment) for each in members) == [4, 4, 4], within=WITHIN)
        moment = time.monotonic()
        await eventually(lambda moment=moment: all(seen[-1] > moment for seen in times.values()), within=WITHIN)
    load.stop.set()
    await sending

    async def whole() -> bool:
        count: int = await real.admin.fetchval("SELECT count(*) FROM proof.effects")
        return count >= load.sent

    await eventually(whole, within=30)
    for each in members:
        await each.stop()
    found = [event for _, event in await real.effects()]
    assert len(found) == len(set(found)) == load.sent
    pauses = {place: max(b - a for a, b in itertools.pairwise(seen)) for place, seen in times.items()}
    assert max(pauses.values()) <= PAUSE_SECONDS, pauses

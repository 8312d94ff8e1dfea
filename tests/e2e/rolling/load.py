"""Messages at a steady rate, straight into topic `messages`, in the form and order that the relay gives them.

Owns the events, their channels over all partitions, and how many were confirmed. They are in no log: what is shown here
is the consumers' part, and posts at this rate would take the machine from them.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

from signalink_core.clock import isoformat, utc_now
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value, types
from signalink_core.ids import uuid7
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record, partition_of
from signalink_core.settings import KafkaSettings

PARTITIONS = 12
CHANNELS = 48
EVERY_SECONDS = 0.05


class Load:
    """`per_second` events until `stop` is set; late bursts are made up for, so the rate holds over the run."""

    def __init__(self, kafka: KafkaSettings, per_second: int) -> None:
        self._kafka, self._per_second = kafka, per_second
        self.stop = asyncio.Event()
        self.sent, self.seconds = 0, 0.0
        self._senders = [uuid7() for _ in range(20)]
        self.seqs: dict[UUID, int] = {}
        while len({_partition(channel) for channel in self.seqs}) < PARTITIONS or len(self.seqs) < CHANNELS:
            self.seqs[uuid7()] = 0
        self._order = list(self.seqs)

    async def run(self) -> None:
        began = time.monotonic()
        async with KafkaProducer(self._kafka, client_id="rolling-load") as producer:
            while not self.stop.is_set():
                self.seconds = time.monotonic() - began
                due = int(self.seconds * self._per_second) - self.sent
                await self._send(producer, [self._record(self.sent + n) for n in range(due)])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), EVERY_SECONDS)

    async def _send(self, producer: KafkaProducer, records: Sequence[Record]) -> None:
        """A batch that was not confirmed may be there all the same; sent again it would be a repeat: there are none."""
        failed = [outcome for outcome in await producer.send_batches(records) if outcome is not None]
        if failed:
            raise RuntimeError(f"{len(failed)} events were not confirmed: {failed[0]}")
        self.sent += len(records)

    def _record(self, number: int) -> Record:
        channel = self._order[number % len(self._order)]
        self.seqs[channel] += 1
        seq, sender, now = self.seqs[channel], self._senders[number % len(self._senders)], utc_now()
        data = {"id": str(uuid7()), "channel_id": str(channel), "seq": seq, "sender_id": str(sender)}
        data |= {"client_id": f"rolling-{number}", "body": f"number {number}", "format": "text", "metadata": {}}
        event = Event(uuid7(), types.MESSAGE_CREATED, now, 1, data | {"created_at": isoformat(now)}, channel, seq)
        return Record("messages", kafka_key(event), kafka_value(event), kafka_headers(event))


def _partition(channel: UUID) -> int:
    return partition_of(str(channel).encode(), PARTITIONS)

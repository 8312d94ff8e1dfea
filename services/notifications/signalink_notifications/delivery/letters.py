"""What becomes of a delivery after its last attempt: a letter in dlq.notifications, confirmed, then state `failed`.

The letter is that of the record the delivery came in, with the dispatcher's group, so `signalink dlq` lists it, and a
redrive makes every failed delivery of its event pending again. It says a closed reason and nothing that is private.
"""

from collections.abc import Sequence
from typing import Any, Final

from signalink_core.errors import DependencyUnavailable
from signalink_core.kafka import dead_letters, offsets
from signalink_core.kafka.records import Producer, StoredRecord
from signalink_core.kafka.store import Parked
from signalink_core.telemetry import logging, names
from signalink_notifications import SCHEMA
from signalink_notifications.delivery.rows import Deliveries, Held, Original

GROUP: Final = "signalink-notifications-dispatch"
TOPIC: Final = "notifications"
PARK: Final = offsets.PARK.replace("$.", f"{SCHEMA}.")
log = logging.get_logger(__name__)


class Letters:
    """Gives deliveries up."""

    def __init__(self, deliveries: Deliveries, producer: Producer) -> None:
        self._deliveries, self._producer = deliveries, producer

    async def give_up(self, channel: str, held: Sequence[Held], reason: str) -> None:
        """Raises DependencyUnavailable while Kafka does not confirm (nothing is kept then), and Stale."""
        originals = await self._deliveries.originals(held)
        parked = [_parked(one, f"{channel}_{reason}") for one in originals]
        records = [dead_letters.letter(_stored(one), GROUP, row) for one, row in zip(originals, parked, strict=True)]
        for problem in await self._producer.send_batches(records):
            if problem is not None:
                raise DependencyUnavailable(f"The letter was not confirmed: {problem.detail}")
        await self._deliveries.fail(held, reason, PARK, [_row(row) for row in parked])
        names.DLQ_RECORDS_TOTAL.labels(topic=TOPIC, error_type="effect").inc(len(held))
        for one in held:
            log.warning(
                "delivery_failed", channel=channel, delivery=str(one.id), reason=reason, attempts=one.made,
                next="signalink dlq list notifications",
            )  # fmt: skip


def _stored(original: Original) -> StoredRecord:
    origin = original.origin
    return StoredRecord(
        origin.topic, origin.partition, origin.offset, original.key, original.value, original.headers, 0
    )


def _parked(original: Original, error: str) -> Parked:
    return Parked(
        original.origin, error, original.attempts, original.asked_at, original.last_at, event_id=original.event_id
    )


def _row(parked: Parked) -> tuple[Any, ...]:
    """The parameters of `offsets.PARK`; these events have neither channel nor seq."""
    place = (parked.event_id, None, None, None)
    return (GROUP, *parked.origin, *place, parked.error, parked.attempts, parked.first_at, parked.last_at)

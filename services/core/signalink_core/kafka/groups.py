"""How far every consumer group is: its committed offsets beside the ends of the partitions. Read from outside.

Owns asking the broker. A principal sees the groups it may describe; what becomes of the figures is the caller's.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.settings import KafkaSettings

ANSWER_SECONDS: Final = 5.0
STOP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """One group in one partition. `offset`: the next record it asked to read; `lag`: records behind the end."""

    group: str
    topic: str
    partition: int
    offset: int
    lag: int


async def progress(kafka: KafkaSettings, *, within: float = ANSWER_SECONDS) -> list[Progress]:
    """Every group and partition with a committed offset, under this deployment's prefix, names without it.

    Raises KafkaUnavailable when Kafka does not answer within so many seconds.
    """
    common: dict[str, Any] = {**kafka.client_kwargs(), "client_id": "signalink-groups"}
    admin = AIOKafkaAdminClient(**common, request_timeout_ms=int(within * 1000))
    consumer = AIOKafkaConsumer(**common, enable_auto_commit=False, request_timeout_ms=int(within * 1000))
    try:
        async with asyncio.timeout(within):
            await admin.start()
            committed = await _committed(admin, kafka.topic_prefix)
            await consumer.start()
            ends = await _ends(consumer, {place for _, place in committed})
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka did not tell the offsets of its groups within {within:g} s: {error!r}.",
            next_step="check that the broker runs and that this principal may describe groups and topics.",
        ) from error
    finally:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(admin.close(), STOP_SECONDS)
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(consumer.stop(), STOP_SECONDS)
    cut = len(kafka.topic_prefix)
    return [
        Progress(group[cut:], place.topic[cut:], place.partition, offset, max(0, ends[place] - offset))
        for (group, place), offset in sorted(committed.items())
        if place in ends
    ]


async def _committed(admin: AIOKafkaAdminClient, prefix: str) -> dict[tuple[str, TopicPartition], int]:
    found: dict[tuple[str, TopicPartition], int] = {}
    groups = sorted(name for name, *_ in await admin.list_consumer_groups() if name.startswith(prefix))
    for group in groups:
        for place, committed in (await admin.list_consumer_group_offsets(group)).items():
            if committed.offset >= 0 and place.topic.startswith(prefix):
                found[group, place] = committed.offset
    return found


async def _ends(consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Only of topics that this principal may see."""
    known = await consumer.topics()
    wanted = [place for place in places if place.topic in known]
    return dict(await consumer.end_offsets(wanted)) if wanted else {}

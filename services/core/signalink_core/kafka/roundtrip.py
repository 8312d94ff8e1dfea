"""One record through a topic made for it and removed again: shows that a broker keeps what it acknowledged.

For the promise of the broker's chart; needs the rights of the super user.
"""

import asyncio
import contextlib
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from signalink_core.kafka import reader
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.settings import KafkaSettings

SECONDS: Final = 30.0


async def written_and_read(kafka: KafkaSettings, topic: str, value: bytes, *, within: float = SECONDS) -> list[bytes]:
    """Values that another client reads from `topic` after one record was acknowledged. Raises KafkaUnavailable."""
    name = kafka.topic(topic)
    admin = AIOKafkaAdminClient(**kafka.client_kwargs(), client_id="signalink-roundtrip")
    try:
        async with asyncio.timeout(within):
            await admin.start()
            await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
            await _send(kafka, name, value)
            records = await reader.read_topic(kafka, topic, within=within)
            return [record.value or b"" for record in records]
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka did not take and give back a record within {within:g} s ({type(error).__name__}).",
            next_step="check that the broker runs and that this principal may make topics.",
        ) from error
    finally:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(5):
                await admin.delete_topics([name])
        with contextlib.suppress(KafkaError, OSError):
            await admin.close()


async def _send(kafka: KafkaSettings, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(**kafka.client_kwargs(), acks="all", client_id="signalink-roundtrip")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()

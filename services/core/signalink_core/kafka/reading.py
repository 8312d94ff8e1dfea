"""A client for one bounded look into a topic, without a group: opened, closed, given up in time, errors in our words.

What is read, a whole topic (`reader`) or one record (`search`), is theirs; consuming for ever is `consumer`'s.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from signalink_core.kafka.errors import KafkaUnavailable, TopicMissing
from signalink_core.settings import KafkaSettings

FETCH_MS: Final = 500
STOP_SECONDS: Final = 1.0


@contextlib.asynccontextmanager
async def client(
    kafka: KafkaSettings, topic: str, *, within: float, assigned: bool, **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """A started client; `within` seconds for all that is done with it. `assigned`: with every partition of `topic`.

    Raises TopicMissing, or KafkaUnavailable when Kafka does not answer in time.
    """
    name = kafka.topic(topic)
    made = AIOKafkaConsumer(
        *([name] if assigned else []),
        **kafka.client_kwargs(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **options,
    )
    try:
        async with asyncio.timeout(within):
            await made.start()
            yield made
    except UnknownTopicOrPartitionError as error:
        raise TopicMissing(
            f"Kafka has no topic {name} that this principal may see.", next_step="apply its manifest."
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka did not answer within {within:g} s about topic {topic} ({type(error).__name__}).",
            next_step="check that the broker runs and that this principal may read the topic.",
        ) from error
    finally:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(made.stop(), STOP_SECONDS)

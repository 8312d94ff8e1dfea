"""How many partitions topics have, asked once; for who needs to know that it has heard of all of them."""

from collections.abc import Sequence

from signalink_core.kafka import reading
from signalink_core.kafka.errors import TopicMissing
from signalink_core.settings import KafkaSettings

ANSWER_SECONDS = 5.0


async def count(kafka: KafkaSettings, topics: Sequence[str], *, within: float = ANSWER_SECONDS) -> dict[str, int]:
    """Topic -> partitions. Raises TopicMissing, or KafkaUnavailable when Kafka does not answer in time."""
    found: dict[str, int] = {}
    name = "signalink-partitions"
    async with reading.client(kafka, topics[0], within=within, assigned=False, client_id=name) as client:
        for topic in topics:
            # Without a subscription the client has to be told to ask.
            known = await client._client._wait_on_metadata(kafka.topic(topic))
            if not known:
                detail = f"Kafka has no topic {topic} that this principal may see."
                raise TopicMissing(detail, next_step="apply its manifest.")
            found[topic] = len(known)
    return found

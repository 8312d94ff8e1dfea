"""After a restore of Postgres: every consumer's stored offset goes to the end of its topics, as owner, nothing running.

Records that are in Kafka may tell of events that the restored log does not have; none of them is read again. The log is
then published anew behind these offsets (`log.rewind`), and positions skip what a consumer had.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from signalink_core.kafka.batching import Place
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.settings import KafkaSettings

ANSWER_SECONDS: Final = 20.0
STOP_SECONDS: Final = 1.0

SCHEMAS: Final = """
SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'offsets' AND c.relkind = 'r' AND EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'consumer_group'
) ORDER BY 1
"""
# $1 topics, $2 partitions, $3 ends. A topic that Kafka lost begins again at 0.
MOVE: Final = """
WITH ends AS (SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) e (topic, partition, ends)),
readers AS (SELECT DISTINCT consumer_group, topic FROM $.offsets),
known AS (
    INSERT INTO $.offsets AS o (consumer_group, topic, partition, next_offset)
    SELECT r.consumer_group, e.topic, e.partition, e.ends FROM readers r JOIN ends e USING (topic)
    ON CONFLICT (consumer_group, topic, partition)
    DO UPDATE SET next_offset = excluded.next_offset, updated_at = clock_timestamp()
    RETURNING 1
),
lost AS (
    UPDATE $.offsets o SET next_offset = 0, updated_at = clock_timestamp()
    WHERE NOT EXISTS (SELECT FROM ends e WHERE e.topic = o.topic AND e.partition = o.partition) RETURNING 1
)
SELECT (SELECT count(*) FROM known) + (SELECT count(*) FROM lost)
"""


async def ends(kafka: KafkaSettings, *, within: float = ANSWER_SECONDS) -> dict[Place, int]:
    """The end of every partition of this deployment, topics without its prefix.

    Raises KafkaUnavailable when Kafka does not tell within so many seconds.
    """
    words: dict[str, Any] = {**kafka.client_kwargs(), "client_id": "signalink-restored"}
    consumer = AIOKafkaConsumer(**words, enable_auto_commit=False)
    try:
        async with asyncio.timeout(within):
            await consumer.start()
            return await _ends(consumer, kafka.topic_prefix)
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka did not tell the ends of its topics within {within:g} s: {error!r}.",
            next_step="check that the broker runs and that this principal may describe topics.",
        ) from error
    finally:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(consumer.stop(), STOP_SECONDS)


async def _ends(consumer: AIOKafkaConsumer, prefix: str) -> dict[Place, int]:
    from aiokafka import TopicPartition

    # The consumer itself knows the partitions of topics alone that it subscribed to.
    cluster = await consumer._client.fetch_all_metadata()
    names = [name for name in cluster.topics() if name.startswith(prefix) and not name.startswith("__")]
    wanted = [TopicPartition(name, part) for name in names for part in cluster.partitions_for_topic(name) or ()]
    found = await consumer.end_offsets(wanted) if wanted else {}
    return {(place.topic[len(prefix) :], place.partition): end for place, end in found.items()}


async def to_the_end(conn: asyncpg.Connection, found: Mapping[Place, int]) -> dict[str, int]:
    """Schema -> how many offsets now stand at the end. Raises what Postgres raises."""
    words = [[place[0] for place in found], [place[1] for place in found], list(found.values())]
    moved: dict[str, int] = {}
    for row in await conn.fetch(SCHEMAS):
        moved[row["schema"]] = await conn.fetchval(MOVE.replace("$.", f'"{row["schema"]}".'), *words)
    return moved

"""Reads what is judged: the log and its outboxes as their owner, the topics whole. It compares nothing."""

from collections.abc import Sequence
from typing import Any

from judging import Row
from rig import Platform

from signalink_core.database import pool

ROWS = """
SELECT event_id, topic, type, channel_id, epoch, seq, payload ->> 'client_id' AS client_id,
    payload ->> 'sender_id' AS sender_id, aggregateid AS message_id
FROM {schema}.events ORDER BY epoch, xid, id
"""
PENDING = """
SELECT count(*) AS n FROM {schema}.events e JOIN {schema}.relay_cursors c USING (shard)
WHERE (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id)
"""


async def fetch(platform: Platform, statement: str, *arguments: Any) -> Sequence[Row]:
    """As the owner of every schema."""
    connection = await pool.connect(platform.postgres("owner"), command_timeout=60)
    try:
        return list(await connection.fetch(statement, *arguments))
    finally:
        await connection.close()


async def rows(platform: Platform, schema: str = "messaging") -> Sequence[Row]:
    """The whole log of a schema, in its own order."""
    return await fetch(platform, ROWS.format(schema=schema))


async def pending(platform: Platform, schema: str = "messaging") -> int:
    """Rows of that log which its relay has not published."""
    return int((await fetch(platform, PENDING.format(schema=schema)))[0]["n"])

"""The parked rows of every service, for a person at work on dead letters; as the owner of the schemas.

Which schemas have such a table is looked up, so a service that was plugged in later is seen too. The table itself, and
what a consumer does with it, is `offsets`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from signalink_core.kafka.delivery import Origin

SCHEMAS: Final = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'dlq_confirmed_at' AND NOT a.attisdropped
WHERE c.relname = 'parked' AND c.relkind = 'r' ORDER BY 1
"""
ROWS: Final = """
SELECT consumer_group, topic, partition, record_offset, attempts, first_at, redriven_at, dropped_at FROM "$".parked
"""
_KEY: Final = "consumer_group = $1 AND topic = $2 AND partition = $3 AND record_offset = $4 AND dropped_at IS NULL"
REDRIVEN: Final = f'UPDATE "$".parked SET redriven_at = clock_timestamp() WHERE {_KEY} RETURNING true'  # noqa: S608
DROPPED: Final = f'UPDATE "$".parked SET dropped_at = clock_timestamp() WHERE {_KEY} RETURNING true'  # noqa: S608

Key = tuple[str, Origin]
"""(group, where the record was first read)"""


@dataclass(frozen=True, slots=True)
class Row:
    """A record that waits, or that was dropped; `attempts` of all its rounds."""

    schema: str
    attempts: int
    first_at: datetime
    redriven_at: datetime | None
    dropped_at: datetime | None


async def find(conn: asyncpg.Connection) -> Mapping[Key, Row]:
    """All of them. A record whose letter has no row was applied after its redrive."""
    found: dict[Key, Row] = {}
    for (schema,) in await conn.fetch(SCHEMAS):
        for row in await conn.fetch(ROWS.replace("$", schema)):
            key = row["consumer_group"], Origin(row["topic"], row["partition"], row["record_offset"])
            found[key] = Row(schema, row["attempts"], row["first_at"], row["redriven_at"], row["dropped_at"])
    return found


async def mark_redriven(conn: asyncpg.Connection, schema: str, key: Key) -> bool:
    """Say that the record is on its way; False when it does not wait any more."""
    return bool(await conn.fetchval(_of(schema, REDRIVEN), key[0], *key[1]))


async def drop(conn: asyncpg.Connection, schema: str, key: Key) -> bool:
    """From now on no redrive applies it; False when it does not wait any more."""
    return bool(await conn.fetchval(_of(schema, DROPPED), key[0], *key[1]))


def _of(schema: str, statement: str) -> str:
    return statement.replace('"$"', f'"{schema}"')

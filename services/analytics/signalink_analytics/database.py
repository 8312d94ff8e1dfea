"""Connections to Postgres for counting and keeping, opened as soon as it answers. Readers have their own."""

import asyncio

from signalink_core.database.pool import Pool, open_pool
from signalink_core.lifecycle import full_jitter
from signalink_core.log.outbox import ERRORS
from signalink_core.readiness import Readiness
from signalink_core.settings import PostgresSettings

OWN_CONNECTIONS = 2
"""Beside those of the partitions: one loads offsets, one keeps (`keeper`)."""


async def wait_for(settings: PostgresSettings, concurrency: int, readiness: Readiness) -> Pool:
    """A pool for so many partitions at once; tries until Postgres answers and says why not until then."""
    attempt = 0
    while True:
        try:
            return await open_pool(settings, max_size=concurrency + OWN_CONNECTIONS)
        except ERRORS as error:
            attempt += 1
            readiness.set("postgres", "down", repr(error))
            await asyncio.sleep(full_jitter(attempt, cap=2.0))

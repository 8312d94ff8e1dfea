"""How many different users: counted while every period's set is exact, else united from the sketches of the periods.

Below `service`: decides which of the two ways, through `repository`. The sketch itself is `distinct`'s.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from signalink_analytics import distinct, repository
from signalink_analytics.answers import ActiveStretch
from signalink_analytics.answers import Distinct as Answer
from signalink_analytics.ranges import Kept, Segment, stretch


async def users(db: asyncpg.Connection, segments: Sequence[Segment], channels: Sequence[UUID] | None) -> Answer:
    """Different users who did something in the segments: of the platform (None), or in these channels."""
    sketches = await repository.sketches(db, segments) if channels is None else []
    if not sketches:
        return Answer(value=await repository.distinct_users(db, segments, channels), exact=True, error=None)
    others = await repository.users_without_sketch(db, segments)
    # Hashing 100,000 users takes 0.2 s: not on the loop.
    return Answer(value=await asyncio.to_thread(_united, sketches, others), exact=False, error=round(distinct.ERROR, 4))


def _united(sketches: Sequence[bytes], others: Sequence[str]) -> int:
    made = distinct.Distinct()
    made.unite(sketches)
    made.update(others)
    return made.count


async def last(
    db: asyncpg.Connection, now: datetime, length: timedelta, kept: Kept, channels: Sequence[UUID] | None
) -> ActiveStretch:
    """Those of the last hours or days."""
    segments, cut = stretch(now, length, kept)
    found = await users(db, segments, channels)
    return ActiveStretch(start=segments[0].start, end=now, users=found, cut=cut)

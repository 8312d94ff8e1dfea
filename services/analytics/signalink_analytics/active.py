"""How many different users: exactly while that is affordable, beyond it from the sketches of hours and days.

A service of `service`: decides which of the two ways, through `repository`. The sketch itself is `distinct`'s.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from signalink_analytics import distinct, repository
from signalink_analytics.answers import ActiveStretch, Distinct
from signalink_analytics.ranges import Kept, Segment, stretch

AFFORDABLE_ROWS: Final = 100_000
"""Users of all periods of a range together that are counted one by one without a look at the sketches; about 0.1 s."""
CLEARLY: Final = 1 + 4 * distinct.ERROR
"""An estimate so far above the limit is above it."""


async def users(db: asyncpg.Connection, segments: Sequence[Segment], channels: Sequence[UUID] | None) -> Distinct:
    """Different users who did something in the segments: of the platform (None), or in these channels."""
    if channels is None:
        estimate = await _estimate(db, segments)
        if estimate is not None:
            return Distinct(value=estimate, exact=False, error=distinct.ERROR)
    return Distinct(value=await repository.distinct_users(db, segments, channels), exact=True, error=None)


async def _estimate(db: asyncpg.Connection, segments: Sequence[Segment]) -> int | None:
    """None: count them instead."""
    rows = await repository.rolled_up(db, segments)
    if sum(row["active_users"] for row in rows) <= AFFORDABLE_ROWS:
        return None
    recent = await repository.users_after_rollups(db, segments[0].start)
    found = _united((row["sketch"] for row in rows), recent)
    return found if found > distinct.EXACT * CLEARLY else None


async def last(
    db: asyncpg.Connection, now: datetime, length: timedelta, kept: Kept, channels: Sequence[UUID] | None
) -> ActiveStretch:
    """Those of the last hours or days."""
    segments, cut = stretch(now, length, kept)
    found = await users(db, segments, channels)
    return ActiveStretch(start=segments[0].start, end=now, users=found, cut=cut)


def _united(sketches: Iterable[bytes], recent: Iterable[UUID]) -> int:
    """Those of the rollups and those who are in none yet. Spelled as the rollups spell them."""
    made = distinct.Distinct()
    made.update(str(user) for user in recent)
    for sketch in sketches:
        made.unite(sketch)
    return made.count

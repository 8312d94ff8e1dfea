"""How far the figures have come: the store's own marks, and what waits in Kafka as it was told last.

Reads through `repository`; asking Kafka is left to `lag`, so that an answer never waits for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg

from signalink_analytics import repository
from signalink_analytics.answers import Freshness, Rebuild, TopicFreshness


async def read(db: asyncpg.Connection, now: datetime, lag: Mapping[str, int] | None) -> Freshness:
    """`lag`: records that wait, by topic; None: not known at the moment."""
    watermark = await repository.watermark(db)
    late = await repository.late(db)
    topics = [_topic(row, now, lag) for row in await repository.fresh_topics(db)]
    return Freshness(
        now=now,
        watermark=watermark,
        delay_seconds=_delay(now, watermark),
        final_until=await repository.final_until(db),
        lag=None if lag is None else sum(lag.values()),
        topics=topics,
        late_last_hour=late["hour"],
        late_last_day=late["day"],
        future_last_day=await repository.future(db),
        rebuild=_rebuild(await repository.running_rebuild(db)),
    )


def _topic(row: Mapping[str, Any], now: datetime, lag: Mapping[str, int] | None) -> TopicFreshness:
    return TopicFreshness(
        topic=row["topic"],
        watermark=row["watermark"],
        delay_seconds=_delay(now, row["watermark"]),
        moved_at=row["moved_at"],
        lag=None if lag is None else lag.get(row["topic"]),
    )


def _delay(now: datetime, watermark: datetime | None) -> float | None:
    """Never below zero: the clocks of this process and of Postgres may differ a little."""
    return None if watermark is None else round(max(0.0, (now - watermark).total_seconds()), 3)


def _rebuild(row: Mapping[str, Any] | None) -> Rebuild | None:
    if row is None:
        return None
    return Rebuild(
        start=row["from_window"], end=row["until_window"], reached=row["next_window"], started_at=row["started_at"]
    )

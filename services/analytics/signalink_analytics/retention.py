"""Forgetting: each level after its time, minutes and hours only once the next level has them. In short transactions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from signalink_analytics import rollup
from signalink_analytics.settings import Retention

MINUTE_TABLES: Final = ("user_metrics", "channel_metrics", "message_metrics")


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows of `table` whose `column` is before a moment go, those that are not `below` yet stay."""

    table: str
    column: str
    days: int
    below: str | None = None
    only: str = ""

    def where(self) -> str:
        kept = f" AND {self.column} < analytics.reached('{self.below}')" if self.below else ""
        return f"{self.column} < $1{kept}{self.only}"


def cuts(kept: Retention) -> list[Cut]:
    """What goes, the finest first; the windows' rows before the platform's, by which rollups find what there is."""
    late, presence = kept.keep_late_days, kept.keep_presence_days
    return [
        *(Cut(table, "window_start", kept.keep_minutes_days, "hour") for table in MINUTE_TABLES),
        *(Cut(table, "window_start", kept.keep_hours_days, "day") for table in reversed(rollup.HOUR.tables)),
        *(Cut(table, "window_start", kept.keep_days_days) for table in reversed(rollup.DAY.tables)),
        Cut("rollups", "window_start", kept.keep_hours_days, "day", " AND level = 'hour'"),
        Cut("rollups", "window_start", kept.keep_days_days, None, " AND level = 'day'"),
        Cut("late_events", "recorded_at", late),
        Cut("clamped_events", "recorded_at", late),
        Cut("presence_changes", "changed_at", presence),
        Cut("presence_metrics", "window_start", presence),
        Cut("presence_levels", "at", presence),
    ]


async def forget(conn: asyncpg.Connection, kept: Retention, now: datetime) -> dict[str, int]:
    """Table -> rows that went, of those that had any."""
    gone: dict[str, int] = {}
    for cut in cuts(kept):
        rows = await rollup.remove(conn, cut.table, cut.where(), now - timedelta(days=cut.days))
        gone[cut.table] = gone.get(cut.table, 0) + rows
    return {table: rows for table, rows in gone.items() if rows}

"""At a realistic size the figures are read through indexes: plans of Postgres over a quarter of a year of windows.

400 channels and 1,000 users: a week of minutes, 90 days of hours, rolled up until an hour ago.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from signalink_analytics import SCHEMA, active, repository
from signalink_analytics.ranges import Asked, IntervalName, Span, plan, stretch
from signalink_core.database import migrate
from signalink_stacks.local.testing import Database
from signalink_stacks.local.testing.databases import run

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)
KEPT = {"1m": timedelta(days=7), "1h": timedelta(days=90), "1d": timedelta(days=1095)}
PAGES_OF_A_SECOND = 100_000
"""Cached pages of 8 KB that Postgres looks at in about a second; an answer should need far less."""

SEED = """
CREATE FUNCTION pg_temp.channel(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.person(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
INSERT INTO analytics.message_metrics (window_start, part, messages)
    SELECT w, p, 1 FROM generate_series($1 - interval '7 days', $1, '1 minute') w, generate_series(0, 11) p;
INSERT INTO analytics.channel_metrics (window_start, channel_id, messages, lengths)
    SELECT w, pg_temp.channel((extract(epoch FROM w)::bigint / 60 * 7 + n) % 400), 1, '{0,1}'
    FROM generate_series($1 - interval '7 days', $1, '1 minute') w, generate_series(1, 10) n;
INSERT INTO analytics.user_metrics (window_start, user_id, channel_id, messages)
    SELECT w, pg_temp.person((extract(epoch FROM w)::bigint / 60 * 11 + n) % 1000),
        pg_temp.channel((extract(epoch FROM w)::bigint / 60 * 7 + n) % 400), 1
    FROM generate_series($1 - interval '7 days', $1, '1 minute') w, generate_series(1, 10) n;
INSERT INTO analytics.rollups (level, window_start, generation, active_users, exact)
    SELECT 'hour', w, 1, 1000, true FROM generate_series($2 - interval '90 days', $2 - interval '1 hour', '1 hour') w;
INSERT INTO analytics.message_hours (window_start, generation, messages)
    SELECT w, 1, 60 FROM generate_series($2 - interval '90 days', $2 - interval '1 hour', '1 hour') w;
INSERT INTO analytics.channel_hours (window_start, channel_id, messages, generation)
    SELECT w, pg_temp.channel(n), 3, 1
    FROM generate_series($2 - interval '90 days', $2 - interval '1 hour', '1 hour') w, generate_series(0, 399, 4) n;
INSERT INTO analytics.user_hours (window_start, user_id, channel_id, messages, generation)
    SELECT w, pg_temp.person((extract(epoch FROM w)::bigint / 3600 + n) % 1000), pg_temp.channel(n % 400), 3, 1
    FROM generate_series($2 - interval '90 days', $2 - interval '1 hour', '1 hour') w, generate_series(0, 99) n;
INSERT INTO analytics.rollups (level, window_start, generation, active_users, exact)
    SELECT 'day', w, 1, 1000, true FROM generate_series($3 - interval '400 days', $3 - interval '1 day', '1 day') w;
INSERT INTO analytics.message_days (window_start, generation, messages)
    SELECT w, 1, 60 FROM generate_series($3 - interval '400 days', $3 - interval '1 day', '1 day') w;
INSERT INTO analytics.channel_days (window_start, channel_id, messages, generation)
    SELECT w, pg_temp.channel(n), 3, 1
    FROM generate_series($3 - interval '400 days', $3 - interval '1 day', '1 day') w, generate_series(0, 399) n;
INSERT INTO analytics.user_days (window_start, user_id, channel_id, messages, generation)
    SELECT w, pg_temp.person(n), pg_temp.channel((2 * n + c) % 400), 3, 1
    FROM generate_series($3 - interval '90 days', $3 - interval '1 day', '1 day') w, generate_series(0, 999) n,
        generate_series(0, 1) c;
UPDATE analytics.progress SET reached = $2 WHERE name <> 'day';
UPDATE analytics.progress SET reached = $3 WHERE name = 'day';
"""
TABLES = {
    "message_metrics", "channel_metrics", "user_metrics", "message_hours", "channel_hours", "user_hours",
    "message_days", "channel_days", "user_days", "rollups",
}  # fmt: skip


@pytest.fixture(scope="module")
def large(postgres: Any) -> Iterator[Database]:
    """One database for all plans; nothing in it is changed by them."""
    database: Database = postgres.copy()
    run(_fill(database))
    yield database
    postgres.drop(database)


async def _fill(database: Database) -> None:
    await migrate.upgrade(database.settings("owner"), package="signalink_analytics.migrations", schema=SCHEMA)
    hour = NOW.replace(minute=0, second=0)
    statements = SEED
    for place, moment in {"$1": NOW.replace(second=0), "$2": hour, "$3": hour.replace(hour=0)}.items():
        statements = statements.replace(place, f"timestamptz '{moment.isoformat()}'")
    connection = await database.connect()
    try:
        await connection.execute(statements, timeout=100)
        for table in TABLES:
            await connection.execute(f"VACUUM ANALYZE analytics.{table}", timeout=60)
    finally:
        await connection.close()


class Explaining:
    """As a connection: each statement is explained and carried out, and remembered with the pages it looked at."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.seen: list[tuple[list[str], int]] = []

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        await self._explain(statement, arguments)
        rows: list[Any] = await self._connection.fetch(statement, *arguments)
        return rows

    async def fetchrow(self, statement: str, *arguments: Any) -> Any:
        return next(iter(await self.fetch(statement, *arguments)), None)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        row = await self.fetchrow(statement, *arguments)
        return None if row is None else row[0]

    async def _explain(self, statement: str, arguments: Any) -> None:
        rows = await self._connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments)
        root = _loaded(rows[0][0])[0]["Plan"]
        self.seen.append((list(_scanned(root)), root["Shared Hit Blocks"] + root["Shared Read Blocks"]))


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _scanned(node: Any) -> Any:
    """Tables that are read from end to end. There is a row of `rollups` for each period only, so it may be."""
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES - {"rollups"}:
        yield node["Relation Name"]
    for below in node.get("Plans", []):
        yield from _scanned(below)


@pytest.fixture
async def db(large: Database) -> AsyncIterator[Any]:
    connection = await large.connect("analytics")
    yield Explaining(connection)
    await connection.close()


def span(interval: IntervalName, start: str | None = None) -> Span:
    moment = None if start is None else datetime.fromisoformat(f"{start}+00:00")
    return plan(Asked(interval, moment), NOW, KEPT)


CHANNELS = [UUID(f"00000000-0000-7000-8000-{n:012x}") for n in range(3)]
PERSON = UUID("00000000-0000-7000-9000-000000000007")
SPANS = [span("1m"), span("1m", "2026-03-09T12:00:00"), span("1h"), span("1h", "2026-02-10T00:00:00"), span("1d")]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("asked", SPANS, ids=lambda asked: f"{asked.interval}-{len(asked.windows())}")
@pytest.mark.parametrize("channels", [None, CHANNELS], ids=["platform", "channels"])
async def test_no_figure_reads_a_table_from_end_to_end(db: Any, asked: Span, channels: Any) -> None:
    await repository.series(db, asked, channels)
    await repository.totals(db, asked, channels)
    await repository.active_channels(db, asked, channels)
    await repository.top(db, asked, channels, "messages", None, 50)
    await repository.senders(db, asked, CHANNELS)
    await repository.histograms(db, asked, CHANNELS[0])
    await repository.user_series(db, asked, PERSON)
    await repository.user_channels(db, asked, PERSON)
    assert [scanned for scanned, _ in db.seen if scanned] == []
    assert max(pages for _, pages in db.seen) < PAGES_OF_A_SECOND


@pytest.mark.timeout(300)
@pytest.mark.parametrize("days", [1, 7, 30])
async def test_active_users_are_counted_through_indexes(db: Any, days: int) -> None:
    segments, _ = stretch(NOW, timedelta(days=days), KEPT)
    found = await active.users(db, segments, None)
    assert (found.exact, found.value > 100) == (True, True)
    await active.users(db, segments, CHANNELS)
    assert [scanned for scanned, _ in db.seen if scanned] == []
    assert max(pages for _, pages in db.seen) < PAGES_OF_A_SECOND


async def test_the_plans_of_a_scan_would_be_noticed(db: Any) -> None:
    await db.fetch("SELECT sum(messages) FROM analytics.user_metrics WHERE messages > 0")
    assert db.seen[0][0] == ["user_metrics"]

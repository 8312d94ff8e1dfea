"""Reads of a large log use its indexes: recovery, healing, the relay's order, replays."""

from typing import Any

import pytest

from signalink_api.writer import Draft
from signalink_core.log import statements

SEED = """
WITH people AS (
    INSERT INTO messaging.users (id, username, email, password_hash)
    SELECT gen_random_uuid(), 'u' || n, 'u' || n || '@x.org', 'x' FROM generate_series(1, 20) n RETURNING id
), places AS (
    INSERT INTO messaging.channels (id, slug, name, kind, history, created_by, epoch, last_seq)
    SELECT gen_random_uuid(), 's' || n, 'n', 'public', 'all', (SELECT id FROM people LIMIT 1), 1, 1000
    FROM generate_series(1, 50) n RETURNING id
), members AS (
    INSERT INTO messaging.channel_members (channel_id, user_id, role) SELECT c.id, p.id, 'member'
    FROM places c, people p
), texts AS (
    INSERT INTO messaging.messages (id, channel_id, seq, sender_id, client_id, request_hash, body, format, created_at)
    SELECT gen_random_uuid(), c.id, n, (SELECT id FROM people LIMIT 1), c.id::text || n, '\\x00', 'hello', 'text', now()
    FROM places c, generate_series(1, 1000) n RETURNING id, channel_id, seq
)
INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, channel_id, seq, payload)
SELECT gen_random_uuid(), 1, messaging.shard_of(channel_id), 'messages', 'message', id, 'dev.signalink.message.created',
       channel_id, seq, '{"body": "hello"}' FROM texts
"""


@pytest.fixture
async def seeded(world: Any) -> Any:
    """50 channels with 1,000 messages each; the trigger is off for the seeding session only."""
    async with world.admin.transaction():
        await world.admin.execute("SET LOCAL session_replication_role = replica")
        await world.admin.execute(SEED)
    await world.admin.execute("ANALYZE")
    return world


async def plan(connection: Any, statement: str, *arguments: Any) -> str:
    """EXPLAIN ANALYZE of a statement, as text."""
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", *arguments)
    return "\n".join(row[0] for row in rows)


async def test_catching_up_reads_only_the_missed_rows_by_index(seeded: Any) -> None:
    channel, user = await seeded.admin.fetchrow("SELECT channel_id, user_id FROM messaging.channel_members LIMIT 1")
    gateway = await seeded.database.connect("gateway")
    resumed = await plan(gateway, statements.RESUME, channel, user, 900, 128 * 1024, 1000)
    healed = await plan(gateway, statements.EVENTS_AFTER, channel, 990, 100)
    await gateway.close()
    for found in (resumed, healed):
        assert "events_channel_id_seq_key" in found, found
        assert "Seq Scan on events" not in found, found
        assert "Seq Scan on messages" not in found, found


async def test_the_relays_order_is_one_index_range_per_shard(seeded: Any) -> None:
    found = await plan(
        seeded.admin,
        """SELECT e.id FROM messaging.relay_cursors c CROSS JOIN LATERAL (
               SELECT id FROM messaging.events e WHERE e.shard = c.shard
               AND (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id) ORDER BY e.epoch, e.xid, e.id LIMIT 10) e""",
    )
    assert "events_log_order_idx" in found, found
    assert "Seq Scan on events" not in found, found


READS = "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'messages'"


async def test_a_post_probes_the_messages_by_key_even_when_its_plan_was_made_on_empty_tables(world: Any) -> None:
    """Of an empty table every index looks equally good: a join that could also use (channel_id, seq) did, for ever, and
    then read the whole channel for each row."""
    owner = await world.user()
    for _ in range(10):  # from the sixth call on the connection keeps the plan
        await world.api.execute("SELECT messaging.post_messages($1)", {"rows": [], "wait": True})
    async with world.admin.transaction():
        await world.admin.execute("SET LOCAL session_replication_role = replica")
        await world.admin.execute(SEED)
    channel = await world.admin.fetchval("SELECT id FROM messaging.channels LIMIT 1")
    await world.change("join_channel", channel_id=channel, actor_id=owner)
    parent = await world.admin.fetchval("SELECT id FROM messaging.messages WHERE channel_id = $1 LIMIT 1", channel)
    before = await _reads(world)
    plain, answer = Draft(channel, owner, "plain", "x"), Draft(channel, owner, "answer", "x", reply_to=parent)
    assert [each["verdict"] for each in await world.post(plain, answer)] == ["created", "created"]
    scans, fetched = await _reads(world)
    assert scans == before[0]
    assert fetched - before[1] <= 6  # the parent, and what the foreign keys of the answer look up


async def _reads(world: Any) -> tuple[int, int]:
    """(sequential scans, rows fetched by index) of messages, as of now."""
    await world.api.execute("SELECT pg_stat_force_next_flush()")
    await world.api.execute("SELECT 1")
    row = await world.admin.fetchrow(READS)
    return row["seq_scan"], row["idx_tup_fetch"]

"""The table of deliveries: what is inserted with the record's offset, who works on what, and what came of it.

`now()` and not `clock_timestamp()`: the mails of a digest are due, and their leases end, at one moment. Owns its SQL
and the fence: a process takes due rows for the length of a lease, and whatever it records later counts only
while nobody else took them. Sending, and deciding, is `sending`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from signalink_core.database.pool import Pool
from signalink_core.errors import SignalinkError
from signalink_core.kafka.delivery import Origin

State = Literal["pending", "sent", "skipped", "failed"]
LOCK_SPACE: Final = 1397311308
"""The platform's own key space of advisory locks (its upper half); the lower half is a number per channel."""
LOCKS: Final = {"email": 11, "push": 12, "webhook": 13}
LETTER_WAITS: Final = "letter_unconfirmed"
"""Reason of a pending row that only waits for Kafka to confirm its letter."""
MOST_TOGETHER: Final = 100
"""Mails in one digest."""
COLUMNS: Final = (
    "id, event_id, user_id, attempts, round_from, digest, asked_at, idempotency_key, receipts, fence, "
    "reason, last_error"
)

# $1 lock space, $2 lock. One process at a time takes rows of a channel, so that no digest is taken in two parts.
TURN: Final = "SELECT pg_try_advisory_xact_lock($1, $2)"
_FREE: Final = "state = 'pending' AND (lease_until IS NULL OR lease_until <= now())"
_TAKE: Final = f"""
UPDATE notifications.deliveries d
SET holder = $2, lease_until = now() + $3::interval, fence = d.fence + 1
FROM due WHERE d.id = due.id RETURNING {", ".join(f"d.{name}" for name in COLUMNS.split(", "))}
"""  # noqa: S608 - constants
# $1 channel, $2 holder, $3 lease, $4 rows
CLAIM: Final = f"""
WITH due AS (
    SELECT id FROM notifications.deliveries
    WHERE channel = $1 AND {_FREE} AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
)
{_TAKE}
"""  # noqa: S608 - constants
# $1 channel, $2 holder, $3 lease, $4 users, $5 keys, $6 rows. Mails that go together: what waits for the same digest,
# and what was in the same mail at an earlier attempt.
COMPANIONS: Final = f"""
WITH due AS (
    SELECT id FROM notifications.deliveries
    WHERE channel = $1 AND {_FREE}
      AND ((user_id = ANY ($4::uuid[]) AND digest AND attempts = 0 AND not_before <= now())
           OR (idempotency_key = ANY ($5::uuid[]) AND attempts > 0))
    ORDER BY asked_at, id LIMIT $6 FOR UPDATE SKIP LOCKED
)
{_TAKE}
"""  # noqa: S608 - constants
# $1 ids, $2 fences, $3 key, $4 lease
BEGIN: Final = """
UPDATE notifications.deliveries d
SET attempts = d.attempts + 1, idempotency_key = $3, last_attempt_at = now(),
    lease_until = now() + $4::interval
FROM unnest($1::uuid[], $2::bigint[]) h (id, fence)
WHERE d.id = h.id AND d.fence = h.fence AND d.state = 'pending' RETURNING d.id
"""
# $1 ids, $2 fences, $3 receipts, $4 lease
RECEIPT: Final = """
UPDATE notifications.deliveries d SET receipts = d.receipts || $3, lease_until = now() + $4::interval
FROM unnest($1::uuid[], $2::bigint[]) h (id, fence)
WHERE d.id = h.id AND d.fence = h.fence AND d.state = 'pending' RETURNING d.id
"""
# $1 ids, $2 fences, $3 state, $4 reason, $5 last error, $6 provider's id, $7 wait
SETTLE: Final = """
UPDATE notifications.deliveries d
SET state = $3, reason = $4, last_error = coalesce($5, CASE WHEN $3 = 'sent' THEN NULL ELSE d.last_error END),
    provider_id = coalesce($6, d.provider_id), next_attempt_at = now() + $7::interval,
    holder = NULL, lease_until = NULL,
    settled_at = CASE WHEN $3 = 'pending' THEN NULL ELSE now() END
FROM unnest($1::uuid[], $2::bigint[]) h (id, fence)
WHERE d.id = h.id AND d.fence = h.fence AND d.state = 'pending' RETURNING d.id
"""
# $1 ids
RECORDS: Final = """
SELECT event_id, user_id, attempts - round_from AS attempts, record_partition, record_offset, record_headers,
    record_value, asked_at, coalesce(last_attempt_at, clock_timestamp()) AS last_at
FROM notifications.deliveries WHERE id = ANY ($1::uuid[]) ORDER BY id
"""
# $1 days, $2 rows
PRUNE: Final = """
DELETE FROM notifications.deliveries WHERE id = ANY (ARRAY(
    SELECT id FROM notifications.deliveries
    WHERE state <> 'pending' AND settled_at < clock_timestamp() - make_interval(secs => $1 * 86400) LIMIT $2))
"""
# $1 days, $2 rows. A plan is what keeps a message from being told twice; the planner leaves messages that old alone.
PRUNE_PLANS: Final = """
DELETE FROM notifications.plans WHERE notification_id = ANY (ARRAY(
    SELECT p.notification_id FROM notifications.plans p
    WHERE p.planned_at < clock_timestamp() - make_interval(secs => $1 * 86400)
      AND NOT EXISTS (SELECT FROM notifications.deliveries d
                      WHERE d.event_id = p.notification_id AND d.user_id = p.user_id)
    LIMIT $2))
"""


class Stale(SignalinkError):
    """Another process took these rows meanwhile; nothing was recorded."""

    code = "delivery_stale"
    status = 409


@dataclass(frozen=True, slots=True)
class Held:
    """One row that this process holds. `key`: what the provider is told if it goes alone. `doomed`: why it is to be
    given up as soon as Kafka takes its letter."""

    id: UUID
    event_id: UUID
    user_id: UUID
    attempts: int
    round_from: int
    digest: bool
    asked_at: datetime
    key: UUID
    receipts: Mapping[str, str]
    fence: int
    doomed: str | None = None

    @property
    def made(self) -> int:
        """Attempts of this round."""
        return self.attempts - self.round_from

    @property
    def joins(self) -> bool:
        """A digest's mail that was never attempted goes with all others of its user that wait."""
        return self.digest and self.attempts == 0

    @classmethod
    def of(cls, row: asyncpg.Record) -> "Held":
        return cls(
            row["id"],
            row["event_id"],
            row["user_id"],
            row["attempts"],
            row["round_from"],
            row["digest"],
            row["asked_at"],
            row["idempotency_key"],
            row["receipts"],
            row["fence"],
            row["last_error"] if row["reason"] == LETTER_WAITS else None,
        )


@dataclass(frozen=True, slots=True)
class Original:
    """The record a delivery came in, as its letter needs it."""

    origin: Origin
    event_id: UUID
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    attempts: int
    asked_at: datetime
    last_at: datetime


class Deliveries:
    """On the service's pool, for one process. Every method raises what asyncpg raises when Postgres is away."""

    def __init__(self, pool: Pool, holder: str, lease_seconds: float) -> None:
        self._pool, self._holder, self._lease = pool, holder, timedelta(seconds=lease_seconds)

    async def claim(self, channel: str, most: int) -> list[list[Held]]:
        """At most so many due groups: one row each, or the mails of one digest; none while another process takes."""
        async with self._pool.acquire() as conn, conn.transaction():
            if not await conn.fetchval(TURN, LOCK_SPACE, LOCKS[channel]):
                return []
            rows = await conn.fetch(CLAIM, channel, self._holder, self._lease, most)
            if channel == "email" and rows:
                rows = [*rows, *await self._companions(conn, rows)]
        return together([Held.of(row) for row in rows])

    async def _companions(self, conn: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
        held = [Held.of(row) for row in rows]
        users = sorted({one.user_id for one in held if one.joins})
        keys = sorted({one.key for one in held if one.attempts > 0})
        found: list[asyncpg.Record] = await conn.fetch(
            COMPANIONS, "email", self._holder, self._lease, users, keys, MOST_TOGETHER * len(rows)
        )
        return found

    async def begin(self, held: Sequence[Held], key: UUID) -> None:
        """Record an attempt, before the provider is called, and what it will be told. Raises Stale."""
        await self._all(held, BEGIN, key, self._lease)

    async def receipt(self, held: Sequence[Held], target: str, provider_id: str) -> None:
        """One of several targets took it; the lease begins anew. Raises Stale."""
        await self._all(held, RECEIPT, {target: provider_id}, self._lease)

    async def settle(
        self,
        held: Sequence[Held],
        state: State,
        *,
        reason: str | None = None,
        error: str | None = None,
        provider_id: str | None = None,
        wait: float = 0.0,
    ) -> None:
        """What came of it; `pending` with the seconds until it is due again. Raises Stale."""
        await self._all(held, SETTLE, *_settled(state, reason, error, provider_id, wait))

    async def _all(self, held: Sequence[Held], statement: str, *values: Any) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            await change(conn, held, statement, *values)

    async def originals(self, held: Sequence[Held]) -> list[Original]:
        """The records they came in."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(RECORDS, [one.id for one in held])
        return [_original(row) for row in rows]

    async def fail(self, held: Sequence[Held], error: str, park: str, rows: Sequence[Sequence[Any]]) -> None:
        """State `failed` and the parked rows of their letters (statement `park`), in one transaction. Raises Stale."""
        async with self._pool.acquire() as conn, conn.transaction():
            await change(conn, held, SETTLE, *_settled("failed", error, error, None, 0.0))
            await conn.executemany(park, rows)

    async def prune(self, days: float, rows: int = 5000) -> None:
        """Forget what was settled so long ago, and plans whose deliveries are gone; a bounded number at a time."""
        for statement in (PRUNE, PRUNE_PLANS):
            deleted = rows
            while deleted == rows:
                async with self._pool.acquire() as conn:
                    deleted = int((await conn.execute(statement, days, rows)).rpartition(" ")[2])


async def change(conn: asyncpg.Connection, held: Sequence[Held], statement: str, *values: Any) -> None:
    """Run a fenced statement over all of `held`; Stale, so that the transaction is rolled back, if one was taken."""
    done = await conn.fetch(statement, [one.id for one in held], [one.fence for one in held], *values)
    if len(done) != len(held):
        raise Stale(f"{len(held) - len(done)} of {len(held)} deliveries were taken by another process.")


def together(held: Sequence[Held]) -> list[list[Held]]:
    """What goes in one call: rows that share a key since an earlier attempt, new mails of one user's digest."""
    groups: dict[object, list[Held]] = {}
    for one in held:
        groups.setdefault(("user", one.user_id) if one.joins else ("key", one.key), []).append(one)
    return [sorted(group, key=lambda one: (one.asked_at, one.id)) for group in groups.values()]


def _settled(
    state: State, reason: str | None, error: str | None, provider_id: str | None, wait: float
) -> tuple[str, str | None, str | None, str | None, timedelta]:
    short = None if provider_id is None else provider_id[:300]
    return state, _word(reason), _word(error), short, timedelta(seconds=wait)


def _word(text: str | None) -> str | None:
    return None if text is None else text[:64]


def _original(row: Mapping[str, Any]) -> Original:
    return Original(
        Origin("notifications", row["record_partition"], row["record_offset"]),
        row["event_id"],
        str(row["user_id"]).encode(),
        row["record_value"].encode(),
        [(name, value.encode()) for name, value in row["record_headers"]],
        row["attempts"],
        row["asked_at"],
        row["last_at"],
    )

"""What the gateway reads from Postgres: rights, pages of events, heads, revocations. Read-only, shared where it may be.

Owns the sharing: all users who join one channel at once share one statement of rights; all readers of one page share
one read. Rights are never kept: each join reads its own. Every failure is a DependencyUnavailable.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from asyncpg import exceptions

from signalink_core import faults, lifecycle
from signalink_core.database import pool as pools
from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.events import Event, Position, encode_live, types
from signalink_core.log import reads
from signalink_core.log.reads import Revocation, SeqRange
from signalink_core.log.rows import to_event
from signalink_core.readiness import Readiness
from signalink_core.settings import PostgresSettings
from signalink_core.telemetry import logging, names
from signalink_gateway import frames
from signalink_gateway.ring import EVERYBODY, Entry

POOL_SIZE = 8
PAGE_ROWS = 256
PAGE_BYTES = 98_304
"""Of payload; the envelopes around 256 events add about 32 KB."""
PAGE_ALIGNMENT = 64
"""Readers within 64 seqs of each other ask for the same page."""
FAILURES = (
    OSError,
    TimeoutError,
    exceptions.PostgresError,
    exceptions.InterfaceError,
    exceptions.InternalClientError,
)
CUTS = (types.MEMBER_LEFT, types.MEMBER_REMOVED)
MEMBERSHIP = frozenset(
    (*CUTS, types.MEMBER_JOINED, types.MEMBER_ROLE_CHANGED, types.CHANNEL_ARCHIVED, types.CHANNEL_DELETED)
)

# $1 channel, $2 users. One statement, so one snapshot: rights and last_seq agree for all of them.
STANDING = """
SELECT u.id AS user_id, c.epoch, c.last_seq, c.log_floor, m.user_id IS NOT NULL AS member,
    CASE WHEN m.user_id IS NOT NULL AND c.history = 'all' THEN '{"[1,)"}'
         ELSE (SELECT array_agg(int8range(h.from_seq, h.to_seq, '[]') ORDER BY h.from_seq)
               FROM messaging.memberships h WHERE h.channel_id = c.id AND h.user_id = u.id)
    END::int8range[] AS entitled
FROM unnest($2::uuid[]) u(id) CROSS JOIN messaging.channels c
LEFT JOIN messaging.channel_members m ON m.channel_id = c.id AND m.user_id = u.id
WHERE c.id = $1
"""

# $1 channel, $2 seq, $3 rows, $4 bytes
PAGE = """
SELECT * FROM (
    SELECT f.*, sum(octet_length(f.payload::text)) OVER (ORDER BY f.seq) - octet_length(f.payload::text) AS before
    FROM (SELECT * FROM messaging.event_feed WHERE channel_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) f
) p WHERE p.before < $4 ORDER BY p.seq
"""

# $1 the watcher, $2 users: those who are the watcher, or share a channel with the watcher.
ACQUAINTED = """
SELECT u.id FROM unnest($2::uuid[]) u(id) WHERE u.id = $1 OR EXISTS (
    SELECT FROM messaging.channel_members mine JOIN messaging.channel_members theirs USING (channel_id)
    WHERE mine.user_id = $1 AND theirs.user_id = u.id)
"""

# $1 channels, $2 how many members at most. Who may type: `typing` of the table of rights, and not muted.
MEMBERS = """
SELECT c.id, m.user_id, c.archived_at IS NULL AND m.role <> 'reader' AND coalesce(m.muted_until <= now(), true) AS types
FROM messaging.channels c CROSS JOIN LATERAL (
    SELECT user_id, role, muted_until FROM messaging.channel_members WHERE channel_id = c.id LIMIT $2) m
WHERE c.id = ANY($1)
"""

T = TypeVar("T")
log = logging.get_logger(__name__)


class Standing(NamedTuple):
    """One user in one channel, at one moment. `entitled`: ranges of seqs, ascending; open ones end at `last_seq`."""

    epoch: int
    last_seq: int
    floor: int
    member: bool
    entitled: tuple[SeqRange, ...]


class Page(NamedTuple):
    """Consecutive events as frames."""

    epoch: int
    entries: list[Entry]


class LogReads(lifecycle.Lifecycle):
    """Opens its pool as soon as Postgres is there, so the process starts in any order."""

    def __init__(self, postgres: PostgresSettings, readiness: Readiness) -> None:
        super().__init__()
        self._settings, self._readiness = postgres, readiness
        self._pool: pools.Pool | None = None
        self._slots = asyncio.Semaphore(POOL_SIZE)
        self._joining: dict[UUID, list[tuple[UUID, asyncio.Future[Standing | None]]]] = {}
        self._pages: dict[tuple[UUID, int], asyncio.Task[Page | DependencyUnavailable]] = {}
        self.page_reads = 0
        self.standing_reads = 0

    async def _start(self) -> None:
        self._readiness.set("postgres", "down", "not connected yet")
        self.spawn(self._open(), "log-pool")

    async def _stop(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _open(self) -> None:
        attempt = 0
        while self._pool is None:
            try:
                self._pool = await pools.open_pool(self._settings, min_size=1, max_size=POOL_SIZE)
            except (
                OSError,
                TimeoutError,
                exceptions.PostgresError,
                exceptions.InterfaceError,
                exceptions.InternalClientError,
                ConfigurationError,
            ) as exc:
                attempt += 1
                self._readiness.set("postgres", "down", f"{type(exc).__name__}: {exc}")
                await asyncio.sleep(lifecycle.full_jitter(attempt, base=0.1, cap=2.0))
        self._readiness.set("postgres", "ok")

    async def _read(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Runs one read on a connection of the pool. Raises DependencyUnavailable."""
        if self._pool is None:
            raise DependencyUnavailable("Postgres is not connected yet.", retry_after=1)
        try:
            async with self._slots:
                answer = await self._ask(self._pool, ask)
        except FAILURES as exc:
            self._readiness.set("postgres", "degraded", f"{type(exc).__name__}: {exc}")
            raise DependencyUnavailable(f"The log cannot be read: {type(exc).__name__}.", retry_after=1) from exc
        self._readiness.set("postgres", "ok")
        return answer

    async def _ask(self, pool: pools.Pool, ask: Callable[[Any], Awaitable[T]]) -> T:
        began = time.perf_counter()
        async with pool.acquire() as connection:
            names.DB_POOL_WAIT_SECONDS.observe(time.perf_counter() - began)
            with names.DB_POOL_IN_USE.track_inprogress():
                return await ask(connection)

    async def standing(self, channel_id: UUID, user_id: UUID) -> Standing | None:
        """The user's rights in a read that begins now or later; None: no such channel. Joins of one channel share."""
        future: asyncio.Future[Standing | None] = asyncio.get_running_loop().create_future()
        if channel_id in self._joining:
            self._joining[channel_id].append((user_id, future))
        else:
            self._joining[channel_id] = [(user_id, future)]
            self.spawn(self._standings(channel_id), "log-standings")
        return await future

    async def _standings(self, channel_id: UUID) -> None:
        """One statement at a time per channel; who arrives meanwhile goes together into the next."""
        try:
            while waiting := self._joining[channel_id]:
                self._joining[channel_id] = []
                try:
                    found = await self._standing(channel_id, {user for user, _ in waiting})
                except DependencyUnavailable as exc:
                    _settle(waiting, exc)
                    continue
                except BaseException:
                    _settle(waiting, DependencyUnavailable("The gateway stops."))
                    raise
                for user, future in waiting:
                    if not future.done():
                        future.set_result(found.get(user))
        finally:
            _settle(self._joining.pop(channel_id, []), DependencyUnavailable("The gateway stops."))

    async def _standing(self, channel_id: UUID, users: Iterable[UUID]) -> dict[UUID, Standing]:
        self.standing_reads += 1
        rows = await self._read(lambda connection: connection.fetch(STANDING, channel_id, list(users)))
        return {
            row["user_id"]: Standing(
                row["epoch"], row["last_seq"], row["log_floor"], row["member"],
                tuple(SeqRange(r.lower, r.upper - 1 if r.upper else row["last_seq"]) for r in row["entitled"] or ()),
            )
            for row in rows
        }  # fmt: skip

    async def page(self, channel_id: UUID, after: int) -> Page:
        """Events above `after`, perhaps with some below; an empty page when there are none. Equal reads are shared."""
        page = await self._shared(channel_id, after - after % PAGE_ALIGNMENT)
        if page.entries and page.entries[-1].seq <= after:
            page = await self._shared(channel_id, after)
        return page

    async def _shared(self, channel_id: UUID, start: int) -> Page:
        key = (channel_id, start)
        if key not in self._pages:
            self._pages[key] = self.spawn(self._flight(key), "log-page")
        outcome = await asyncio.shield(self._pages[key])
        if isinstance(outcome, DependencyUnavailable):
            raise outcome
        return outcome

    async def _flight(self, key: tuple[UUID, int]) -> Page | DependencyUnavailable:
        try:
            return await self._page(*key)
        except DependencyUnavailable as exc:
            return exc
        finally:
            self._pages.pop(key, None)

    async def _page(self, channel_id: UUID, start: int) -> Page:
        await faults.point("gateway.log_read", channel=str(channel_id))
        self.page_reads += 1
        rows = await self._read(lambda connection: connection.fetch(PAGE, channel_id, start, PAGE_ROWS, PAGE_BYTES))
        events = [to_event(row) for row in rows]
        return Page(events[0].epoch if events else 0, [entry(event) for event in events])

    async def heads(self, channel_ids: Iterable[UUID]) -> dict[UUID, Position]:
        return await self._read(lambda connection: reads.heads(connection, channel_ids))

    async def acquainted(self, watcher: UUID, users: Iterable[UUID]) -> set[UUID]:
        """Those of `users` about whom the watcher may know: the same user, or a member of a channel of both."""
        rows = await self._read(lambda connection: connection.fetch(ACQUAINTED, watcher, list(users)))
        return {row["id"] for row in rows}

    async def members(self, channel_ids: Iterable[UUID], most: int) -> dict[UUID, dict[UUID, bool]]:
        """channel -> member -> whether they may type, up to `most` members of each channel."""
        found: dict[UUID, dict[UUID, bool]] = {}
        for row in await self._read(lambda connection: connection.fetch(MEMBERS, list(channel_ids), most)):
            found.setdefault(row["id"], {})[row["user_id"]] = row["types"]
        return found

    async def revocations(self, seconds: float) -> list[Revocation]:
        return await self._read(lambda connection: reads.revocations_since(connection, seconds))


def entry(event: Event) -> Entry:
    """The event as every socket gets it."""
    cut = UUID(str(event.data["user_id"])) if event.type in CUTS else None
    if event.type == types.CHANNEL_DELETED:
        cut = EVERYBODY
    frame = frames.text_frame(encode_live(event))
    wipes, members = event.type == types.MESSAGE_DELETED, event.type in MEMBERSHIP
    return Entry(event.position.seq, frame, cut, wipes, event.time.timestamp(), members)


def _settle(waiting: Iterable[tuple[UUID, "asyncio.Future[Standing | None]"]], why: Exception) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(why)

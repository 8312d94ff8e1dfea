"""Reads of the event log for recovery, healing and revocation; each is one statement on one snapshot.

Owns what may be read and how it is paged. Whether a user may connect at all is decided before; what is live is the
bus's. Every function takes an asyncpg connection of a role with SELECT on `event_feed` and the tables beside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from signalink_core.events import Event, Position
from signalink_core.log import statements
from signalink_core.log.rows import to_event

PAGE_BYTES = 128 * 1024
PAGE_ROWS = 1000


class SeqRange(NamedTuple):
    """Seqs `first`..`last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ResumePage:
    """One slice of a channel for one user.

    `floor`: events up to this seq went by retention. `events` follow `after` in order; `skipped` are the ranges between
    `after` and `upto` to which the user is not entitled. `gap`: `after` is of another epoch, above `last_seq` or below
    `floor`, so the client must load anew; `events` is empty then. `more`: read again after `upto`.
    """

    member: bool
    epoch: int
    last_seq: int
    floor: int
    events: list[Event]
    skipped: list[SeqRange]
    more: bool
    gap: bool = False

    @property
    def upto(self) -> int:
        """The seq that this page reaches: where the next page, or the live feed, goes on."""
        return self.events[-1].position.seq if self.more else self.last_seq


class Revocation(NamedTuple):
    """A `user` or `session` whose rights ended."""

    subject_kind: str
    subject_id: UUID
    at: datetime
    reason: str = ""


NO_CHANNEL = ResumePage(member=False, epoch=0, last_seq=0, floor=0, events=[], skipped=[], more=False)


async def resume(
    conn: asyncpg.Connection,
    user_id: UUID,
    channel_id: UUID,
    after: Position | None,
    limit_bytes: int = PAGE_BYTES,
    limit_rows: int = PAGE_ROWS,
) -> ResumePage:
    """What the user missed after a position; without one only the join point. At least one event when there is any."""
    seq = None if after is None else after.seq
    rows = await conn.fetch(statements.RESUME, channel_id, user_id, seq, limit_bytes, limit_rows)
    if not rows:
        return NO_CHANNEL
    state = rows[0]
    if not state["member"]:
        return NO_CHANNEL
    found = [row for row in rows if row["seq"] is not None]
    entitled = [SeqRange(held.lower, held.upper - 1 if held.upper else state["last_seq"]) for held in state["entitled"]]
    return page(
        Position(state["channel_epoch"], state["last_seq"]),
        state["log_floor"],
        after,
        entitled,
        [to_event(row) for row in found],
        more=bool(found) and found[0]["found"] > len(found),
        full=bool(found) and found[0]["found"] >= limit_rows,
    )


def page(
    head: Position,
    floor: int,
    after: Position | None,
    entitled: Sequence[SeqRange],
    events: list[Event],
    *,
    more: bool,
    full: bool = False,
) -> ResumePage:
    """A member's page from what was found. `full`: the row limit was reached, so there may be more than was counted."""
    if after is not None and (after.epoch != head.epoch or not floor <= after.seq <= head.seq):
        return ResumePage(True, head.epoch, head.seq, floor, [], [], more=False, gap=True)
    goes_on = more or (full and events[-1].position.seq < head.seq)
    upto = events[-1].position.seq if goes_on else head.seq
    skipped = [] if after is None else list(outside(entitled, after.seq, upto))
    return ResumePage(True, head.epoch, head.seq, floor, events, skipped, more=goes_on)


def outside(entitled: Iterable[SeqRange], after: int, upto: int) -> Iterable[SeqRange]:
    """The ranges of after+1..upto that no entitled range (ascending by `first`) covers."""
    reached = after
    for first, last in entitled:
        if first > reached + 1 and reached < upto:
            yield SeqRange(reached + 1, min(first - 1, upto))
        reached = max(reached, last)
    if reached < upto:
        yield SeqRange(reached + 1, upto)


async def events_after(conn: asyncpg.Connection, channel_id: UUID, seq: int, limit: int = PAGE_ROWS) -> list[Event]:
    """Events with a greater seq, in order; rights are the caller's business (one read serves a whole node)."""
    return [to_event(row) for row in await conn.fetch(statements.EVENTS_AFTER, channel_id, seq, limit)]


async def heads(conn: asyncpg.Connection, channel_ids: Iterable[UUID]) -> dict[UUID, Position]:
    """Channel -> its last position; unknown channels are absent."""
    rows: list[Any] = await conn.fetch(statements.HEADS, list(channel_ids))
    return {row["id"]: Position(row["epoch"], row["last_seq"]) for row in rows}


async def revocations_since(conn: asyncpg.Connection, seconds: float = 60) -> list[Revocation]:
    """Revocations of the last `seconds` by Postgres's clock; applying one twice is harmless."""
    rows: list[Any] = await conn.fetch(statements.REVOCATIONS, seconds)
    return [Revocation(row["subject_kind"], row["subject_id"], row["at"], row["reason"]) for row in rows]

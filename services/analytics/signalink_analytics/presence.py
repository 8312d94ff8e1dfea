"""Presence: who is in which state, since when, and how many changes a window had. Best effort; not in the log.

`plan` is pure, `write` its SQL. A change that comes out of order is in the history and leaves the present state alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, get_args
from uuid import UUID

import asyncpg

from signalink_analytics.kinds import canonical
from signalink_analytics.marks import WINDOW_MS, Marks, Rules
from signalink_analytics.passing import Passing
from signalink_core.events.types import PRESENCE_CHANGED, PresenceState
from signalink_core.kafka.delivery import Delivered
from signalink_core.kafka.errors import BadRecord

TOPIC: Final = "presence"
STATES: Final[tuple[str, ...]] = get_args(PresenceState)

# $1 users, $2 times, $3 events, $4 states
CHANGES: Final = """
INSERT INTO analytics.presence_changes (user_id, changed_at, event_id, state)
SELECT user_id::uuid, timestamptz 'epoch' + at * interval '1 ms', event_id, state
FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[]) r (user_id, at, event_id, state)
ON CONFLICT DO NOTHING
"""
# $1 users, sorted, $2 times, $3 states
PRESENT: Final = """
INSERT INTO analytics.presence_now AS p (user_id, changed_at, state)
SELECT user_id::uuid, timestamptz 'epoch' + at * interval '1 ms', state
FROM unnest($1::text[], $2::bigint[], $3::text[]) r (user_id, at, state)
ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
WHERE p.changed_at <= excluded.changed_at
"""
# $1 windows, sorted, $2 part, $3.. changes into each of STATES
COUNT: Final = """
INSERT INTO analytics.presence_metrics AS m (window_start, part, became_online, became_away, became_dnd, became_offline)
SELECT to_timestamp("window" * 60), $2, online, away, dnd, offline
FROM unnest($1::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    r ("window", online, away, dnd, offline)
ON CONFLICT (window_start, part) DO UPDATE SET became_online = m.became_online + excluded.became_online,
    became_away = m.became_away + excluded.became_away, became_dnd = m.became_dnd + excluded.became_dnd,
    became_offline = m.became_offline + excluded.became_offline
"""


@dataclass(frozen=True, slots=True)
class Change:
    """`at`: milliseconds since 1970."""

    user: str
    at: int
    event_id: UUID
    state: str


@dataclass(slots=True)
class PresencePlan:
    """`windows`: changes into each of STATES, of those that came in time. `changes`: all of them."""

    passing: Passing
    changes: list[Change] = field(default_factory=list)
    windows: dict[int, list[int]] = field(default_factory=dict)

    def latest(self) -> list[Change]:
        """The newest of each user, by user."""
        newest: dict[str, Change] = {}
        for change in self.changes:
            if change.user not in newest or change.at >= newest[change.user].at:
                newest[change.user] = change
        return [newest[user] for user in sorted(newest)]


def plan(events: Sequence[Delivered], marks: Marks, rules: Rules) -> PresencePlan:
    """Raises BadRecord for the first event whose data are not those of its type."""
    made = PresencePlan(Passing(marks, rules))
    for delivered in events:
        if delivered.type != PRESENCE_CHANGED:
            continue
        try:
            user, state = canonical(delivered.values["user_id"]), STATES.index(delivered.values["state"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            detail = f"The data of a {delivered.type} are not a user and a state: {type(error).__name__}."
            raise BadRecord("bad_data", delivered.offset, detail) from None
        at = delivered.at_ms
        counted = made.passing.take(delivered, user)
        made.changes.append(Change(user, min(at, marks.now), delivered.id, STATES[state]))
        if counted is not None:
            made.windows.setdefault(counted // WINDOW_MS, [0] * len(STATES))[state] += 1
    return made


async def write(conn: asyncpg.Connection, made: PresencePlan, part: int) -> None:
    """In the caller's transaction."""
    if not made.changes:
        return
    rows = made.changes
    await conn.execute(
        CHANGES, [r.user for r in rows], [r.at for r in rows], [r.event_id for r in rows], [r.state for r in rows]
    )
    latest = made.latest()
    await conn.execute(PRESENT, [r.user for r in latest], [r.at for r in latest], [r.state for r in latest])
    windows = sorted(made.windows)
    if windows:
        await conn.execute(COUNT, windows, part, *zip(*(made.windows[window] for window in windows), strict=True))

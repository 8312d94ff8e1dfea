"""Planner: consumes messages and presence, and appends what the rules want to the outbox, in the offset's transaction.

A crash at any point repeats a batch and plans nothing twice: the offset moves with the plans, and a message is planned
once per user. Whom a batch concerns is read at once (`candidates`); what is decided is `rules`'s.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from asyncpg.exceptions import PostgresError

from signalink_core.database.pool import Pool
from signalink_core.events.types import (
    MESSAGE_CREATED,
    MESSAGE_EDITED,
    MessageCreated,
    MessageEdited,
    NotificationKind,
    NotificationRequested,
    PresenceChanged,
)
from signalink_core.ids import uuid7
from signalink_core.kafka.consumer import ConsumerLimits, KafkaConsumerManager
from signalink_core.kafka.delivery import Batch, Delivered
from signalink_core.kafka.lanes import Report
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.records import Producer
from signalink_core.log import state
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import names
from signalink_notifications import SCHEMA
from signalink_notifications.planner import candidates, rules
from signalink_notifications.planner.candidates import Asked, Candidate
from signalink_notifications.planner.rules import Mails, Occasion, Policy, Wanted
from signalink_notifications.settings import NotificationSettings

GROUP: Final = "signalink-notifications-planner"
TOPICS: Final = ("messages", "presence")
TEXTS: Final = (MESSAGE_CREATED, MESSAGE_EDITED)
LIMITS: Final = ConsumerLimits(batch_records=200)
PLANS_AT_ONCE: Final = 1_000
"""In one call of `notifications.request`: about 0.5 MB."""
REQUEST: Final = "SELECT notifications.request($1)"

# $1 users, $2 states, $3 times. Best effort as presence is: an older one changes nothing, one from the future is now.
PRESENCE: Final = """
INSERT INTO notifications.presence AS known (user_id, state, changed_at)
SELECT user_id, state, least(changed_at, clock_timestamp())
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) said (user_id, state, changed_at) ORDER BY user_id
ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
WHERE known.changed_at <= excluded.changed_at
"""


WhoIsAbsent = Callable[[Collection[UUID]], Awaitable[frozenset[UUID]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A notification to be appended."""

    occasion: Occasion
    user_id: UUID
    wanted: Wanted

    def row(self) -> dict[str, Any]:
        """As `notifications.request` takes it."""
        occasion, wanted, notification = self.occasion, self.wanted, uuid7()
        data = NotificationRequested(
            notification_id=notification,
            user_id=self.user_id,
            kind=wanted.kind,
            channel_id=occasion.channel_id,
            message_id=occasion.message_id,
            message_seq=occasion.seq,
            sender_id=occasion.sender_id,
            created_at=occasion.told_at,
            channels=wanted.channels,
            digest=wanted.digest,
            not_before=wanted.not_before,
            digest_at=wanted.digest_at,
        )
        return {
            "user_id": self.user_id,
            "message_id": occasion.message_id,
            "notification_id": notification,
            "kind": wanted.kind,
            "channels": wanted.channels,
            "digest": wanted.digest,
            "traceparent": occasion.traceparent,
            "data": data.model_dump(mode="json"),
        }


class Planner:
    """The effect: `apply(tx, batch)` of one consumer group. `absent`: who of some users is on no gateway."""

    def __init__(self, policy: Policy, absent: WhoIsAbsent | None = None) -> None:
        self._policy, self._absent = policy, absent

    async def apply(self, tx: asyncpg.Connection, batch: Batch) -> None:
        """LogMismatch, which is waited out, when Postgres is another server than the outbox's."""
        try:
            if batch.topic == "presence":
                await _remember(tx, batch.events)
            else:
                await self._plan(tx, batch.events)
        except PostgresError as error:
            raise state.mismatch(error) or error from error

    async def _plan(self, tx: asyncpg.Connection, events: Sequence[Delivered]) -> None:
        asked = await _asked(tx, events)
        if not asked:
            return
        found = await self._confirmed(await candidates.find(tx, asked, self._policy.digest_minutes))
        plans, counts = plan(found, self._policy)
        for start in range(0, len(plans), PLANS_AT_ONCE):
            await tx.execute(REQUEST, [one.row() for one in plans[start : start + PLANS_AT_ONCE]])
        for (kind, verdict), count in counts.items():
            names.NOTIFICATIONS_PLANNED_TOTAL.labels(kind=kind, verdict=verdict).inc(count)

    async def _confirmed(self, found: list[Candidate]) -> list[Candidate]:
        """With everybody offline who is said to be here and is on no gateway."""
        here = {one.person.user_id for one in found if one.person.state not in {None, "offline"}}
        if not here or self._absent is None:
            return found
        absent = await self._absent(here)
        return [
            replace(one, person=replace(one.person, state="offline")) if one.person.user_id in absent else one
            for one in found
        ]


def plan(found: Sequence[Candidate], policy: Policy) -> tuple[list[Plan], Counter[tuple[NotificationKind, str]]]:
    """What to append, and how many of each kind ended how. A user's mails of one batch count for each other."""
    plans: list[Plan] = []
    counts: Counter[tuple[NotificationKind, str]] = Counter()
    mails: dict[UUID, Mails] = {}
    for candidate in found:
        person = candidate.person
        person = replace(person, mails=mails.get(person.user_id, person.mails))
        decision = rules.decide(candidate.occasion, person, candidate.now, policy)
        if isinstance(decision, Wanted):
            plans.append(Plan(candidate.occasion, person.user_id, decision))
            mails[person.user_id] = person.mails.after(decision, candidate.now)
            counts[decision.kind, "digest" if decision.digest else "planned"] += 1
        else:
            counts[rules.strongest(candidate.occasion.kinds), decision] += 1
    return plans, counts


def policy_of(settings: NotificationSettings) -> Policy:
    return Policy(
        away=timedelta(minutes=settings.away_minutes),
        digest_minutes=settings.digest_minutes,
        digest_after=settings.digest_after,
        oldest=timedelta(hours=settings.oldest_hours),
    )


def consumer(
    kafka: KafkaSettings,
    pool: Pool,
    dead_letters: Producer,
    *,
    policy: Policy,
    node: str,
    report: Report,
    absent: WhoIsAbsent | None = None,
    limits: ConsumerLimits = LIMITS,
) -> KafkaConsumerManager:
    """The planner as a member of its group."""
    return KafkaConsumerManager(
        kafka,
        group=GROUP,
        topics=TOPICS,
        apply=Planner(policy, absent).apply,
        store=PostgresOffsets(pool, SCHEMA, GROUP),
        dead_letters=dead_letters,
        node=node,
        limits=limits,
        report=report,
    )


async def _asked(tx: asyncpg.Connection, events: Sequence[Delivered]) -> list[Asked]:
    """The texts of a batch in its order; edits of messages that are deleted by now are left out."""
    said = [(delivered.event, delivered.data()) for delivered in events if delivered.type in TEXTS]
    edits = [(data.id, data.revision - 1) for _, data in said if isinstance(data, MessageEdited)]
    before = await candidates.earlier(tx, edits)
    asked: list[Asked] = []
    for event, data in said:
        if event.channel is None:
            continue
        if isinstance(data, MessageCreated):
            asked.append(Asked(data.id, event.channel, data.body, event.time, None, event.traceparent))
        elif isinstance(data, MessageEdited) and (old := before.get((data.id, data.revision - 1))) is not None:
            asked.append(Asked(data.id, event.channel, data.body, event.time, old, event.traceparent))
    return asked


async def _remember(tx: asyncpg.Connection, events: Sequence[Delivered]) -> None:
    """The last state of each user."""
    last: dict[UUID, tuple[str, datetime]] = {}
    for delivered in events:
        data = delivered.data()
        if isinstance(data, PresenceChanged):
            at = delivered.event.time
            if data.user_id not in last or last[data.user_id][1] <= at:
                last[data.user_id] = (data.state, at)
    if last:
        said = list(last.values())
        await tx.execute(PRESENCE, list(last), [now for now, _ in said], [at for _, at in said])

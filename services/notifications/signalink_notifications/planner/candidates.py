"""Whom messages may concern, and everything the rules ask about them: one statement for a whole batch of messages.

Owns the SQL over messaging's views and this service's tables; deciding is `rules`'s. A channel of 20,000 members costs
rows here, never statements.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

import asyncpg

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_notifications.planner import texts
from signalink_notifications.planner.quiet import Quiet
from signalink_notifications.planner.rules import Mails, Occasion, Person

# $1 messages as `Asked.row` gives them, $2 the digest's minutes of who chose none. Names are ASCII and keywords are
# kept folded, so what Postgres compares has gone through the same rules as what Python found. The texts of a channel
# are searched once for each different word, however many keep it. LIMIT 1 in what is joined to people: without it a
# plan for few of them reads the tables of all. (1,000 keepers of words among 20,000 members: 320 -> 6,200 texts/s.)
CANDIDATES: Final = """
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1) AS a (
        n integer, message_id uuid, channel_id uuid, names text[], folded text, before text, edited boolean)
), told AS MATERIALIZED (
    SELECT a.*, m.seq, m.sender_id, m.reply_to, m.thread_root, m.deleted
    FROM asked a JOIN messaging.message_authors m ON m.message_id = a.message_id
), watched AS MATERIALIZED (
    SELECT p.channel_id, p.user_id, word
    FROM (SELECT DISTINCT channel_id FROM told) c
    JOIN messaging.channel_people p ON p.channel_id = c.channel_id
    JOIN notifications.preferences k ON k.user_id = p.user_id AND k.keywords <> '{}'
    CROSS JOIN LATERAL unnest(k.keywords) word
), said AS MATERIALIZED (
    SELECT t.n, t.channel_id, t.sender_id, w.word
    FROM told t JOIN (SELECT DISTINCT channel_id, word FROM watched) w ON w.channel_id = t.channel_id
    WHERE strpos(t.folded, w.word) > 0
), found AS (
    SELECT t.n, c.user_id, 'mention' AS kind, NULL::text[] AS words
    FROM told t CROSS JOIN LATERAL unnest(t.names) name JOIN messaging.contacts c ON lower(c.username) = name
    UNION ALL
    SELECT t.n, p.user_id, 'direct', NULL
    FROM told t JOIN messaging.channel_people p ON p.channel_id = t.channel_id AND p.kind = 'direct'
    WHERE NOT t.edited AND p.user_id <> t.sender_id
    UNION ALL
    SELECT t.n, m.sender_id, 'reply', NULL
    FROM told t JOIN messaging.message_authors m ON m.message_id IN (t.reply_to, t.thread_root)
    WHERE NOT t.edited AND m.sender_id <> t.sender_id
    UNION ALL
    SELECT s.n, w.user_id, 'keyword', array_agg(s.word)
    FROM said s JOIN watched w ON w.channel_id = s.channel_id AND w.word = s.word AND w.user_id <> s.sender_id
    GROUP BY s.n, w.user_id
), each AS (
    SELECT n, user_id, array_agg(DISTINCT kind) AS kinds, array_agg(words) FILTER (WHERE words IS NOT NULL) AS words
    FROM found GROUP BY n, user_id
)
SELECT clock_timestamp() AS now, f.n, f.user_id, f.kinds, f.words, t.seq, t.sender_id, t.deleted, c.disabled,
    EXISTS (SELECT FROM messaging.blocked_people b WHERE (b.user_id, b.blocked_id) = (f.user_id, t.sender_id))
        AS blocked,
    EXISTS (SELECT FROM messaging.push_devices d WHERE d.user_id = f.user_id) AS has_device,
    held.entitled, held.last_read_seq,
    EXISTS (
        SELECT FROM notifications.mutes m
        WHERE m.user_id = f.user_id AND m.channel_id = t.channel_id AND (m.until IS NULL OR m.until > clock_timestamp())
    ) AS muted,
    s.state, s.changed_at, p.time_zone, p.quiet_from, p.quiet_until, p.digest_minutes,
    p.email_off_at IS NOT NULL AS email_off, p.webhook_url IS NOT NULL AS has_webhook,
    ARRAY(SELECT o.kind || ' ' || o.channel FROM notifications.choices o
          WHERE o.user_id = f.user_id AND NOT o.enabled) AS off,
    sent.at_once, sent.waiting_since
FROM each f
JOIN told t USING (n)
CROSS JOIN LATERAL (SELECT * FROM messaging.contacts k WHERE k.user_id = f.user_id LIMIT 1) c
LEFT JOIN LATERAL (SELECT * FROM notifications.preferences k WHERE k.user_id = f.user_id LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT * FROM notifications.presence k WHERE k.user_id = f.user_id LIMIT 1) s ON true
LEFT JOIN LATERAL (
    SELECT coalesce(bool_or(e.history = 'all' OR t.seq BETWEEN e.from_seq AND coalesce(e.to_seq, t.seq)), false)
        AS entitled, max(e.last_read_seq) AS last_read_seq
    FROM messaging.entitlements e WHERE e.channel_id = t.channel_id AND e.user_id = f.user_id
) held ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT l.digest) AS at_once, min(l.planned_at) FILTER (WHERE l.digest) AS waiting_since
    FROM notifications.plans l
    WHERE l.user_id = f.user_id AND 'email' = ANY (l.channels)
      AND l.planned_at > clock_timestamp() - make_interval(mins => coalesce(p.digest_minutes, $2))
) sent ON true
ORDER BY f.n, f.user_id
"""

# $1 messages, $2 revisions
EARLIER: Final = """
SELECT e.message_id, e.revision, e.body
FROM messaging.earlier_texts e
JOIN unnest($1::uuid[], $2::int[]) w (message_id, revision) USING (message_id, revision)
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A text that was posted, or that an edit put in the place of `before`."""

    message_id: UUID
    channel_id: UUID
    body: str
    told_at: datetime
    before: str | None = None
    traceparent: str | None = None

    def row(self, n: int) -> dict[str, Any]:
        """As the statement takes it."""
        edited = self.before is not None
        names = texts.names(self.body) if self.before is None else texts.new_names(self.body, self.before)
        row = {"n": n, "message_id": self.message_id, "channel_id": self.channel_id, "edited": edited}
        return row | {"names": names, "folded": texts.fold(self.body), "before": texts.fold(self.before or "")}


@dataclass(frozen=True, slots=True)
class Candidate:
    occasion: Occasion
    person: Person
    now: datetime
    """Postgres's clock."""


async def earlier(tx: asyncpg.Connection, wanted: Sequence[tuple[UUID, int]]) -> Mapping[tuple[UUID, int], str]:
    """The bodies that were revisions of messages; those of a deleted message are gone."""
    if not wanted:
        return {}
    rows = await tx.fetch(EARLIER, [message for message, _ in wanted], [revision for _, revision in wanted])
    return {(row["message_id"], row["revision"]): row["body"] for row in rows}


async def find(tx: asyncpg.Connection, asked: Sequence[Asked], digest_minutes: int) -> list[Candidate]:
    """Everybody whom one of `asked` concerns, in the order of `asked`."""
    rows = [one.row(n) for n, one in enumerate(asked)]
    folded = {row["n"]: (row["folded"], row["before"]) for row in rows}
    found = await tx.fetch(CANDIDATES, rows, digest_minutes)
    return list(_candidates(found, asked, folded))


def _candidates(
    rows: Sequence[Mapping[str, Any]], asked: Sequence[Asked], folded: Mapping[int, tuple[str, str]]
) -> Iterator[Candidate]:
    for row in rows:
        kinds = frozenset[NotificationKind](row["kinds"])
        if not _says(row["words"], *folded[row["n"]]):
            kinds -= {"keyword"}
        if kinds:
            yield Candidate(_occasion(asked[row["n"]], row, kinds), _person(row), row["now"])


def _says(words: Sequence[Sequence[str]] | None, folded: str, before: str) -> bool:
    """Whether one of the keywords stands there as a word of its own, and did not before the edit."""
    found = words[0] if words else ()
    return any(texts.says(folded, word) and not texts.says(before, word) for word in found)


def _occasion(asked: Asked, row: Mapping[str, Any], kinds: frozenset[NotificationKind]) -> Occasion:
    return Occasion(
        channel_id=asked.channel_id,
        message_id=asked.message_id,
        seq=row["seq"],
        sender_id=row["sender_id"],
        told_at=asked.told_at,
        kinds=kinds,
        edited=asked.before is not None,
        deleted=row["deleted"],
        traceparent=asked.traceparent,
    )


def _person(row: Mapping[str, Any]) -> Person:
    leads: dict[NotificationChannel, bool] = {
        "email": not row["email_off"],
        "push": row["has_device"],
        "webhook": row["has_webhook"],
    }
    return Person(
        user_id=row["user_id"],
        reachable=frozenset(channel for channel, reachable in leads.items() if reachable),
        disabled=row["disabled"],
        entitled=row["entitled"],
        last_read_seq=row["last_read_seq"] or 0,
        blocked_sender=row["blocked"],
        muted=row["muted"],
        state=row["state"],
        state_since=row["changed_at"],
        off=frozenset(_choice(text) for text in row["off"]),
        quiet=_quiet(row["time_zone"], row["quiet_from"], row["quiet_until"]),
        digest_minutes=row["digest_minutes"],
        mails=Mails(row["at_once"], row["waiting_since"]),
    )


def _choice(text: str) -> tuple[NotificationKind, NotificationChannel]:
    kind, channel = text.split(" ")
    return kind, channel  # type: ignore[return-value]  # the table's check allows no others


def _quiet(zone: str | None, begin: time | None, end: time | None) -> Quiet | None:
    return None if zone is None or begin is None or end is None else Quiet(zone, begin, end)

"""What messages and presence make the planner append, on Postgres: from events to plans and the outbox."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from talking import TRACE, Talk, as_batch, presence

from signalink_core.bus.presence import PresenceStore
from signalink_core.clock import utc_now
from signalink_core.database.pool import Pool
from signalink_core.errors import LogMismatch
from signalink_core.events.types import NOTIFICATION_REQUESTED, NotificationRequested
from signalink_core.ids import uuid7
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.errors import BadRecord
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import names
from signalink_notifications.planner.planner import Planner
from signalink_notifications.planner.presence import Absent
from signalink_notifications.planner.rules import KINDS, Policy
from signalink_stacks.local.testing import ValkeyServer

POLICY = Policy(timedelta(minutes=10), digest_minutes=15, digest_after=3, oldest=timedelta(hours=24))


class Effect:
    """The planner and what it made. Answers are (user, kind) in the order of planning."""

    def __init__(self, pool: Pool, talk: Talk, policy: Policy = POLICY, absent: Any = None) -> None:
        self.pool, self.talk, self.planner = pool, talk, Planner(policy, absent)
        self._seen: set[UUID] = set()

    async def apply(self, batch: Batch) -> None:
        async with self.pool.acquire() as tx, tx.transaction():
            await self.planner.apply(tx, batch)

    async def hear(self, *states: Any) -> None:
        await self.apply(as_batch("presence", *states))

    async def told(self) -> list[tuple[UUID, str]]:
        """Everything said since the last call, planned; what is new of it."""
        await self.apply(await self.talk.batch())
        rows = await self.talk.admin.fetch("SELECT * FROM notifications.plans ORDER BY notification_id")
        new = [row for row in rows if row["notification_id"] not in self._seen]
        self._seen |= {row["notification_id"] for row in new}
        return [(row["user_id"], row["kind"]) for row in new]


@pytest.fixture
def effect(pool: Pool, talk: Talk) -> Effect:
    return Effect(pool, talk)


def verdicts() -> dict[str, float]:
    """The metric, over kinds."""
    counts: dict[str, float] = {}
    for kind in KINDS:
        for sample in next(iter(names.NOTIFICATIONS_PLANNED_TOTAL.collect())).samples:
            if sample.name.endswith("_total") and sample.labels["kind"] == kind:
                counts[sample.labels["verdict"]] = counts.get(sample.labels["verdict"], 0) + sample.value
    return counts


async def test_a_mention_becomes_one_request_that_says_who_why_and_where(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel = await talk.channel(ann, bob)
    message = await talk.say(channel, ann, "hello @BOB, look")
    assert await effect.told() == [(bob, "mention")]
    (row,) = await talk.admin.fetch("SELECT * FROM notifications.events")
    assert (row["type"], row["topic"], row["aggregateid"]) == (NOTIFICATION_REQUESTED, "notifications", bob)
    assert row["traceparent"] == TRACE
    data = NotificationRequested.model_validate(row["payload"])
    assert (data.notification_id, data.user_id, data.sender_id) == (row["event_id"], bob, ann)
    assert (data.channel_id, data.message_id, data.message_seq) == (channel, message, 2)
    assert (data.channels, data.digest, data.not_before, data.digest_at) == (("email",), False, None, None)
    assert "look" not in str(row["payload"])


async def test_each_kind_finds_its_people(effect: Effect, talk: Talk) -> None:
    ann, bob, cleo, dan = [await talk.user(name) for name in ("ann", "bob", "cleo", "dan")]
    channel, direct = await talk.channel(ann, bob, cleo, dan), await talk.direct(ann, bob)
    await talk.admin.execute("INSERT INTO notifications.preferences (user_id, keywords) VALUES ($1, '{release}')", dan)
    await talk.say(direct, ann, "hi")
    root = await talk.say(channel, bob, "question")
    answer = await talk.say(channel, cleo, "answer", root)
    await talk.say(channel, ann, "the Release is out, no prerelease", answer)
    assert await effect.told() == [(bob, "direct"), (bob, "reply"), (bob, "reply"), (cleo, "reply"), (dan, "keyword")]


async def test_nobody_is_told_of_their_own_words(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel = await talk.channel(ann, bob)
    await talk.admin.execute("INSERT INTO notifications.preferences (user_id, keywords) VALUES ($1, '{me}')", ann)
    mine = await talk.say(channel, ann, "@ann me")
    await talk.say(channel, ann, "and me again", mine)
    assert await effect.told() == []


async def test_who_may_not_read_a_message_is_not_told_of_it(effect: Effect, talk: Talk) -> None:
    ann, bob, cleo, dan = [await talk.user(name) for name in ("ann", "bob", "cleo", "dan")]
    secret = await talk.channel(ann, bob, cleo, kind="private")
    await talk.call("leave_channel", channel_id=secret, actor_id=bob)
    await talk.say(secret, ann, "@bob @cleo @dan @nobody")
    await talk.add(secret, ann, dan)  # from now on; what was said before is not theirs (history: joined)
    assert await effect.told() == [(cleo, "mention")]
    public = await talk.channel(ann)
    await talk.say(public, ann, "@dan")
    await talk.add(public, ann, dan)
    assert await effect.told() == [], "what was said before one joined counts as read"
    await talk.say(public, ann, "@dan")
    assert await effect.told() == [(dan, "mention")]


async def test_a_block_a_mute_and_a_closed_account_are_obeyed(effect: Effect, talk: Talk) -> None:
    ann, bob, cleo, dan, eve = [await talk.user(name) for name in ("ann", "bob", "cleo", "dan", "eve")]
    channel = await talk.channel(ann, bob, cleo, dan, eve)
    await talk.admin.execute("INSERT INTO messaging.blocks (user_id, blocked_id) VALUES ($1, $2)", bob, ann)
    await talk.admin.execute("INSERT INTO notifications.mutes (user_id, channel_id) VALUES ($1, $2)", cleo, channel)
    await talk.admin.execute(
        "INSERT INTO notifications.mutes (user_id, channel_id, until) VALUES ($1, $2, now() - interval '1 s')",
        dan,
        channel,
    )
    await talk.admin.execute("UPDATE messaging.users SET disabled_at = now() WHERE id = $1", eve)
    before = verdicts()
    await talk.say(channel, ann, "@bob @cleo @dan @eve")
    assert await effect.told() == [(dan, "mention")]
    after = verdicts()
    changed = {verdict: after[verdict] - before.get(verdict, 0) for verdict in after}
    assert {verdict: n for verdict, n in changed.items() if n} == {
        "planned": 1,
        "blocked": 1,
        "muted": 1,
        "disabled": 1,
    }


async def test_an_edit_tells_whom_it_newly_mentions_and_nobody_twice(effect: Effect, talk: Talk) -> None:
    ann, bob, cleo = [await talk.user(name) for name in ("ann", "bob", "cleo")]
    channel = await talk.channel(ann, bob, cleo)
    await effect.hear(presence(bob, "online"))
    message = await talk.say(channel, ann, "@bob hello")
    assert await effect.told() == []
    await effect.hear(presence(bob, "offline"))
    await talk.edit(message, ann, "@bob hello!")
    assert await effect.told() == [], "the mention is not new"
    await talk.edit(message, ann, "@bob @cleo hello!")
    await talk.edit(message, ann, "@cleo hello!")
    await talk.edit(message, ann, "@bob @cleo hello!")
    assert await effect.told() == [(cleo, "mention"), (bob, "mention")]


async def test_a_message_that_is_deleted_by_now_is_told_nobody(effect: Effect, talk: Talk) -> None:
    ann, bob, cleo = [await talk.user(name) for name in ("ann", "bob", "cleo")]
    channel = await talk.channel(ann, bob, cleo)
    message = await talk.say(channel, ann, "@bob")
    await talk.edit(message, ann, "@cleo")
    await talk.delete(message, ann)
    assert await effect.told() == []


async def test_presence_decides_and_an_older_state_changes_nothing(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel, now = await talk.channel(ann, bob), utc_now()

    async def told(*states: Any) -> bool:
        await effect.hear(*states)
        await talk.say(channel, ann, "@bob")
        return bool(await effect.told())

    assert await told() is True, "of whom nothing is known is offline"
    assert await told(presence(bob, "online", time=now)) is False
    assert await told(presence(bob, "offline", time=now - timedelta(seconds=1))) is False
    assert await told(presence(bob, "away", time=now + timedelta(seconds=1))) is False
    assert await told(presence(bob, "dnd"), presence(bob, "offline")) is True
    assert await told(presence(bob, "offline"), presence(bob, "dnd")) is False


async def test_a_time_from_the_future_cannot_hold_a_state_for_ever(effect: Effect, talk: Talk) -> None:
    bob = await talk.user("bob")
    await effect.hear(presence(bob, "online", time=utc_now() + timedelta(days=900)))
    await effect.hear(presence(bob, "offline", time=utc_now() + timedelta(seconds=1)))
    assert await talk.admin.fetchval("SELECT state FROM notifications.presence WHERE user_id = $1", bob) == "offline"


async def test_who_is_on_no_gateway_is_told_although_the_last_state_says_here(
    pool: Pool, talk: Talk, valkey: ValkeyServer
) -> None:
    """The transition to offline was lost; Redis knows better, and while it is away the last state stands."""
    ann, bob, cleo = [await talk.user(name) for name in ("ann", "bob", "cleo")]
    channel = await talk.channel(ann, bob, cleo)
    async with Absent(valkey.settings("notifications"), "planner") as absent:
        effect = Effect(pool, talk, absent=absent)
        await effect.hear(presence(bob, "online"), presence(cleo, "dnd"))
        await talk.say(channel, ann, "@bob @cleo")
        assert await effect.told() == [], "no gateway ever said anything"
        async with PresenceStore(valkey.settings("gateway"), "gateway-0") as gateway:
            await gateway.beat(60_000)
            await gateway.put_all(1, {cleo: ("dnd", 1)})
            await talk.say(channel, ann, "@bob @cleo")
            assert await effect.told() == [(bob, "mention")]
    away = RedisSettings(url="redis://notifications@127.0.0.1:1/0")
    async with Absent(away, "planner") as absent:
        effect = Effect(pool, talk, absent=absent)
        await effect.told()
        await talk.say(channel, ann, "@bob")
        before = len(await talk.admin.fetch("SELECT FROM notifications.plans"))
        await effect.told()
        assert len(await talk.admin.fetch("SELECT FROM notifications.plans")) == before


async def test_another_server_than_the_outboxs_is_waited_out_and_parks_nothing(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    await talk.say(await talk.channel(ann, bob), ann, "@bob")
    await talk.admin.execute("UPDATE notifications.log_state SET system_id = 1")
    with pytest.raises(LogMismatch, match="new-epoch"):
        await effect.told()


async def test_wishes_are_obeyed_channel_by_channel(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel = await talk.channel(ann, bob)
    await talk.admin.execute(
        "INSERT INTO messaging.devices (id, user_id, kind, push_token) VALUES ($1, $2, 'fcm', 't')", uuid7(), bob
    )
    await talk.admin.execute(
        "INSERT INTO notifications.preferences (user_id, webhook_url, webhook_secret, webhook_set_at, email_off_at) "
        "VALUES ($1, 'https://example.org', 's', now(), now())",
        bob,
    )
    await talk.say(channel, ann, "@bob")
    await effect.told()
    await talk.admin.execute("INSERT INTO notifications.choices VALUES ($1, 'mention', 'push', false)", bob)
    await talk.say(channel, ann, "@bob")
    await effect.told()
    rows = await talk.admin.fetch("SELECT channels FROM notifications.plans ORDER BY notification_id")
    assert [row["channels"] for row in rows] == [["push", "webhook"], ["webhook"]]


async def test_a_burst_is_three_mails_and_a_digest_over_batches_too(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel = await talk.channel(ann, bob)
    for batch in (2, 3, 2):
        for _ in range(batch):
            await talk.say(channel, ann, "@bob")
        await effect.told()
    payloads = [
        NotificationRequested.model_validate(row["payload"])
        for row in await talk.admin.fetch("SELECT payload FROM notifications.events ORDER BY id")
    ]
    assert [data.digest for data in payloads] == [False] * 3 + [True] * 4
    ends = [data.digest_at for data in payloads if data.digest_at is not None]
    assert max(ends) - min(ends) < timedelta(seconds=1)
    assert timedelta(minutes=14) < min(ends) - utc_now() <= timedelta(minutes=15)


async def test_what_was_said_long_ago_is_told_nobody(pool: Pool, talk: Talk) -> None:
    effect = Effect(pool, talk, Policy(timedelta(minutes=10), 15, 3, oldest=timedelta(0)))
    ann, bob = await talk.user("ann"), await talk.user("bob")
    await talk.say(await talk.channel(ann, bob), ann, "@bob")
    assert await effect.told() == []


async def test_a_batch_that_comes_again_plans_nothing_again(effect: Effect, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel = await talk.channel(ann, bob)
    await talk.say(channel, ann, "@bob")
    batch = await talk.batch()
    await effect.apply(batch)
    await effect.apply(batch)
    assert await talk.admin.fetchval("SELECT count(*) FROM notifications.events") == 1


async def test_data_that_fit_no_model_are_poison(effect: Effect, talk: Talk) -> None:
    bob = await talk.user("bob")
    with pytest.raises(BadRecord):
        await effect.hear(presence(bob, "dancing"))


async def test_a_channel_of_20000_members_costs_rows_and_no_statement_each(effect: Effect, talk: Talk) -> None:
    ann = await talk.user("ann")
    channel = await talk.channel(ann)
    await talk.admin.execute(
        "WITH made AS (INSERT INTO messaging.users (id, username, email, password_hash) "
        "SELECT gen_random_uuid(), 'u' || n, 'u' || n || '@example.org', 'x' FROM generate_series(1, 20000) n "
        "RETURNING id), joined AS (INSERT INTO messaging.channel_members (channel_id, user_id, role) "
        "SELECT $1, id, 'member' FROM made RETURNING user_id) "
        "INSERT INTO notifications.preferences (user_id, keywords) SELECT user_id, '{fire}' FROM joined LIMIT 5000",
        channel,
    )
    await talk.say(channel, ann, "There is a fire! @u7 and @u9999 too")
    statements: list[str] = []
    async with effect.pool.acquire() as tx:
        tx.add_query_logger(lambda record: statements.append(record.query))
        async with tx.transaction():
            await effect.planner.apply(tx, await talk.batch())
    assert await talk.admin.fetchval("SELECT count(*) FROM notifications.plans") in range(5000, 5003)
    assert len(statements) <= 2 + 2 + 6, statements

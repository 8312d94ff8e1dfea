"""What a user sees of their notifications: their own, the youngest first, page by page, without any text."""

from uuid import UUID

from desk import Desk
from talking import Talk, as_batch
from test_planner_effects import Effect

from signalink_core.database.pool import Pool
from signalink_core.log import rows
from signalink_notifications.delivery import intake

PATH = "/v1/notifications"


async def test_ones_own_notifications_come_youngest_first_in_pages(desk: Desk, talk: Talk, pool: Pool) -> None:
    ann, bob, cleo = [await talk.user(name) for name in ("ann", "bob", "cleo")]
    channel = await talk.channel(ann, bob, cleo)
    effect = Effect(pool, talk)
    messages: list[UUID] = []
    for n in range(5):
        messages.append(await talk.say(channel, ann, f"@bob secret {n}"))
        await effect.told()
    await talk.say(channel, ann, "@cleo")
    await effect.told()
    found, cursor = [], None
    for size in (2, 2, 1):
        page = (await desk.get(bob, PATH, limit=2, **({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) == size
        found += page["items"]
        cursor = page["next"]
    assert cursor is None
    assert [item["message_id"] for item in found] == [str(message) for message in reversed(messages)]
    assert found[-1]["kind"] == "mention"
    assert (found[-1]["channel_id"], found[-1]["sender_id"], found[-1]["digest"]) == (str(channel), str(ann), False)
    assert [item["digest"] for item in found] == [True, True, False, False, False]
    assert "secret" not in str(found)
    assert (await desk.get(ann, PATH)).json() == {"items": [], "next": None}


async def test_each_shows_what_became_of_it_by_channel(desk: Desk, talk: Talk, pool: Pool) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    effect = Effect(pool, talk)
    await talk.say(await talk.channel(ann, bob), ann, "@bob")
    await effect.told()
    (item,) = (await desk.get(bob, PATH)).json()["items"]
    assert item["deliveries"] == []
    row = await talk.admin.fetchrow("SELECT * FROM notifications.events")
    batch = as_batch("notifications", rows.to_event(row))
    async with pool.acquire() as tx, tx.transaction():
        await intake.apply(tx, batch)
    (item,) = (await desk.get(bob, PATH)).json()["items"]
    (delivery,) = item["deliveries"]
    assert delivery.pop("next_attempt_at").endswith("Z")
    pending = {"state": "pending", "reason": None, "error": None, "attempts": 0, "settled_at": None}
    assert delivery == {"channel": "email", **pending}
    await talk.admin.execute(
        "UPDATE notifications.deliveries SET state = 'skipped', reason = 'read', settled_at = clock_timestamp()"
    )
    (delivery,) = (await desk.get(bob, PATH)).json()["items"][0]["deliveries"]
    assert (delivery["state"], delivery["reason"], delivery["next_attempt_at"]) == ("skipped", "read", None)
    assert delivery["settled_at"].endswith("Z")


async def test_a_cursor_is_its_users_alone(desk: Desk, talk: Talk, pool: Pool) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel, effect = await talk.channel(ann, bob), Effect(pool, talk)
    for _ in range(3):
        await talk.say(channel, ann, "@bob")
    await effect.told()
    cursor = (await desk.get(bob, PATH, limit=1)).json()["next"]
    assert (await desk.get(bob, PATH, cursor=cursor)).status_code == 200
    for user, wrong in ((ann, cursor), (bob, cursor[:-2]), (bob, "x")):
        answer = await desk.get(user, PATH, cursor=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")

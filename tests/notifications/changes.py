"""What can change between planning and sending a notification, each with the reason it must be skipped for."""

from datetime import UTC, datetime
from typing import Any

from posting import Office


async def remove(office: Office, request: Any) -> None:
    await office.talk.delete(request.event.data["message_id"], office.ann)


async def read_it(office: Office, request: Any) -> None:
    seq = request.event.data["message_seq"]
    await office.talk.call("read_channel", channel_id=office.channel_id, actor_id=office.bob, seq=seq)


async def disable(office: Office, request: Any) -> None:
    await office.sql("UPDATE messaging.users SET disabled_at = now() WHERE id = $1", office.bob)


async def leave(office: Office, request: Any) -> None:
    await office.talk.call("leave_channel", channel_id=office.channel_id, actor_id=office.bob)


async def block(office: Office, request: Any) -> None:
    await office.sql("INSERT INTO messaging.blocks (user_id, blocked_id) VALUES ($1, $2)", office.bob, office.ann)


async def mute(office: Office, request: Any) -> None:
    await office.sql(
        "INSERT INTO notifications.mutes (user_id, channel_id) VALUES ($1, $2)", office.bob, office.channel_id
    )


async def choose(office: Office, request: Any) -> None:
    await office.sql("INSERT INTO notifications.choices VALUES ($1, 'mention', 'email', false)", office.bob)


async def unsubscribe(office: Office, request: Any) -> None:
    await office.wish(email_off_at=datetime.now(UTC))


async def age(office: Office, request: Any) -> None:
    await office.sql("UPDATE notifications.deliveries SET asked_at = now() - interval '73 h'")


CHANGES = [
    ("deleted", remove), ("read", read_it), ("user_gone", disable), ("outside", leave), ("blocked", block),
    ("muted", mute), ("switched_off", choose), ("unsubscribed", unsubscribe), ("expired", age),
]  # fmt: skip

"""Reads of channels and members; changes are the functions of `messaging`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, column, or_, select, table, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import channel_members, channels, users

unread_counts = table(
    "unread_counts",
    *(column(name) for name in ("user_id", "channel_id", "last_read_seq", "last_seq", "unread")),
    schema="messaging",
)
_MEMBERSHIP = (
    channel_members.c.role.label("member_role"),
    channel_members.c.joined_at,
    channel_members.c.muted_until,
    channel_members.c.last_read_seq,
)


def _for_user(user_id: UUID) -> Select[Any]:
    """Channels with the user's own membership, if any, and their global role (null: unknown or disabled)."""
    return (
        select(channels, *_MEMBERSHIP, users.c.role.label("actor_role"))
        .select_from(channels)
        .outerjoin(
            channel_members, and_(channel_members.c.channel_id == channels.c.id, channel_members.c.user_id == user_id)
        )
        .outerjoin(users, and_(users.c.id == user_id, users.c.disabled_at.is_(None)))
        .where(channels.c.deleted_at.is_(None))
    )


async def find(db: AsyncConnection, channel_id: UUID, user_id: UUID) -> Row[Any] | None:
    found: Row[Any] | None = (await db.execute(_for_user(user_id).where(channels.c.id == channel_id))).one_or_none()
    return found


async def browse(
    db: AsyncConnection, user_id: UUID, q: str | None, after: tuple[str, UUID] | None, limit: int
) -> list[Row[Any]]:
    """Public channels that are not archived, by slug."""
    statement = _for_user(user_id).where(channels.c.kind == "public", channels.c.archived_at.is_(None))
    if q is not None:
        statement = statement.where(
            or_(channels.c.slug.icontains(q, autoescape=True), channels.c.name.icontains(q, autoescape=True))
        )
    if after is not None:
        statement = statement.where(tuple_(channels.c.slug, channels.c.id) > tuple_(*after))
    return list((await db.execute(statement.order_by(channels.c.slug, channels.c.id).limit(limit))).all())


async def mine(db: AsyncConnection, user_id: UUID, after: tuple[datetime, UUID] | None, limit: int) -> list[Row[Any]]:
    """The user's channels, archived ones too, in the order they joined."""
    statement = _for_user(user_id).where(channel_members.c.user_id == user_id)
    if after is not None:
        statement = statement.where(tuple_(channel_members.c.joined_at, channels.c.id) > tuple_(*after))
    return list((await db.execute(statement.order_by(channel_members.c.joined_at, channels.c.id).limit(limit))).all())


async def members(
    db: AsyncConnection, channel_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row[Any]]:
    """In the order they joined."""
    statement: Select[Any] = (
        select(
            channel_members.c.user_id,
            users.c.username,
            users.c.display_name,
            channel_members.c.role,
            channel_members.c.joined_at,
            channel_members.c.muted_until,
        )
        .join(users, users.c.id == channel_members.c.user_id)
        .where(channel_members.c.channel_id == channel_id)
    )
    if after is not None:
        statement = statement.where(tuple_(channel_members.c.joined_at, channel_members.c.user_id) > tuple_(*after))
    ordered = statement.order_by(channel_members.c.joined_at, channel_members.c.user_id).limit(limit)
    return list((await db.execute(ordered)).all())


async def unread(db: AsyncConnection, user_id: UUID, most: int) -> list[Row[Any]]:
    """Of the channels in which something is unread."""
    counts = unread_counts.c
    statement = select(unread_counts).where(counts.user_id == user_id, counts.unread > 0)
    return list((await db.execute(statement.order_by(counts.channel_id).limit(most))).all())

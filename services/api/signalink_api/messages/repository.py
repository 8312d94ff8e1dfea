"""Reads of messages; posts go through the writer, edits and deletions through the functions of `messaging`."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import channel_members, channels, memberships, messages, users

_NEVER = 2**63 - 1


def _shown(user_id: UUID) -> Select[Any]:
    """Messages with the epoch of their channel, only those the user is entitled to by seq."""
    return (
        select(messages, channels.c.epoch)
        .join(channels, channels.c.id == messages.c.channel_id)
        .where(channels.c.deleted_at.is_(None), or_(channels.c.history == "all", _was_member(user_id)))
    )


def _was_member(user_id: UUID) -> ColumnElement[bool]:
    return exists().where(
        memberships.c.channel_id == messages.c.channel_id,
        memberships.c.user_id == user_id,
        messages.c.seq.between(memberships.c.from_seq, func.coalesce(memberships.c.to_seq, _NEVER)),
    )


async def find(db: AsyncConnection, message_id: UUID, user_id: UUID) -> Row[Any] | None:
    """The message with what decides whether the user may see and read it."""
    statement = (
        _shown(user_id)
        .add_columns(channels.c.kind, channel_members.c.role.label("member_role"), users.c.role.label("actor_role"))
        .outerjoin(
            channel_members, and_(channel_members.c.channel_id == channels.c.id, channel_members.c.user_id == user_id)
        )
        .outerjoin(users, and_(users.c.id == user_id, users.c.disabled_at.is_(None)))
        .where(messages.c.id == message_id)
    )
    return (await db.execute(statement)).one_or_none()


async def below(db: AsyncConnection, channel_id: UUID, user_id: UUID, seq: int | None, limit: int) -> list[Row[Any]]:
    """The newest `limit` messages below a seq (None: of all), ascending."""
    statement = _shown(user_id).where(messages.c.channel_id == channel_id)
    if seq is not None:
        statement = statement.where(messages.c.seq < seq)
    rows = (await db.execute(statement.order_by(messages.c.seq.desc()).limit(limit))).all()
    return list(reversed(rows))


async def above(db: AsyncConnection, channel_id: UUID, user_id: UUID, seq: int, limit: int) -> list[Row[Any]]:
    """The oldest `limit` messages above a seq, ascending."""
    statement = _shown(user_id).where(messages.c.channel_id == channel_id, messages.c.seq > seq)
    return list((await db.execute(statement.order_by(messages.c.seq).limit(limit))).all())


async def thread(db: AsyncConnection, root: UUID, user_id: UUID, seq: int, limit: int) -> list[Row[Any]]:
    """The oldest `limit` replies of a thread above a seq, ascending."""
    statement = _shown(user_id).where(messages.c.thread_root == root, messages.c.seq > seq)
    return list((await db.execute(statement.order_by(messages.c.seq).limit(limit))).all())

"""Statements on a user's blocks; who may be blocked is decided in `service`."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import blocks, users


async def of_user(db: AsyncConnection, user_id: UUID) -> list[Row[Any, Any, Any]]:
    """The youngest first."""
    columns = (blocks.c.blocked_id.label("user_id"), users.c.username, blocks.c.created_at)
    statement = select(*columns).join(users, users.c.id == blocks.c.blocked_id).where(blocks.c.user_id == user_id)
    return list((await db.execute(statement.order_by(blocks.c.created_at.desc(), blocks.c.blocked_id))).all())


async def count(db: AsyncConnection, user_id: UUID, besides: UUID) -> int:
    statement = select(func.count()).where(blocks.c.user_id == user_id, blocks.c.blocked_id != besides)
    found: int = (await db.execute(statement)).scalar_one()
    return found


async def put(db: AsyncConnection, user_id: UUID, blocked_id: UUID) -> None:
    made = insert(blocks).values(user_id=user_id, blocked_id=blocked_id)
    await db.execute(made.on_conflict_do_nothing())


async def drop(db: AsyncConnection, user_id: UUID, blocked_id: UUID) -> None:
    await db.execute(delete(blocks).where(blocks.c.user_id == user_id, blocks.c.blocked_id == blocked_id))

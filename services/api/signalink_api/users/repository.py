"""Statements on a user's own row; accounts are made and looked up for login in `auth`."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import users


async def find(db: AsyncConnection, user_id: UUID) -> Row[Any] | None:
    """None: unknown or disabled."""
    statement = select(users).where(users.c.id == user_id, users.c.disabled_at.is_(None))
    return (await db.execute(statement)).one_or_none()


async def change(db: AsyncConnection, user_id: UUID, values: dict[str, Any]) -> Row[Any] | None:
    statement = update(users).where(users.c.id == user_id, users.c.disabled_at.is_(None)).values(values)
    changed: Row[Any] | None = (await db.execute(statement.returning(users))).one_or_none()
    return changed


async def search(db: AsyncConnection, prefix: str, limit: int) -> list[Row[Any]]:
    """Users whose name begins so, by name: a range of the index on lower(username)."""
    name = func.lower(users.c.username)
    low = prefix.lower()
    statement = select(users).where(name >= low, name < low + "\U0010ffff", users.c.disabled_at.is_(None))
    return list((await db.execute(statement.order_by(name).limit(limit))).all())

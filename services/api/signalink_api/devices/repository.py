"""Statements on a user's devices; who may have which is decided in `service`."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import devices

_now = func.date_trunc("milliseconds", func.clock_timestamp())


async def of_user(db: AsyncConnection, user_id: UUID) -> list[Row[Any]]:
    """The one seen last first."""
    statement = select(devices).where(devices.c.user_id == user_id)
    return list((await db.execute(statement.order_by(devices.c.last_seen_at.desc(), devices.c.id))).all())


async def put(db: AsyncConnection, device_id: UUID, user_id: UUID, values: dict[str, Any]) -> Row[Any]:
    """A token that is known keeps its device, which is this user's from now on if it was another's."""
    made = insert(devices).values(id=device_id, user_id=user_id, **values)
    taken = {"user_id": user_id, "name": values["name"], "last_seen_at": _now}
    statement = made.on_conflict_do_update(index_elements=[devices.c.push_token], set_=taken).returning(devices)
    found: Row[Any] = (await db.execute(statement)).one()
    return found


async def drop_oldest(db: AsyncConnection, user_id: UUID, keep: int) -> None:
    newest = select(devices.c.id).where(devices.c.user_id == user_id).order_by(devices.c.last_seen_at.desc())
    await db.execute(delete(devices).where(devices.c.user_id == user_id, devices.c.id.not_in(newest.limit(keep))))


async def drop(db: AsyncConnection, user_id: UUID, device_id: UUID) -> None:
    await db.execute(delete(devices).where(devices.c.id == device_id, devices.c.user_id == user_id))

"""Reads of the admin routes: a service's token, and a channel by its slug; changes are the functions of `messaging`."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import service_tokens


async def live_token(db: AsyncConnection, token_id: UUID) -> Row[Any] | None:
    """None: never issued here, revoked, or over by Postgres's clock."""
    statement = select(service_tokens).where(
        service_tokens.c.id == token_id,
        service_tokens.c.revoked_at.is_(None),
        service_tokens.c.expires_at > func.clock_timestamp(),
    )
    return (await db.execute(statement)).one_or_none()


async def channel(db: AsyncConnection, slug: str) -> dict[str, Any] | None:
    """The document of the channel; None: there is none of this slug."""
    found: dict[str, Any] | None = (await db.execute(select(func.messaging.managed_channel(slug)))).scalar_one()
    return found

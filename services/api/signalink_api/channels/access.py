"""Who may see and do what in a channel, on reads: no right to see is 404, any other missing right 403."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api import functions, rights
from signalink_api.channels import repository


async def require(db: AsyncConnection, channel_id: UUID, user_id: UUID, action: str) -> Row[Any]:
    """The channel's row with the user's membership; NotFound or Forbidden."""
    row = await repository.find(db, channel_id, user_id)
    if row is None or not allows(row, "see"):
        raise functions.refusal("not_found")
    if not allows(row, action):
        raise functions.refusal("forbidden")
    return row


def allows(row: Row[Any], action: str) -> bool:
    actor, member = cast("rights.ActorRole | None", row.actor_role), cast("rights.MemberRole | None", row.member_role)
    return rights.may(actor, member, row.kind, action)

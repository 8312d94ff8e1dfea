"""A user's view of themselves: read and changed in one statement each, refused when the account is closed."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from signalink_api.auth.schemas import Me
from signalink_api.database import Database
from signalink_api.users import repository
from signalink_api.users.schemas import ProfilePatch
from signalink_core.errors import TokenInvalid


class UserService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def me(self, user_id: UUID) -> Me:
        async with self._database.read() as db:
            return _known(await repository.find(db, user_id))

    async def change_me(self, user_id: UUID, patch: ProfilePatch) -> Me:
        async with self._database.begin() as db:
            return _known(await repository.change(db, user_id, patch.model_dump(exclude_unset=True)))


def _known(user: Row[Any] | None) -> Me:
    """A token of a user who is gone or disabled is worth nothing, also before the revocation was read."""
    if user is None:
        raise TokenInvalid("revoked", "The account is closed.")
    return Me.model_validate(user)

"""Users: one's own account, refused when it is closed, and what everybody may know of the others."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from signalink_api.auth.schemas import Me
from signalink_api.database import Database
from signalink_api.users import repository
from signalink_api.users.schemas import People, Person, ProfilePatch, SearchQuery
from signalink_core.errors import NotFound, TokenInvalid
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules


class UserService:
    def __init__(self, database: Database, limiter: Limiter, rules: Rules) -> None:
        self._database, self._limiter, self._rules = database, limiter, rules

    async def me(self, user_id: UUID) -> Me:
        async with self._database.read() as db:
            return _known(await repository.find(db, user_id))

    async def change_me(self, user_id: UUID, patch: ProfilePatch) -> Me:
        async with self._database.begin() as db:
            return _known(await repository.change(db, user_id, patch.model_dump(exclude_unset=True)))

    async def get(self, user_id: UUID) -> Person:
        async with self._database.read() as db:
            row = await repository.find(db, user_id)
        if row is None:
            raise NotFound("There is no such user.")
        return Person.model_validate(row)

    async def search(self, caller: UUID, query: SearchQuery) -> People:
        await self._limiter.hit(self._rules.searches_user, caller)
        async with self._database.read() as db:
            rows = await repository.search(db, query.q, query.limit)
        return People(items=[Person.model_validate(row) for row in rows])


def _known(user: Row[Any] | None) -> Me:
    """A token of a user who is gone or disabled is worth nothing, also before the revocation was read."""
    if user is None:
        raise TokenInvalid("revoked", "The account is closed.")
    return Me.model_validate(user)

"""Channels that services manage: the document goes to the database as it is wanted, until all of it is applied.

One call of the writing function changes at most `BATCH` members, so that posts of the channel wait for none longer.
Repeating any of it is safe: what is there already is not written again.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from signalink_api import functions
from signalink_api.admin import repository
from signalink_api.admin.schemas import ManagedChannel, ManagedChannelRequest, Mode, WantedMember
from signalink_api.database import Database
from signalink_core.auth.service_tokens import ServiceTokenVerifier
from signalink_core.errors import DependencyUnavailable, NotFound, TokenInvalid
from signalink_core.events import Event
from signalink_core.ids import uuid7
from signalink_core.log.rows import to_events

BATCH: Final = 200
DEADLINE_SECONDS: Final = 20.0
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Service:
    """A program with a good token; what it does is done by its account."""

    name: str
    account_id: UUID
    token_id: UUID
    scopes: frozenset[str]


class AdminService:
    def __init__(
        self,
        database: Database,
        verifier: ServiceTokenVerifier,
        publish: Callable[[Sequence[Event]], None],
        *,
        batch: int = BATCH,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._database = database
        self._verifier = verifier
        self._publish = publish
        self._batch = batch
        self._deadline = deadline_seconds

    async def identify(self, token: str) -> Service:
        """Whose token it is. Raises TokenInvalid; DependencyUnavailable when Postgres cannot say."""
        claims = await self._verifier.verify(token)
        async with self._database.read() as db:
            row = await repository.live_token(db, claims.id)
        if row is None or row.name != claims.name:
            raise TokenInvalid(
                "revoked", "The token was revoked.", next_step=f"`signalink token service {claims.name}`"
            )
        return Service(claims.name, row.account_id, claims.id, claims.scopes & frozenset(row.scopes))

    async def get(self, slug: str) -> ManagedChannel:
        async with self._database.read() as db:
            found = await repository.channel(db, slug)
        if found is None:
            raise NotFound("There is no channel of this slug.")
        return ManagedChannel.model_validate(found)

    async def put(self, slug: str, asked: ManagedChannelRequest, by: Service) -> tuple[ManagedChannel, bool]:
        """The channel as it is now, and whether this call made it."""
        command = _command(slug, asked) | {"id": uuid7(), "most": self._batch}
        began, created, changed = time.monotonic(), False, False
        while True:
            answer = await self._do("put_managed_channel", command, by)
            created, changed = created or answer["created"], changed or answer["changed"]
            if not answer["more"]:
                break
            if time.monotonic() - began > self._deadline:
                raise DependencyUnavailable(
                    "Not all members are changed yet.", next_step="repeat the request; it goes on.", retry_after=1.0
                )
        about = {name: answer[name] for name in ("unresolved", "kept_owner")}
        return ManagedChannel.model_validate({**answer["channel"], **about, "changed": changed}), created

    async def remove(self, slug: str, managed_by: str, mode: Mode, by: Service) -> None:
        await self._do("remove_managed_channel", {"slug": slug, "managed_by": managed_by, "mode": mode}, by)

    async def _do(self, function: functions.Name, command: Mapping[str, Any], by: Service) -> Mapping[str, Any]:
        said = {**command, "actor_id": by.account_id, "token": by.token_id}
        answer = await functions.call(self._database, function, said)
        self._publish(to_events(answer))
        return answer


def _command(slug: str, asked: ManagedChannelRequest) -> dict[str, Any]:
    """`settings` are columns of the channel with the values they are to have."""
    quota = asked.quota
    return {
        "slug": slug,
        "managed_by": asked.managed_by,
        "adopt": asked.adopt,
        "exact": asked.members_policy == "exact",
        "members": [_member(member) for member in asked.members],
        "settings": {
            "name": slug if asked.display_name is None else asked.display_name,
            "description": asked.description or "",
            "kind": asked.visibility,
            "managed_by": asked.managed_by,
            "also_topic": asked.event_topic,
            "slow_mode_seconds": quota.slow_mode_seconds or 0,
            "max_members": quota.max_members,
            "messages_per_second": quota.messages_per_second,
            "retention_days": quota.retention_days,
        },
    }


def _member(member: WantedMember) -> dict[str, str | None]:
    by_id = _UUID.fullmatch(member.user) is not None
    return {
        "given": member.user,
        "role": member.role,
        "user_id": member.user.lower() if by_id else None,
        "username": None if by_id else member.user,
    }

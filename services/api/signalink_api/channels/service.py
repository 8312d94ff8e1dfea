"""Channels and members: lists are read here, changes are asked of the database and published after their commit."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from signalink_api import functions
from signalink_api.channels import access, repository
from signalink_api.channels.schemas import (
    BrowseQuery,
    Channel,
    ChannelPatch,
    ChannelRequest,
    Member,
    MemberRequest,
    MemberRole,
    Membership,
    ReadState,
    Unread,
    UnreadList,
)
from signalink_api.database import Database
from signalink_core.clock import isoformat
from signalink_core.events import Event
from signalink_core.ids import uuid7
from signalink_core.log.rows import to_events
from signalink_core.web.cursors import CursorSigner
from signalink_core.web.schemas import Page, PageQuery

MOST_UNREAD = 1_000
"""Channels in one answer."""


class ChannelService:
    def __init__(self, database: Database, cursors: CursorSigner, publish: Callable[[Sequence[Event]], None]) -> None:
        self._database = database
        self._cursors = cursors
        self._publish = publish

    async def create(self, user_id: UUID, asked: ChannelRequest) -> Channel:
        channel_id = uuid7()
        await self._do("create_channel", id=channel_id, actor_id=user_id, **asked.model_dump(exclude_none=True))
        return await self.get(user_id, channel_id)

    async def get(self, user_id: UUID, channel_id: UUID) -> Channel:
        async with self._database.read() as db:
            return _channel(await access.require(db, channel_id, user_id, "see"))

    async def change(self, user_id: UUID, channel_id: UUID, patch: ChannelPatch) -> Channel:
        changes = patch.model_dump(exclude_unset=True)
        await self._do("update_channel", channel_id=channel_id, actor_id=user_id, changes=changes)
        return await self.get(user_id, channel_id)

    async def archive(self, user_id: UUID, channel_id: UUID) -> Channel:
        await self._do("archive_channel", channel_id=channel_id, actor_id=user_id)
        return await self.get(user_id, channel_id)

    async def join(self, user_id: UUID, channel_id: UUID) -> Channel:
        await self._do("join_channel", channel_id=channel_id, actor_id=user_id)
        return await self.get(user_id, channel_id)

    async def leave(self, user_id: UUID, channel_id: UUID) -> None:
        await self._do("leave_channel", channel_id=channel_id, actor_id=user_id)

    async def add_member(self, user_id: UUID, channel_id: UUID, asked: MemberRequest) -> None:
        await self._do("add_member", channel_id=channel_id, actor_id=user_id, user_id=asked.user_id, role=asked.role)

    async def remove_member(self, user_id: UUID, channel_id: UUID, member_id: UUID) -> None:
        await self._do("remove_member", channel_id=channel_id, actor_id=user_id, user_id=member_id)

    async def set_role(self, user_id: UUID, channel_id: UUID, member_id: UUID, role: MemberRole) -> None:
        await self._do("set_member_role", channel_id=channel_id, actor_id=user_id, user_id=member_id, role=role)

    async def open_direct(self, user_id: UUID, other: UUID) -> Channel:
        answer = await self._do("open_direct", id=uuid7(), actor_id=user_id, user_id=other)
        return await self.get(user_id, UUID(answer["id"]))

    async def read(self, user_id: UUID, channel_id: UUID, seq: int) -> ReadState:
        answer = await self._do("read_channel", channel_id=channel_id, actor_id=user_id, seq=seq)
        return ReadState(channel_id=channel_id, last_read_seq=answer["last_read_seq"], last_seq=answer["last_seq"])

    async def unread(self, user_id: UUID) -> UnreadList:
        async with self._database.read() as db:
            rows = await repository.unread(db, user_id, MOST_UNREAD)
        return UnreadList(items=[Unread.model_validate(row) for row in rows])

    async def mute(self, user_id: UUID, channel_id: UUID, member_id: UUID, until: datetime | None) -> None:
        moment = None if until is None else isoformat(until)
        await self._do("mute_member", channel_id=channel_id, actor_id=user_id, user_id=member_id, until=moment)

    async def browse(self, user_id: UUID, query: BrowseQuery) -> Page[Channel]:
        scope = f"browse {user_id} {query.q or ''}"
        after = self._after(scope, query)
        async with self._database.read() as db:
            position = None if after is None else (str(after[0]), UUID(after[1]))
            rows = await repository.browse(db, user_id, query.q, position, query.limit + 1)
        return self._page(scope, query, rows, _channel, lambda row: (row.slug, row.id))

    async def mine(self, user_id: UUID, query: PageQuery) -> Page[Channel]:
        scope = f"mine {user_id}"
        async with self._database.read() as db:
            rows = await repository.mine(db, user_id, _moment(self._after(scope, query)), query.limit + 1)
        return self._page(scope, query, rows, _channel, lambda row: (row.joined_at.isoformat(), row.id))

    async def members(self, user_id: UUID, channel_id: UUID, query: PageQuery) -> Page[Member]:
        scope = f"members {user_id} {channel_id}"
        after = _moment(self._after(scope, query))
        async with self._database.read() as db:
            await access.require(db, channel_id, user_id, "read")
            rows = await repository.members(db, channel_id, after, query.limit + 1)
        return self._page(
            scope, query, rows, Member.model_validate, lambda row: (row.joined_at.isoformat(), row.user_id)
        )

    async def _do(self, function: functions.Name, /, **command: Any) -> Mapping[str, Any]:
        answer = await functions.call(self._database, function, command)
        self._publish(to_events(answer))
        return answer

    def _after(self, scope: str, query: PageQuery) -> list[Any] | None:
        return None if query.cursor is None else self._cursors.read(scope, query.cursor)

    def _page(
        self,
        scope: str,
        query: PageQuery,
        rows: Sequence[Row[Any]],
        show: Callable[[Row[Any]], Any],
        key: Callable[[Row[Any]], tuple[Any, ...]],
    ) -> Page[Any]:
        """One row more was read than is shown: it says whether there is a next page."""
        shown = rows[: query.limit]
        following = self._cursors.make(scope, key(shown[-1])) if len(rows) > len(shown) else None
        return Page(items=[show(row) for row in shown], next=following)


def _moment(after: list[Any] | None) -> tuple[datetime, UUID] | None:
    return None if after is None else (datetime.fromisoformat(after[0]), UUID(after[1]))


def _channel(row: Row[Any]) -> Channel:
    found = Channel.model_validate({**row._mapping, "membership": None})
    if row.member_role is None:
        return found
    membership = Membership(
        role=row.member_role,
        joined_at=row.joined_at,
        muted_until=row.muted_until,
        last_read_seq=row.last_read_seq,
    )
    return found.model_copy(update={"membership": membership})

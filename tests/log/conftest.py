"""A small world for the tests of the log: people and channels in a database of their own."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from signalink_api.writer import Draft
from signalink_core.events import Event
from signalink_core.ids import uuid7
from signalink_core.log import rows
from signalink_stacks.local.testing import Database


class World:
    """`api` is a connection as the api's role; every call of a function goes through it in autocommit."""

    def __init__(self, database: Database, api: Any, admin: Any) -> None:
        self.database = database
        self.api = api
        self.admin = admin

    async def user(self, role: str = "member") -> UUID:
        user_id = uuid7()
        await self.api.execute(
            "INSERT INTO messaging.users (id, username, email, password_hash, role) VALUES ($1, $2, $3, 'x', $4)",
            user_id,
            f"user-{user_id}",
            f"{user_id}@example.org",
            role,
        )
        return user_id

    async def channel(self, owner: UUID, **fields: Any) -> UUID:
        channel_id = uuid7()
        command = {"id": channel_id, "slug": f"c-{channel_id}", "name": "Channel", "kind": "public", "actor_id": owner}
        answer = await self.call("create_channel", **(command | fields))
        assert answer["verdict"] == "ok"
        return channel_id

    async def call(self, function: str, **command: Any) -> dict[str, Any]:
        """The answer of a writing function; `event_id` is filled in."""
        answer: dict[str, Any] = await self.api.fetchval(
            f"SELECT messaging.{function}($1)", {"event_id": uuid7(), "traceparent": None, **command}
        )
        return answer

    async def change(self, function: str, **command: Any) -> Event:
        """Like `call`, for a change that must succeed: its one event."""
        answer = await self.call(function, **command)
        assert answer["verdict"] == "ok", answer
        (event,) = rows.to_events(answer)
        return event

    async def post(self, *drafts: Draft, wait: bool = True, connection: Any = None) -> list[dict[str, Any]]:
        """The answers of one batch, sent to the function directly."""
        posts = [
            {
                "n": n,
                "channel_id": draft.channel_id,
                "sender_id": draft.sender_id,
                "client_id": draft.client_id,
                "body": draft.body,
                "format": draft.format,
                "metadata": draft.metadata,
                "reply_to": draft.reply_to,
                "request_hash": draft.request_hash().hex(),
                "message_id": uuid7(),
                "event_id": uuid7(),
                "traceparent": None,
            }
            for n, draft in enumerate(drafts)
        ]
        answer = await (connection or self.api).fetchval(
            "SELECT messaging.post_messages($1)", {"rows": posts, "wait": wait}
        )
        answers: list[dict[str, Any]] = answer["rows"]
        return answers

    async def verdicts(self, *drafts: Draft, wait: bool = True) -> list[str]:
        return [answer["verdict"] for answer in await self.post(*drafts, wait=wait)]

    async def seqs(self, channel_id: UUID) -> list[int]:
        """The channel's seqs in log order, that is by (epoch, xid, id)."""
        found = await self.admin.fetch(
            "SELECT seq FROM messaging.events WHERE channel_id = $1 ORDER BY epoch, xid, id", channel_id
        )
        return [row["seq"] for row in found]


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """People and channels can be made in it; its database goes with the test."""
    api, admin = await database.connect("api"), await database.connect()
    yield World(database, api, admin)
    await api.close()
    await admin.close()

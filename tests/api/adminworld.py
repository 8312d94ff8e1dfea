"""A service with a token beside the people of the api's tests, and the documents it sends."""

import itertools
from dataclasses import dataclass
from typing import Any

import httpx
from apiworld import World

from signalink_api import service_tokens
from signalink_api.service_tokens import Issued
from signalink_core.events import Event, types
from signalink_core.log import reads

_numbers = itertools.count(1)
HOLDER = "default/chat/general"


@dataclass
class Operator:
    """Speaks to the admin routes with a token of its own."""

    world: World
    issued: Issued

    async def call(self, method: str, slug: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.issued.token}"}
        return await self.world.http.request(method, f"/v1/admin/channels/{slug}", headers=headers, **more)

    async def put(self, slug: str, *members: str, holder: str = HOLDER, **more: Any) -> httpx.Response:
        """`members`: `user=role`."""
        wanted = [dict(zip(("user", "role"), member.rsplit("=", 1), strict=True)) for member in members]
        return await self.call("PUT", slug, json={"managed_by": holder, "members": wanted, **more})

    async def made(self, slug: str, *members: str, **more: Any) -> dict[str, Any]:
        answer = await self.put(slug, *members, **more)
        assert answer.status_code in {200, 201}, answer.text
        return dict(answer.json())

    async def delete(self, slug: str, mode: str, holder: str = HOLDER) -> httpx.Response:
        return await self.call("DELETE", slug, params={"managed_by": holder, "mode": mode})


def fresh_slug() -> str:
    return f"managed-{next(_numbers)}"


async def operator(world: World, name: str = "operator", days: int = 90) -> Operator:
    return Operator(world, await issue(world, name, days))


async def issue(world: World, name: str = "operator", days: int = 90) -> Issued:
    api = world.api
    owner = world.database.settings("owner")
    return await service_tokens.issue(owner, api.keys, api.settings.auth.issuer, name, ["channels:admin"], days)


async def events(world: World, channel_id: str) -> list[Event]:
    connection = await world.database.connect()
    try:
        return await reads.events_after(connection, channel_id, 0)  # type: ignore[arg-type]
    finally:
        await connection.close()


async def told(world: World, channel_id: str) -> list[str]:
    return [event.type.removeprefix(types.PREFIX) for event in await events(world, channel_id)]

"""One message through the platform: posted over REST, received on a socket, read again after a restart."""

import asyncio
import secrets
from dataclasses import dataclass

from clone import expect

from signalink_core.client.api import ApiClient
from signalink_core.client.socket import SocketClient
from signalink_core.events import Position

SEEN_SECONDS = 20.0


@dataclass(frozen=True)
class Kept:
    """What is needed to find the message again."""

    username: str
    password: str
    channel_id: str
    message_id: str
    seq: int
    body: str


async def post_and_read(urls: dict[str, str]) -> Kept:
    """A new user posts to a new channel and receives the message on a socket that follows it from the start."""
    name, password = f"ada-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    body = f"hello {secrets.token_hex(8)}"
    async with ApiClient(urls["api"]) as api:
        await api.register(name, f"{name}@example.org", password)
        await api.login(name, password)
        channel = str((await api.create_channel(name, "The first channel"))["id"])
        seen: asyncio.Event = asyncio.Event()
        socket = SocketClient(
            urls["gateway"],
            api.ticket,
            on_frame=lambda raw: seen.set() if body.encode() in raw else None,
            origin=urls["api"],
            proxy=False,
        )
        async with socket:
            await socket.subscribe({channel: None})
            posted = await api.post_message(channel, body)
            await socket.subscribe({channel: Position(epoch=posted.epoch, seq=0)})
            await asyncio.wait_for(seen.wait(), SEEN_SECONDS)
        kept = Kept(name, password, channel, posted.id, posted.seq, body)
        await _expect_listed(api, kept)
    return kept


async def is_still_there(urls: dict[str, str], kept: Kept) -> None:
    async with ApiClient(urls["api"]) as api:
        await api.login(kept.username, kept.password)
        await _expect_listed(api, kept)


async def _expect_listed(api: ApiClient, kept: Kept) -> None:
    page = await api.messages(kept.channel_id)
    found = {(item["id"], item["seq"], item["body"]) for item in page["items"]}
    expect((kept.message_id, kept.seq, kept.body) in found, f"the message is not listed: {page}")

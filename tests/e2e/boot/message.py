"""Runs on the machine: a new user opens the page, posts a message and hears it. Arguments: address, socket address."""

import asyncio
import secrets
import sys

import httpx

from signalink_core.client.api import ApiClient
from signalink_core.client.socket import SocketClient
from signalink_core.events import Position


async def main(url: str, socket_url: str) -> None:
    async with httpx.AsyncClient(timeout=10) as client:
        page = await client.get(url)
    page.raise_for_status()
    if url.startswith("https:") and "max-age" not in page.headers.get("strict-transport-security", ""):
        raise SystemExit("no HSTS")
    name, word, heard = f"ada-{secrets.token_hex(4)}", secrets.token_urlsafe(16), asyncio.Event()
    async with ApiClient(url) as api:
        await api.register(name, f"{name}@example.org", word)
        await api.login(name, word)
        channel = str((await api.create_channel(name, "First"))["id"])
        posted = await api.post_message(channel, f"hello {name}")
        socket = SocketClient(
            socket_url,
            api.ticket,
            on_frame=lambda raw: heard.set() if posted.id.encode() in raw else None,
            origin=url,
            proxy=False,
        )
        async with socket:
            await socket.subscribe({channel: Position(epoch=posted.epoch, seq=0)})
            await asyncio.wait_for(heard.wait(), 30)
    sys.stdout.write("a message was heard\n")


asyncio.run(main(*sys.argv[1:]))

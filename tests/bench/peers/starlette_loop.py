"""Peer: Starlette under uvicorn, a loop of `send_text` over all sockets. No authentication, rights, order, metrics."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import follow
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

clients: set[WebSocket] = set()


async def stay(client: WebSocket) -> None:
    await client.accept()
    clients.add(client)
    try:
        while True:
            await client.receive_text()
    except WebSocketDisconnect:
        clients.discard(client)


async def deliver() -> None:
    async for text in follow.messages():
        for client in list(clients):
            await client.send_text(text)


@asynccontextmanager
async def following(_: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(deliver())
    yield
    task.cancel()


app = Starlette(routes=[WebSocketRoute("/", stay)], lifespan=following)
if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), log_level="warning", ws_per_message_deflate=False, ws_ping_interval=None,
        access_log=False,
    )  # fmt: skip

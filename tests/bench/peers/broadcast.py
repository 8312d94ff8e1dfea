"""Peer: `websockets.broadcast` on uvloop, compression and pings off. No authentication, rights, order or metrics."""

import sys

import follow
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

clients: set[ServerConnection] = set()


async def stay(client: ServerConnection) -> None:
    clients.add(client)
    await client.wait_closed()
    clients.discard(client)


async def main(port: int) -> None:
    async with serve(stay, "127.0.0.1", port, compression=None, ping_interval=None):
        async for text in follow.messages():
            broadcast(clients, text)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))

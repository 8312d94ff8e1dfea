"""How a peer hears of messages: redis-py's own subscriber on the channels named in FOLLOW, payloads as text."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio import Redis

WORD = Path(os.environ["READER_REDIS_PASSWORD_FILE"]).read_text()


async def messages() -> AsyncIterator[str]:
    """Each payload as it was published."""
    async with Redis.from_url(os.environ["READER_REDIS_URL"], password=WORD) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(*os.environ["FOLLOW"].split(","))
        async for message in pubsub.listen():
            if message["type"] == "message":
                yield message["data"].decode()

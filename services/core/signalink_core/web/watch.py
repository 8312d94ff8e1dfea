"""Whether Redis answers: without it a service is `degraded` and works on, with limits counted locally."""

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalink_core.lifecycle import Lifecycle
from signalink_core.readiness import Readiness

EVERY_SECONDS: Final = 1.0
DEPENDENCY: Final = "redis"


class RedisWatch(Lifecycle):
    """A PING each second."""

    def __init__(self, redis: Redis, readiness: Readiness) -> None:
        super().__init__()
        self._redis = redis
        self._readiness = readiness

    async def _start(self) -> None:
        self.spawn(self._follow(), "redis-watch")

    async def _follow(self) -> None:
        while True:
            try:
                await self._redis.ping()
            except (RedisError, OSError, TimeoutError) as error:
                self._readiness.set(DEPENDENCY, "degraded", f"{type(error).__name__}: {error}")
            else:
                self._readiness.set(DEPENDENCY, "ok")
            await asyncio.sleep(EVERY_SECONDS)

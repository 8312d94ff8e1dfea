"""Applies rate limits: counted in Redis for all processes together, locally at rate / replicas while Redis is away.

The window is on Redis's own clock (sliding window counter), so a process with a wrong clock changes nothing.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError

from signalink_core import faults
from signalink_core.errors import FaultInjected, RateLimited
from signalink_core.guard.rules import Rule
from signalink_core.guard.view import Transport
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import REDIS_TIMEOUT_SECONDS, RedisSettings
from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

KEY_PREFIX = "signalink:limit"
CONNECTIONS = 16
LOCAL_SECONDS = 1.0
LOCAL_KEYS = 50_000
log = get_logger(__name__)


class Limiter(Lifecycle):
    """`await limiter.hit(rules.posts_user, user_id)` counts one hit or raises RateLimited.

    When Redis fails, decisions are local for one second before it is asked again. `replicas` is the number of
    processes that share the load.
    """

    def __init__(self, redis: RedisSettings, *, replicas: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._redis = redis
        self._clock = clock
        self._local = LocalBuckets(replicas, clock)
        self._local_until = float("-inf")
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._pool: BlockingConnectionPool | None = None

    async def _start(self) -> None:
        plain = self._redis.client().connection_pool
        self._pool = BlockingConnectionPool(
            max_connections=CONNECTIONS,
            timeout=REDIS_TIMEOUT_SECONDS,
            connection_class=plain.connection_class,
            **plain.connection_kwargs,
        )
        options: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage(self._redis.url, implementation="redispy", key_prefix=KEY_PREFIX, **options)
        self._shared = SlidingWindowCounterRateLimiter(storage)

    async def _stop(self) -> None:
        if self._pool is not None:
            await self._pool.disconnect()

    @property
    def degraded(self) -> bool:
        """Whether decisions are local at the moment."""
        return self._clock() < self._local_until

    async def hit(self, rule: Rule, key: object, *, transport: Transport = "http") -> None:
        """Count a hit of `key`: an id, or for an `_ip` scope an address. Keys are stored hashed.

        Raises RateLimited with the least seconds until a hit can pass.
        """
        counted = network_of(str(key)) if rule.scope.endswith("_ip") else str(key)
        hashed = hashlib.sha256(counted.encode()).hexdigest()[:32]
        if await self._allowed(rule, hashed):
            return
        names.RATE_LIMITED_TOTAL.labels(scope=rule.scope, transport=transport).inc()
        wait = max(1, math.ceil(rule.seconds / rule.amount))
        raise RateLimited(
            f"More than {rule.amount} per {rule.seconds} s ({rule.scope}).", retry_after=wait, scope=rule.scope
        )

    async def _allowed(self, rule: Rule, key: str) -> bool:
        if self._shared is None or self.degraded:
            return self._local.allow(rule, key)
        try:
            await faults.point("redis.command", command="limit")
            item = RateLimitItemPerSecond(rule.amount, rule.seconds, namespace=rule.scope)
            return await self._shared.hit(item, key)
        except (RedisError, OSError, TimeoutError, FaultInjected) as error:
            if not self.degraded:  # the hits that waited with this one fail with it: one line for all
                log.warning("limits_local", error=f"{type(error).__name__}: {error}", seconds=LOCAL_SECONDS)
            self._local_until = self._clock() + LOCAL_SECONDS
            return self._local.allow(rule, key)


def network_of(address: str) -> str:
    """The address, or its /64 where it is IPv6: a single client owns all of that."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))


class LocalBuckets:
    """One token bucket per (scope, key), kept as the time at which it is full again (GCRA); the oldest are forgotten.

    Not the library's memory storage: that one starts an unowned task and a thread hop for each hit.
    """

    def __init__(self, replicas: int, clock: Callable[[], float]) -> None:
        self._replicas = replicas
        self._clock = clock
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def allow(self, rule: Rule, key: str) -> bool:
        now = self._clock()
        interval = rule.seconds / max(1, rule.amount // self._replicas)
        full_at = max(now, self._full_at.get((rule.scope, key), now)) + interval
        if full_at - now > rule.seconds + 1e-9:
            return False
        self._full_at[rule.scope, key] = full_at
        self._full_at.move_to_end((rule.scope, key))
        if len(self._full_at) > LOCAL_KEYS:
            self._full_at.popitem(last=False)
        return True

"""Applies rate limits: counted in Redis for all processes together, locally at rate / replicas while Redis is away.

The window is on Redis's own clock (sliding window counter), so a process with a wrong clock changes nothing.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from redis.exceptions import RedisError

from signalink_core import faults
from signalink_core.errors import FaultInjected, RateLimited
from signalink_core.guard.rules import Rule
from signalink_core.guard.view import Transport
from signalink_core.guard.windows import Window, Windows
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

KEY_PREFIX = "signalink:limit"
LOCAL_SECONDS = 1.0
LOCAL_KEYS = 50_000
REMEMBERED_KEYS = 10_000
log = get_logger(__name__)

Hit = tuple[Rule, object]
"""(rule, key): the key is an id, or for an `_ip` scope an address; keys are stored hashed."""


class Limiter(Lifecycle):
    """`await limiter.hit(rules.posts_user, user_id)` counts one hit or raises RateLimited.

    When Redis fails, decisions are local for one second before it is asked again. `replicas` is the number of
    processes that share the load.
    """

    def __init__(self, redis: RedisSettings, *, replicas: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._local = LocalBuckets(replicas, clock)
        self._local_until = float("-inf")
        self._shared = Windows(redis)

    async def _start(self) -> None:
        await self.enter(self._shared)

    @property
    def degraded(self) -> bool:
        """Whether decisions are local at the moment."""
        return self._clock() < self._local_until

    async def hit(self, rule: Rule, key: object, *, transport: Transport = "http") -> None:
        """Count a hit. Raises RateLimited with the least seconds until a hit can pass."""
        await self.hit_each([(rule, key)], transport=transport)

    async def hit_each(self, hits: Sequence[Hit], *, transport: Transport = "http") -> None:
        """As `hit` one after the other, in one round trip: after the first that is refused nothing is counted."""
        windows = [window_of(rule, str(key)) for rule, key in hits]
        refused = await self._refused(hits, windows)
        if refused == 0:
            return
        rule = hits[refused - 1][0]
        names.RATE_LIMITED_TOTAL.labels(scope=rule.scope, transport=transport).inc()
        wait = max(1, math.ceil(rule.seconds / rule.amount))
        raise RateLimited(
            f"More than {rule.amount} per {rule.seconds} s ({rule.scope}).", retry_after=wait, scope=rule.scope
        )

    async def _refused(self, hits: Sequence[Hit], windows: Sequence[Window]) -> int:
        """The number (from 1) of the first hit that does not fit, 0 when all do."""
        if not self.running or self.degraded:
            return self._local_refused(hits, windows)
        try:
            await faults.point("redis.command", command="limit")
            return await self._shared.take(windows)
        except (RedisError, OSError, TimeoutError, FaultInjected) as error:
            if not self.degraded:
                log.warning("limits_local", error=f"{type(error).__name__}: {error}", seconds=LOCAL_SECONDS)
            self._local_until = self._clock() + LOCAL_SECONDS
            return self._local_refused(hits, windows)

    def _local_refused(self, hits: Sequence[Hit], windows: Sequence[Window]) -> int:
        for n, ((rule, _), window) in enumerate(zip(hits, windows, strict=True), start=1):
            if not self._local.allow(rule, window.current):
                return n
        return 0


@lru_cache(maxsize=REMEMBERED_KEYS)
def window_of(rule: Rule, key: str) -> Window:
    """Where the hits of a key are counted; the braces keep both keys in one slot of a cluster."""
    counted = network_of(key) if rule.scope.endswith("_ip") else key
    hashed = hashlib.sha256(counted.encode()).hexdigest()[:32]
    current = f"{KEY_PREFIX}:{{{rule.scope}/{hashed}/{rule.amount}/{rule.seconds}}}"
    return Window(f"{current}/-1", current, rule.amount, rule.seconds)


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

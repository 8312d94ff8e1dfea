"""Which shards this relay may publish now: at most one relay per shard, told apart by a fencing epoch.

Relays divide the shards evenly by what the leases show: who has more than its share gives the rest back between two
turns, who has less takes what is free, who has nothing takes one and is seen. A lease ends by Postgres's clock there
and, here, by the monotonic clock from before the statement that took it was sent: so this side always stops first.
Publishing and cursors are the relay's.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Sequence

import asyncpg

from signalink_core import faults
from signalink_core.database.pool import Pool
from signalink_core.log.outbox import SHARDS, Outbox
from signalink_core.telemetry import logging, names

LEASE_SECONDS = 5.0
STATEMENT_SECONDS = 2.0

log = logging.get_logger(__name__)


class Leases:
    """The leases of one process. Not a task: the relay calls `refresh` about every fourth part of `seconds`, and
    `hand_over` between two turns. Relays of one outbox are given the same shards, or such that no other has.
    """

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        *,
        node: str,
        shards: Sequence[int] = SHARDS,
        seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holder = f"{node}:{uuid.uuid4().hex[:12]}"
        self.seconds = seconds
        self._pool, self._outbox, self._shards, self._clock = pool, outbox, tuple(shards), clock
        self._turn = asyncio.Lock()
        self._open = True
        self._held: dict[int, int] = {}
        self._share = self._least = len(self._shards)
        self._until = 0.0

    def held(self) -> dict[int, int]:
        """Shard -> fencing epoch of what may be published now; empty once the lease has run out here."""
        return dict(self._staying()) if self._clock() < self._until else {}

    @property
    def waiting(self) -> bool:
        """Less than the fair share is held here: another relay is about to give something back."""
        return len(self._held) < self._least

    def _staying(self) -> list[tuple[int, int]]:
        """What is kept when the others have got their share: the lowest."""
        return sorted(self._held.items())[: self._share]

    def lose(self, shards: Iterable[int]) -> None:
        """Another relay has them: step down."""
        lost = sorted(shard for shard in shards if self._held.pop(shard, None) is not None)
        if lost:
            log.warning("lease_lost", shards=lost, holder=self.holder)
            self._count()

    async def refresh(self) -> None:
        """Renew what is held, take what is free. Raises what Postgres raises; the old deadline then stands."""
        if await faults.point("relay.lease", holder=self.holder) is not None:
            return
        async with self._turn:
            if self._open:
                await self._refresh()

    async def _refresh(self) -> None:
        began = self._clock()
        async with asyncio.timeout(STATEMENT_SECONDS), self._pool.acquire() as conn:
            await self._outbox.verify(conn)
            if self._held:
                kept = await self._outbox.renew(conn, self.holder, self.seconds, self._held)
                self.lose(self._held.keys() - kept)
            others = await self._outbox.others(conn, self.holder, self._shards)
            self._share = fair_share(len(self._shards), others + 1)
            self._least = len(self._shards) // (others + 1)
            taken = await self._take(conn)
        self._held |= taken
        self._until = began + self.seconds
        self._count()
        if taken:
            log.info("lease_taken", shards=len(taken), holder=self.holder)

    async def _take(self, conn: asyncpg.Connection) -> dict[int, int]:
        wanted = [shard for shard in self._shards if shard not in self._held]
        space = min(len(wanted), self._share - len(self._held))
        if space <= 0:
            return {}
        taken = await self._outbox.acquire(conn, self.holder, self.seconds, wanted, space)
        if taken or self._held:
            return taken
        return await self._outbox.knock(conn, self.holder, self.seconds, self._shards, self._share)

    async def hand_over(self) -> None:
        """Give back what is above the fair share. Called when nothing of these shards is on its way to Kafka."""
        if len(self._held) <= self._share:
            return
        async with self._turn:
            leaving = dict(sorted(self._held.items())[self._share :])
            async with asyncio.timeout(STATEMENT_SECONDS), self._pool.acquire() as conn:
                await self._outbox.release(conn, self.holder, leaving)
            for shard in leaving:
                del self._held[shard]
            self._count()
        log.info("lease_handed_over", shards=len(leaving), holder=self.holder)

    async def release(self) -> None:
        """Give all back, so that the next relay need not wait. Best effort: they also run out by themselves."""
        async with self._turn:
            self._open = False
            held, self._held = self._held, {}
            self._count()
            if not held:
                return
            async with asyncio.timeout(STATEMENT_SECONDS), self._pool.acquire() as conn:
                await self._outbox.release(conn, self.holder, held)
        log.info("lease_released", shards=len(held), holder=self.holder)

    def reopen(self) -> None:
        """After `release`, `refresh` does nothing until this is called."""
        self._open = True

    def _count(self) -> None:
        names.RELAY_LEASE_HELD.set(len(self._held))


def fair_share(shards: int, relays: int) -> int:
    """The most that one of so many relays keeps: all together cover every shard, and no two differ without need."""
    return -(-shards // relays)

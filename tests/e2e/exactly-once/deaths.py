"""Which process dies at which of its fault points, and the dying itself: by its own SIGKILL, through fault control.

Owns the list of deaths and that each of them happened: the old process is gone, the supervisor counts one restart more
and the new process is ready. What the deaths must not do to the data is judged elsewhere.
"""

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import psutil
from hush import AFTER, BEFORE, Hush
from rig import Platform, PlatformFailed, say

from signalink_core.testing import eventually

BACK_SECONDS = 90.0
FIRING_SECONDS = 60.0


@dataclass(frozen=True)
class Death:
    """A process kills itself where `point` is reached next by a call that `match` fits."""

    process: str
    point: str
    match: Mapping[str, str] = field(default_factory=dict)
    calm: bool = False
    """It dies in the dispatcher's process and not in a call: see `hush`."""

    def __str__(self) -> str:
        where = f" ({', '.join(self.match.values())})" if self.match else ""
        return f"{self.process} at {self.point}{where}"


PLANNER = {"group": "signalink-notifications-planner", "topic": "messages"}
DISPATCH = {"group": "signalink-notifications-dispatch"}
DEATHS = (
    Death("relay-0", "relay.after_read"),
    Death("relay-0", "relay.after_produce"),
    Death("relay-0", "relay.after_cursor"),
    Death("relay-0", "relay.lease"),
    Death("relay-0", "kafka.produce"),
    Death("analytics-0", "consumer.before_effect", {"topic": "messages"}),
    Death("analytics-0", "consumer.after_effect", {"topic": "messages"}),
    Death("analytics-1", "consumer.after_effect", {"topic": "messages"}),
    Death("analytics-1", "consumer.before_effect", {"topic": "messages"}),
    Death("analytics-1", "consumer.crash", {"topic": "messages"}),
    Death("notifications-0", AFTER, {"channel": "email"}),
    Death("notifications-0", "consumer.after_effect", PLANNER, calm=True),
    Death("notifications-0", "consumer.before_effect", DISPATCH, calm=True),
    Death("notifications-0", BEFORE, {"channel": "email"}),
    Death("notifications-0", "relay.after_produce", calm=True),
    Death("notifications-1", "consumer.before_effect", PLANNER, calm=True),
    Death("notifications-1", AFTER, {"channel": "email"}),
    Death("notifications-1", "consumer.after_effect", DISPATCH, calm=True),
    Death("notifications-1", AFTER, {"channel": "push"}),
    Death("notifications-1", AFTER, {"channel": "webhook"}),
)
"""In the order in which each process dies them."""


class Reaper:
    """Lets every process die its deaths, one after the other; processes do not wait for each other."""

    def __init__(self, platform: Platform, hush: Hush, deaths: Sequence[Death]) -> None:
        self._platform, self._hush = platform, hush
        self._deaths = deaths
        self._before = platform.restarts()
        self.happened: list[Death] = []
        self.done = False

    async def run(self) -> None:
        chains: dict[str, list[Death]] = defaultdict(list)
        for death in self._deaths:
            chains[death.process].append(death)
        try:
            async with asyncio.TaskGroup() as group:
                for chain in chains.values():
                    group.create_task(self._die(chain))
        finally:
            self.done = True

    def after_calls(self) -> Counter[str]:
        """Channel -> deaths between the provider's yes and its record."""
        return Counter(death.match["channel"] for death in self.happened if death.point == AFTER)

    def strays(self) -> dict[str, int]:
        """Restarts that no death explains."""
        wanted = Counter(death.process for death in self._deaths)
        now = self._platform.restarts()
        found = {name: now[name] - self._before[name] - wanted[name] for name in now}
        return {name: count for name, count in found.items() if count}

    async def _die(self, chain: Sequence[Death]) -> None:
        for number, death in enumerate(chain, 1):
            await self._until(partial(self._ready, death.process), f"{death.process} was not ready")
            record = self._platform.child(death.process)
            began = time.monotonic()
            async with self._hushed(death):
                await self._set(death)
                await self._until(lambda pid=record.pid: not runs(pid), f"no death of {death}")
            died = time.monotonic()
            back = partial(self._back, death.process, record.restarts + 1)
            await self._until(back, f"{death.process} was not ready again after its death at {death.point}")
            self.happened.append(death)
            say(
                f"{number}/{len(chain)} {death} (pid {record.pid}) after {died - began:.1f} s; ready again "
                f"{time.monotonic() - died:.1f} s later"
            )

    @contextlib.asynccontextmanager
    async def _hushed(self, death: Death) -> AsyncIterator[None]:
        if death.point in (BEFORE, AFTER):
            async with self._hush.only(death.process, death.match["channel"]):
                yield
            return
        if death.calm:
            await self._hush.hold(death.process)
        yield

    async def _set(self, death: Death) -> None:
        fault = {"point": death.point, "action": "crash", "count": 1, "ttl_seconds": FIRING_SECONDS}
        with contextlib.suppress(Exception):  # it may die before it has answered
            await asyncio.to_thread(partial(self._platform.fault, death.process, match=dict(death.match), **fault))

    def _ready(self, process: str) -> bool:
        return bool(self._platform.child(process).health == "ready")

    def _back(self, process: str, restarts: int) -> bool:
        record = self._platform.child(process)
        return bool(record.health == "ready" and record.restarts == restarts)

    async def _until(self, condition: partial[bool], otherwise: str) -> None:
        try:
            await eventually(condition, within=BACK_SECONDS, every=0.1)
        except AssertionError as error:
            raise PlatformFailed(f"{otherwise} within {BACK_SECONDS:.0f} s") from error


def runs(pid: int | None) -> bool:
    try:
        return psutil.Process(pid or 0).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False

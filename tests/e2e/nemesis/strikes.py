"""Carries out the planned faults while the stage is under load, and measures what waits for the relay meanwhile.

Owns the signals. Pids come from the supervisor's state only; a pause holds the process and, of Postgres, all its
children. Judging is the history checker's.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

import asyncpg
import psutil
from rig import Platform, PlatformFailed, say
from schedule import Fault
from stage import Stage

from signalink_core.clock import utc_now
from signalink_core.database import pool
from signalink_core.log import outbox
from signalink_core.testing import eventually

BACK_SECONDS = 120.0
SAMPLE_SECONDS = 0.25
ANSWER_SECONDS = 2.0
FIRING_SECONDS = 60.0
LONGEST_RUN_SECONDS = 3600.0
SMALL_SECONDS = 0.5
AIM_SECONDS = 0.02
"""A fault falls at a random moment of so many seconds after a burst of posts was sent."""


@dataclass
class Nemesis:
    """Does one fault after the other; `done` when the last one is over."""

    platform: Platform
    stage: Stage
    faults: list[Fault]
    random: Random
    done: bool = False
    in_flight: list[int] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    """How often each process was killed, and so must have been restarted."""
    waits: tuple[float, float] = (0.0, 0.0)
    """When it was last measured, and how many seconds the oldest event had waited for the relay."""

    async def run(self) -> None:
        try:
            for number, fault in enumerate(self.faults, 1):
                await asyncio.sleep(fault.calm)
                await self._strike(number, fault)
        finally:
            self.done = True

    def strays(self, before: Mapping[str, int]) -> dict[str, int]:
        """Answer the restarts since `before` that no kill explains: processes that fell by a fault of another."""
        now = self.platform.restarts()
        found = {name: now[name] - before[name] - self.kills[name] for name in now}
        return {name: count for name, count in found.items() if count}

    async def _strike(self, number: int, fault: Fault) -> None:
        record = self.platform.child(fault.victim)
        pid = record.pid
        if pid is None or record.health != "ready":
            raise PlatformFailed(f"{fault.victim} is {record.health}, so it cannot be struck")
        count = await self._aim()
        began = time.monotonic()
        self._note("note", fault, fault.code, n=count)
        if fault.code == "pause":
            await self._pause(fault, pid)
        else:
            await self._kill(fault, pid)
        healed = time.monotonic()
        self._note("ok", fault, "heal")
        acknowledged = self.stage.crowd.acknowledged
        await self._until(partial(self._is_back, fault, pid), f"{fault.victim} was not ready again")
        self._note("ok", fault, "back")
        back = time.monotonic()
        await self._until(lambda: self.stage.crowd.acknowledged > acknowledged, "no post was acknowledged again")
        await self._until(lambda: self._drained(healed), "the relay did not catch up")
        self.in_flight.append(count)
        self.kills[fault.victim] += fault.code == "kill"
        say(
            f"{number:2}/{len(self.faults)} {named(fault)} (pid {pid}) with {count} requests in flight; lasted "
            f"{healed - began:.1f} s, ready again {back - healed:.1f} s after that"
        )

    async def _aim(self) -> int:
        """Wait for a random moment with a request in flight; answers how many are."""
        return await eventually(self._busy, within=BACK_SECONDS, every=0.001)

    async def _busy(self) -> int:
        await self.stage.crowd.busy()
        await asyncio.sleep(self.random.uniform(0, AIM_SECONDS))
        return self.stage.crowd.in_flight

    async def _kill(self, fault: Fault, pid: int) -> None:
        """By SIGKILL from here, or by the process itself at a fault point: heal is counted from its death."""
        if fault.point is None:
            os.kill(pid, signal.SIGKILL)
            return
        body = {"point": fault.point, "action": "crash", "count": 1, "ttl_seconds": FIRING_SECONDS}
        with contextlib.suppress(Exception):  # it may die before it has answered
            await asyncio.to_thread(partial(self.platform.fault, fault.victim, **body))
        await self._until(lambda: not runs(pid), f"{fault.victim} did not reach {fault.point}")

    async def _pause(self, fault: Fault, pid: int) -> None:
        family = [psutil.Process(pid)]
        family[0].suspend()
        children = family[0].children(recursive=True)
        try:
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.suspend()
            await asyncio.sleep(fault.seconds)
        finally:
            for each in [*children, *family]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.resume()
        if self.platform.child(fault.victim).pid != pid:
            raise PlatformFailed(f"the supervisor restarted {fault.victim}, which was only paused")

    def _is_back(self, fault: Fault, pid: int) -> bool:
        record = self.platform.child(fault.victim)
        return record.health == "ready" and (record.pid == pid) == (fault.code == "pause")

    def _drained(self, healed: float) -> bool:
        measured, waited = self.waits
        return measured > healed and waited < SMALL_SECONDS

    async def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        try:
            await eventually(condition, within=BACK_SECONDS, every=0.1)
        except AssertionError as error:
            raise PlatformFailed(f"{otherwise} within {BACK_SECONDS:.0f} s") from error

    def _note(self, kind: str, fault: Fault, code: str, **more: int) -> None:
        self.stage.recorder.record(kind, "nemesis", node=fault.victim, code=code, **more)  # type: ignore[arg-type]


def named(fault: Fault) -> str:
    """Answer the fault in words."""
    if fault.code == "pause":
        return f"paused {fault.victim} for {fault.seconds:.1f} s"
    return f"killed {fault.victim}" + (f" at {fault.point}" if fault.point else "")


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


class Sampler:
    """Records four times a second how long the oldest event has waited for the relay."""

    def __init__(self, nemesis: Nemesis) -> None:
        self._nemesis = nemesis
        self._settings = nemesis.platform.postgres("relay")
        self._log = outbox.Outbox("messaging")
        self._connection: asyncpg.Connection | None = None

    async def run(self, over: Callable[[], bool]) -> None:
        """Until `over`."""

        async def measured() -> bool:
            await self._measure()
            return over()

        try:
            await eventually(measured, within=LONGEST_RUN_SECONDS, every=SAMPLE_SECONDS)
        finally:
            self._drop()

    async def _measure(self) -> None:
        record = self._nemesis.stage.recorder.record
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._connection = self._connection or await pool.connect(self._settings)
                rows = await self._log.backlog(self._connection, outbox.SHARDS)
        except outbox.ERRORS:
            record("info", "probe", code="pending", node="relay")
            self._drop()
            return
        now = utc_now()
        oldest = min((row["oldest"] for row in rows if row["oldest"]), default=now)
        waited = max(0.0, (now - oldest).total_seconds())
        record("ok", "probe", code="pending", node="relay", n=int(waited * 1000))
        self._nemesis.waits = (time.monotonic(), waited)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

"""`make e2e NAME=windows`: a fixed trace of events out of order, through relay, Kafka and two processes of analytics.

Written into the log with times of its own: on time, behind a closed window by less than 30 s, behind it by more, from
the future. Owns the bars: every figure equals one batch of SQL over the log (tests/analytics/oracle.py), after a plain
run, after kills -9 within the windows, and after a rebuild of damaged figures under traffic. Exit 1 else.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "analytics")]

import oracle  # noqa: E402
from happenings import Channel, fact, write  # noqa: E402
from rig import Platform, concluded, say  # noqa: E402

from signalink_core import principals  # noqa: E402
from signalink_core.database import pool  # noqa: E402
from signalink_core.events import Event, types  # noqa: E402
from signalink_core.ids import uuid7  # noqa: E402
from signalink_core.testing import eventually  # noqa: E402
from signalink_stacks.local import schema  # noqa: E402
from signalink_stacks.local.state import StateFolder  # noqa: E402

SIZES = {"small": (2_000, 2), "full": (40_000, 10)}
"""Events of each of the two parts of the trace, and kills."""
SETTINGS = {"CANARY_SECONDS": "0"}  # nobody else writes into the log
PROCESSES = ("analytics-0", "analytics-1")
POINTS = ("consumer.after_effect", "consumer.crash", "consumer.before_effect")
PARTITIONS = 36
BEGIN, END = 7.0, 14.0
"""Seconds of a minute in which a part begins: the last window is closed and may still be corrected."""
TOLD_BY = 33.0
"""By this second all of it must be in Kafka: from 35 on a partition at its end has given the window up."""
SHARES = (("on time", 0.62), ("corrected", 0.25), ("late", 0.12), ("future", 0.01))
OTHERS = (
    (types.MESSAGE_EDITED, "edited_by"),
    (types.MESSAGE_DELETED, "deleted_by"),
    (types.MEMBER_JOINED, "user_id"),
)
USERS = [UUID(int=n) for n in range(1, 40)]
WITHIN = 90.0
DAMAGE = (
    "UPDATE analytics.message_metrics SET messages = messages + 7",
    "DELETE FROM analytics.user_metrics WHERE messages % 2 = 1",
    "UPDATE analytics.channel_metrics SET lengths = '{1,1}', response_ms = response_ms + 1",
)
CONSUMED = """
SELECT (SELECT coalesce(sum(events), 0) FROM analytics.message_metrics)
    + (SELECT count(*) FROM analytics.late_events WHERE topic <> 'presence')
    >= (SELECT count(*) FROM messaging.events WHERE topic IN ('messages', 'analytics'))
"""
WATERMARK = """
SELECT sum(partitions) AS partitions, min(watermark) AS watermark, count(watermark) AS known FROM analytics.freshness
"""
RELAYED = """
SELECT count(*) = 0 FROM messaging.events e JOIN messaging.relay_cursors c USING (shard)
WHERE (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id)
"""


class Missed(Exception):
    """A bar was missed; the text says which."""


class TooSlow(Exception):
    """The machine did not bring the part into Kafka in time: it says nothing, and the next minute is taken."""


@dataclass
class Trace:
    """`wanted`: what each event is meant to be."""

    chance: random.Random
    channels: list[Channel] = field(default_factory=lambda: [Channel() for _ in range(40)])
    wanted: dict[UUID, str] = field(default_factory=dict)

    def part(self, count: int, minute: datetime, now: datetime) -> tuple[list[Event], list[Event]]:
        """Events of channels and facts, in a random order of their times."""
        said, facts = [], []
        for _ in range(count):
            kind = self.chance.choices([name for name, _ in SHARES], [share for _, share in SHARES])[0]
            time = self._time(kind, minute, now)
            if self.chance.random() < 0.1:
                event = fact(self.chance.choice((types.USER_LOGGED_IN, types.USER_LOGGED_OUT)), self._user(), time)
                facts.append(event)
            else:
                event = self._in_channel(self.chance.choice(self.channels), time)
                said.append(event)
            self.wanted[event.id] = kind
        return said, facts

    def _time(self, kind: str, minute: datetime, now: datetime) -> datetime:
        passed = int((now - minute).total_seconds() * 1000) - 100
        low, high = {
            "on time": (0, passed),
            "corrected": (-60_000, -1),
            "late": (-600_000, -60_001),
            "future": (3_600_000, 7_200_000),
        }[kind]
        return minute + timedelta(milliseconds=self.chance.randint(low, high))

    def _in_channel(self, channel: Channel, time: datetime) -> Event:
        chosen = self.chance.random()
        if chosen < 0.8:
            reply = uuid7() if self.chance.random() < 0.2 else None
            return channel.message(self._user(), time, "x" * self.chance.randint(1, 600), reply)
        kind, who = self.chance.choice(
            (
                (types.MESSAGE_EDITED, "edited_by"),
                (types.MESSAGE_DELETED, "deleted_by"),
                (types.MEMBER_JOINED, "user_id"),
            )
        )
        return channel.event(kind, time, **{who: self._user()})

    def _user(self) -> UUID:
        return self.chance.choice(USERS)

    def late(self) -> list[UUID]:
        return [event for event, kind in self.wanted.items() if kind == "late"]


class Proof:
    """The platform, its log and its figures."""

    def __init__(self, platform: Platform, admin: Any, trace: Trace, size: tuple[int, int]) -> None:
        self.platform, self.admin, self.trace = platform, admin, trace
        self.count, self.kills = size
        self.killed = 0
        self.corrected = 0.0

    async def wait_for_the_clock(self) -> datetime:
        """The minute in which a part may begin: every partition told something, and the window before is closed."""

        async def begins() -> datetime | None:
            row = await self.admin.fetchrow(WATERMARK)
            now: datetime = await self.admin.fetchval("SELECT clock_timestamp()")
            minute = now.replace(second=0, microsecond=0)
            known = (row["partitions"], row["known"]) == (PARTITIONS, 3)
            fine = known and row["watermark"] >= minute and BEGIN <= (now - minute).total_seconds() <= END
            return minute if fine else None

        minute = await eventually(begins, within=150, every=0.1)
        assert minute is not None
        return minute

    async def send(self, count: int, minute: datetime) -> None:
        now = await self.admin.fetchval("SELECT clock_timestamp()")
        said, facts = self.trace.part(count, minute, now)
        await write(self.admin, said)
        await write(self.admin, facts, "analytics")
        await eventually(lambda: self.admin.fetchval(RELAYED), within=WITHIN, every=0.05)
        if (datetime.now(UTC) - minute).total_seconds() > TOLD_BY:
            raise TooSlow

    async def consumed(self) -> None:
        await eventually(lambda: self.admin.fetchval(CONSUMED), within=WITHIN, every=0.1)

    async def compare(self, what: str) -> None:
        found = await oracle.differences(self.admin, self.trace.late())
        for line in found[:10]:
            say(f"    {line}")
        if found:
            raise Missed(f"{what}: {len(found)} rows differ from SQL over the log")

    async def kill(self) -> None:
        """Each kill is one process, at one point, within its next batch of messages."""
        for number in range(self.kills):
            name, point = PROCESSES[number % 2], POINTS[number % len(POINTS)]
            pid = self.platform.child(name).pid
            assert pid is not None
            self.platform.fault(name, point=point, action="crash", match={"topic": "messages"}, ttl_seconds=600)
            await self._feed_until_dead(name, pid)
            self.killed += 1

    async def _feed_until_dead(self, name: str, pid: int) -> None:
        """A process dies when it is given something; what it is given is on time."""

        async def dead() -> bool:
            await self.trickle(5)
            return self.platform.child(name).pid != pid

        await eventually(dead, within=30, every=0.2)
        await eventually(lambda: self.platform.back(name, pid), within=60, every=0.3)

    async def trickle(self, count: int) -> None:
        now: datetime = await self.admin.fetchval("SELECT date_trunc('milliseconds', clock_timestamp())")
        channels = self.trace.chance.sample(self.trace.channels, count)
        events = [channel.message(self.trace._user(), now, "tick") for channel in channels]
        self.trace.wanted |= {event.id: "on time" for event in events}
        await write(self.admin, events)


async def a_plain_run(proof: Proof) -> None:
    """Then a second part while processes are killed; both belong to the same minute."""
    minute = await proof.wait_for_the_clock()
    await proof.send(proof.count, minute)
    await proof.consumed()
    await proof.compare("a plain run")
    proof.corrected = sum(proof.platform.metric(name, CORRECTED) for name in PROCESSES)
    if not proof.corrected:
        raise Missed("no event corrected a closed window")


CORRECTED = "signalink_analytics_corrected_events_total"


async def kills_within_the_windows(proof: Proof) -> None:
    minute = await proof.wait_for_the_clock() if proof.count > 10_000 else await _same_minute(proof)
    first = PROCESSES[0]
    pid = proof.platform.child(first).pid
    proof.platform.fault(first, point=POINTS[0], action="crash", match={"topic": "messages"}, ttl_seconds=600)
    await proof.send(proof.count, minute)
    await eventually(lambda: proof.platform.child(first).pid != pid, within=30, every=0.1)
    await eventually(lambda: proof.platform.back(first, pid or 0), within=60, every=0.3)
    proof.killed, proof.kills = 1, proof.kills - 1
    await proof.kill()
    await proof.consumed()
    await proof.compare(f"after {proof.killed} kills")


async def _same_minute(proof: Proof) -> datetime:
    """The minute of the part before, if it is still early enough in it, else the next one."""
    now: datetime = await proof.admin.fetchval("SELECT clock_timestamp()")
    if BEGIN <= now.second <= 22:
        return now.replace(second=0, microsecond=0)
    return await proof.wait_for_the_clock()


async def a_rebuild_of_damaged_figures_under_traffic(proof: Proof) -> None:
    for damage in DAMAGE:
        await proof.admin.execute(damage)
    if not await oracle.differences(proof.admin, proof.trace.late()):
        raise Missed("damage was not seen: the comparison proves nothing")
    since = (datetime.now(UTC) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%MZ")
    command = ["analytics", "rebuild", "--from", since, "--json"]
    rebuilding = asyncio.create_task(asyncio.to_thread(proof.platform.signalink, command, 300))
    ticks = 0
    while not rebuilding.done():
        await proof.trickle(10)
        ticks += 1
    done = json.loads(await rebuilding)
    if not done["changed"]:
        raise Missed(f"the rebuild changed nothing: {done}")
    await proof.consumed()
    await proof.compare("after the rebuild")
    say(f"    {done['windows']} windows, {done['changed']} changed, {ticks * 10} events came meanwhile")


STEPS: Sequence[Callable[[Proof], Awaitable[None]]] = (
    a_plain_run,
    kills_within_the_windows,
    a_rebuild_of_damaged_figures_under_traffic,
)


async def run(platform: Platform, seed: int, size: tuple[int, int]) -> Proof:
    state = StateFolder(platform.state)
    found = state.read()
    assert found is not None
    settings = schema.settings(state.secrets, found.ports["postgres"], principals.ADMIN)
    admin = await pool.connect(settings, command_timeout=120.0)
    try:
        proof = Proof(platform, admin, Trace(random.Random(seed)), size)
        for step in STEPS:
            began = time.monotonic()
            try:
                await step(proof)
            except TooSlow:
                raise Missed("the relay took longer than the lateness allows: inconclusive on this machine") from None
            say(f"{step.__name__.replace('_', ' ')}: ok ({time.monotonic() - began:.1f} s)")
        return proof
    finally:
        await admin.close()


def program(size: str, seed: int) -> bool:
    verdict, told = "ok", "nothing was compared"
    with Platform(SETTINGS, faults=True, scale={"analytics": len(PROCESSES)}) as platform:
        try:
            proof = asyncio.run(run(platform, seed, SIZES[size]))
            kinds = Counter(proof.trace.wanted.values())
            told = ", ".join(f"{kinds[name]} {name}" for name, _ in SHARES)
            told += f"; equal to SQL over the log plain, after {proof.killed} kills -9, after a rebuild under traffic"
        except (Missed, AssertionError, TimeoutError) as error:
            platform.keep, verdict = True, "missed"
            say(f"MISSED {error!r}")
    say(f"windows: {told} (bar: 0 rows differ) {verdict}")
    return verdict == "ok"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    return concluded("windows", lambda: program(chosen.size, chosen.seed))


if __name__ == "__main__":
    sys.exit(main())

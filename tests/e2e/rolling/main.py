"""`make e2e NAME=rolling`: three analytics consumers are restarted one after another under load.

Owns the order of the run and the bars of each restart: nothing is lost, what is worked on twice is at most one batch
per partition, no partition stands still for longer than 5 s, and after the load nothing is left within 30 s.
Exits 1 else.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import moves
from load import PARTITIONS, Load
from rig import REPLAY_PROFILE, Platform, concluded, say

from signalink_core.testing import eventually

SIZES = {"small": (2_000, 4.0), "full": (2_000, 20.0)}
"""Events a second, seconds of load around each restart."""
MEMBERS = 3
TOPIC = "messages"
PAUSE_SECONDS, DRAIN_SECONDS, BACK_SECONDS = 5.0, 30.0, 60.0
LEAST_RATE = 0.95
"""Of the events a second that are asked for: a load that did not run proves nothing."""
TOTALS = "SELECT channel_id, sum(messages)::bigint AS messages FROM analytics.channel_metrics GROUP BY channel_id"


@dataclass
class Restarts:
    """What each restart cost; `wrong` in words."""

    platform: Platform
    pauses: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def one(self, name: str) -> None:
        """SIGTERM; the supervisor starts it again; then every partition must move on."""
        record = self.platform.child(name)
        begin = await moves.now(self.platform)
        os.kill(record.pid or 0, signal.SIGTERM)
        await eventually(partial(self._back, name, record.restarts + 1), within=BACK_SECONDS, every=0.1)
        ready = await moves.now(self.platform)
        await eventually(partial(self._all_moved, ready), within=BACK_SECONDS, every=0.2)
        end = await moves.now(self.platform)
        pause = moves.longest_pause(await moves.of_topic(self.platform, TOPIC), begin, end)
        died = self.platform.child(name).last_exit
        self.pauses.append(pause)
        if died != "exit 0":
            self.wrong.append(f"{name} ended with {died}")
        if pause > PAUSE_SECONDS:
            self.wrong.append(f"a partition stood still for {pause:.1f} s while {name} was restarted")
        say(
            f"restarted {name}: {died}, ready again after {(ready - begin).total_seconds():.1f} s, all partitions "
            f"moved after {(end - begin).total_seconds():.1f} s, longest pause of one {pause:.2f} s"
        )

    def _back(self, name: str, restarts: int) -> bool:
        record = self.platform.child(name)
        return bool(record.health == "ready" and record.restarts == restarts)

    async def _all_moved(self, since: object) -> bool:
        steps = await moves.of_topic(self.platform, TOPIC)
        return len(steps) == PARTITIONS and all(each[-1].at > since for each in steps.values())


def twice(platform: Platform) -> int:
    """Batches that were begun and given up, by the consumers' own log lines: work that another member did again."""
    count = 0
    for path in (platform.state / "logs").glob("analytics-*.log"):
        for line in path.read_text().splitlines():
            if "work_abandoned" in line:
                count += int(json.loads(line)["batches"])
            count += "stale_owner" in line
    return count


async def amiss(platform: Platform, load: Load) -> int:
    """How many events of the load the totals of analytics count too few or too many, channel by channel."""
    counted = {row["channel_id"]: row["messages"] for row in await moves.fetch(platform, TOTALS)}
    return sum(abs(seq - counted.get(channel, 0)) for channel, seq in load.seqs.items())


async def run(platform: Platform, size: str) -> bool:
    per_second, calm = SIZES[size]
    await moves.watch(platform)
    load, restarts = Load(platform.kafka("relay"), per_second), Restarts(platform)
    sending = asyncio.create_task(load.run())
    try:
        await eventually(partial(restarts._all_moved, await moves.now(platform)), within=BACK_SECONDS, every=0.2)
        for number in range(MEMBERS):
            await asyncio.sleep(calm)
            await restarts.one(f"analytics-{number}")
        await asyncio.sleep(calm)
    finally:
        load.stop.set()
        await sending
    return await judged(platform, load, restarts, per_second)


async def judged(platform: Platform, load: Load, restarts: Restarts, per_second: int) -> bool:
    began = time.monotonic()

    async def whole() -> bool:
        return await amiss(platform, load) == 0

    wrong = restarts.wrong
    try:
        await eventually(whole, within=DRAIN_SECONDS, every=0.2)
    except AssertionError:
        wrong.append(f"{DRAIN_SECONDS:.0f} s after the load not all of it was applied")
    drained, off, again = time.monotonic() - began, await amiss(platform, load), twice(platform)
    wrong += moves.broken(await moves.of_topic(platform, TOPIC))
    if off or sum(load.seqs.values()) != load.sent:
        wrong.append(f"{load.sent:,} events were sent, and {off:,} of them are counted not at all or twice")
    if again > PARTITIONS * MEMBERS:
        wrong.append(f"{again} batches were worked on twice")
    if load.sent < per_second * load.seconds * LEAST_RATE:
        wrong.append(f"only {load.sent / load.seconds:,.0f} events a second were sent")
    for line in wrong[:20]:
        say(f"WRONG {line}")
    platform.keep |= bool(wrong)
    say(
        f"rolling: {load.sent:,} events at {load.sent / load.seconds:,.0f}/s over {MEMBERS} restarts, "
        f"{off} lost or twice (bar 0), {again} batches begun twice (bar {PARTITIONS} a restart), "
        f"pauses <= {max(restarts.pauses):.1f} s (bar {PAUSE_SECONDS:.0f}), all applied {drained:.1f} s after the load "
        f"(bar {DRAIN_SECONDS:.0f}) {'missed' if wrong else 'ok'}"
    )
    return not wrong


def program(size: str) -> bool:
    with Platform(REPLAY_PROFILE, scale={"analytics": MEMBERS}) as platform:
        return asyncio.run(run(platform, size))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=1, help="taken and not used: nothing here is drawn")
    chosen = parser.parse_args()
    return concluded("rolling", lambda: program(chosen.size))


if __name__ == "__main__":
    sys.exit(main())

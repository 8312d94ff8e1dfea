"""`make e2e NAME=kill`: SIGKILL of api, relay, gateway, Valkey and Kafka under load; nothing acknowledged is lost.

Posts go on over every kill; clients repeat unknown outcomes under the same client_id and sockets resume by position.
A kill counts only with at least one request in flight. Exits 1 when something falls short, 2 without changelogs.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import corpus
from crowd import Message, People, passes
from rig import REPLAY_PROFILE, Platform, PlatformFailed, concluded, say
from stage import READERS, Stage

from signalink_core.testing import eventually

VICTIMS = ("api-0", "relay-0", "gateway-0", "valkey", "kafka")
SIZES = {"small": (1_000, 20, 30, 2.0), "full": (5_000, 40, 60, 5.0)}
"""Fewest messages, most channels and authors, seconds of load before each kill."""
ATTEMPTS = 60
"""Of one post: with full jitter up to 5 s between them, over two minutes of outage."""
BACK_SECONDS = 90.0


@dataclass
class Nemesis:
    """Kills each victim once while the stage is under load."""

    platform: Platform
    stage: Stage
    load_seconds: float
    in_flight: dict[str, int] = field(default_factory=dict)
    done: bool = False

    async def run(self) -> None:
        try:
            for victim in VICTIMS:
                await asyncio.sleep(self.load_seconds)
                await self._kill(victim)
        finally:
            self.done = True

    async def _kill(self, victim: str) -> None:
        pid = (await asyncio.to_thread(self.platform.process, victim))["pid"]
        count = await self.stage.crowd.busy()
        os.kill(pid, signal.SIGKILL)
        self.stage.recorder.record("note", "nemesis", code="kill", node=victim)
        self.in_flight[victim] = count
        began = time.monotonic()
        try:
            await eventually(
                partial(asyncio.to_thread, self.platform.back, victim, pid), within=BACK_SECONDS, every=0.2
            )
        except AssertionError as error:
            raise PlatformFailed(f"{victim} was not ready again {BACK_SECONDS:.0f} s after its kill") from error
        say(f"killed {victim} (pid {pid}) with {count} requests in flight; back after {time.monotonic() - began:.1f} s")


def load(entries: list[corpus.Entry], nemesis: Nemesis, least: int) -> Iterator[Message]:
    """Yield messages until every victim was killed and came back, and at least so many."""
    for number, message in enumerate(passes(entries, "kill")):
        if nemesis.done and number >= least:
            return
        yield message


async def program(platform: Platform, entries: list[corpus.Entry], least: int, load_seconds: float) -> bool:
    async with (
        People(platform.urls["api"]) as people,
        Stage(platform, people, entries, run="kill", attempts=ATTEMPTS) as stage,
    ):
        await stage.open()
        nemesis = Nemesis(platform, stage, load_seconds)
        async with asyncio.TaskGroup() as group:
            group.create_task(nemesis.run())
            group.create_task(stage.play(load(entries, nemesis, least)))
        outcome = await stage.settle(least)
    counted = sum(1 for count in nemesis.in_flight.values() if count >= 1)
    ok = outcome.clean and counted == len(VICTIMS) and outcome.connects > READERS
    platform.keep |= not ok
    say(
        f"kill: {counted} kills with requests in flight {nemesis.in_flight}, {outcome.acknowledged:,} acknowledged, "
        f"{len(outcome.report.findings)} findings (bar: {len(VICTIMS)} kills, all acknowledged in log, Kafka and "
        f"{READERS} sockets, in order, once) {'ok' if ok else 'missed'}"
    )
    return ok


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1, help="chooses the channels")
    parser.add_argument("--keep", action="store_true", help="keep histories and logs also when all is well")
    chosen = parser.parse_args()
    least, channels, authors, load_seconds = SIZES[chosen.size]
    try:
        entries = corpus.chosen(corpus.entries(), channels=channels, authors=authors, seed=chosen.seed)
    except corpus.NoCorpus as missing:
        say(f"kill: cannot run: {missing}. Run it on a Debian or Ubuntu with its package documentation.")
        return 2

    def with_platform() -> bool:
        with Platform(REPLAY_PROFILE) as platform:
            platform.keep = chosen.keep
            return asyncio.run(program(platform, entries, least, load_seconds))

    return concluded("kill", with_platform)


if __name__ == "__main__":
    sys.exit(main())

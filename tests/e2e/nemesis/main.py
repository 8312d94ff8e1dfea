"""`make e2e NAME=nemesis`: seeded kills (-9) and pauses of every part at random moments of the replay.

Posts go on over every fault; clients repeat unknown outcomes under the same client_id, sockets resume by position.
Everything acknowledged must be in the log, in Kafka and on every socket, once and in order; failed posts must say so;
each fault must be over within the bounds of its row. At full size (3 seeds of 20 faults) it writes docs/recovery.md.
Exits 1 when something falls short, 2 without changelogs.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

import corpus
import page
import schedule
import strikes
from crowd import Message, People, passes
from rig import REPLAY_PROFILE, Platform, concluded, say
from stage import READERS, Stage

SIZES = {"small": (1, 6), "full": (3, 20)}
"""Runs (seeds from the given one on), faults of each."""
SLACK = {"small": 3.0, "full": 1.0}
"""Times the bounds: the small size is for machines that do other work beside, as those of CI do."""
CHANNELS, AUTHORS = 40, 60
ATTEMPTS = 60
"""Of one post: with full jitter up to 5 s between them, over two minutes of outage."""
BURST_SECONDS = 0.4
"""From burst to burst of the 50 clients: 125 posts a second, 2,500 deliveries."""
CLIENT_SECONDS = 12.0
"""The client's own time-outs: 2 s to connect, 10 s for an answer."""
CALM_AT_END_SECONDS = 3.0


def load(entries: list[corpus.Entry], nemesis: strikes.Nemesis, run: str) -> Iterator[Message]:
    """Yield messages until the last fault was over for a while."""
    ends: float | None = None
    for message in passes(entries, run):
        if nemesis.done:
            ends = ends or time.monotonic() + CALM_AT_END_SECONDS
            if time.monotonic() > ends:
                return
        yield message


async def one(platform: Platform, people: People, entries: list[corpus.Entry], seed: int, size: str) -> page.Run:
    """Answer what came of one seed."""
    count = SIZES[size][1]
    say(f"== seed {seed}: {count} faults")
    run = f"nemesis-{seed}"
    async with Stage(platform, people, entries, run=run, attempts=ATTEMPTS) as stage:
        await stage.open()
        nemesis = strikes.Nemesis(platform, stage, schedule.planned(seed, count), Random(seed))
        restarts = platform.restarts()
        played = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(nemesis.run())
            group.create_task(strikes.Sampler(nemesis).run(played.is_set))
            await stage.play(load(entries, nemesis, run), BURST_SECONDS)
            played.set()
        outcome = await stage.settle(
            count, client_seconds=CLIENT_SECONDS, bounds=partial(schedule.bounds, slack=SLACK[size])
        )
    found = page.Run(seed, outcome, nemesis.in_flight, nemesis.strays(restarts))
    for line in page.told(found):
        say(line)
    return found


async def program(platform: Platform, entries: list[corpus.Entry], size: str, seeds: list[int]) -> bool:
    count = SIZES[size][1]
    async with People(platform.urls["api"]) as people:
        runs = [await one(platform, people, entries, seed, size) for seed in seeds]
    counted = sum(run.counted for run in runs)
    ok = all(run.outcome.clean and not run.strays for run in runs) and counted == count * len(seeds)
    platform.keep |= not ok
    if size == "full" and len(seeds) == SIZES["full"][0]:
        say(f"written: {page.write(runs)}")
    acknowledged = sum(run.outcome.acknowledged for run in runs)
    findings = sum(len(run.outcome.report.findings) for run in runs)
    say(
        f"nemesis: {counted} faults with requests in flight, {acknowledged:,} acknowledged, {findings} findings "
        f"(bar: {count * len(seeds)} faults, all acknowledged in log, Kafka and {READERS} sockets, in order, once, "
        f"honest, within B1 and B2, nothing fell that was not killed) {'ok' if ok else 'missed'}"
    )
    return ok


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; it chooses faults and channels")
    parser.add_argument("--runs", type=int, help="how many seeds, if not as the size says")
    parser.add_argument("--keep", action="store_true", help="keep histories and logs also when all is well")
    chosen = parser.parse_args()
    try:
        entries = corpus.chosen(corpus.entries(), channels=CHANNELS, authors=AUTHORS, seed=chosen.seed)
    except corpus.NoCorpus as missing:
        say(f"nemesis: cannot run: {missing}. Run it on a Debian or Ubuntu with its package documentation.")
        return 2
    seeds = [chosen.seed + number for number in range(chosen.runs or SIZES[chosen.size][0])]

    def with_platform() -> bool:
        with Platform(REPLAY_PROFILE, faults=True) as platform:
            platform.keep = chosen.keep
            return asyncio.run(program(platform, entries, chosen.size, seeds))

    return concluded("nemesis", with_platform)


if __name__ == "__main__":
    sys.exit(main())

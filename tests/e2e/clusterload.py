"""A run on a cluster: 50 posts a second and many sockets through doors, while a program does things to the release.

Owns the crowd's size, what counts as an honest answer, and the verdict; what is done meanwhile is the program's.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import corpus
from cluster import Missed
from clusterplace import ClusterPlace
from crowd import Message, People, passes
from rig import say
from stage import Outcome, Stage

ATTEMPTS = 60
EVERY_SECONDS = 1.0
"""Each of the 50 clients posts once in it: 50 posts a second."""
HONEST = re.compile(r"(429|503) .* \+wait")
"""Answers other than 2xx that a client may get: come back, and when."""
RESUMED_SECONDS = 5.0


@dataclass(frozen=True)
class Size:
    """`channels` at most; `follow`: how many of them each reader but the first follows, 0: all."""

    channels: int
    authors: int
    readers: int
    follow: int
    calm: float
    """Seconds of load between two things that are done."""


class Run:
    """What a program does things to, and what it can see of the load."""

    def __init__(self, place: ClusterPlace, stage: Stage, calm: float) -> None:
        self.place = place
        self.stage = stage
        self.calm = calm
        self.done = False
        self.in_flight: list[int] = []

    async def begin(self, what: str) -> int:
        """After a calm while, and with a post in flight; answers how many were."""
        await asyncio.sleep(self.calm)
        count = await self.stage.crowd.busy()
        self.in_flight.append(count)
        say(f"{what}: begins with {count} posts in flight, {self.stage.crowd.acknowledged:,} acknowledged")
        return count


Deeds = Callable[[Run], Awaitable[Any]]


async def under_load(place: ClusterPlace, size: Size, seed: int, deeds: Deeds) -> tuple[Run, Outcome]:
    """Seat the crowd, let it post until the deeds are done and a calm while more, judge what everybody saw."""
    entries = corpus.chosen(corpus.entries(), channels=size.channels, authors=size.authors, seed=seed)
    async with (
        People(place.urls["api"]) as people,
        Stage(place, people, entries, run="run", attempts=ATTEMPTS, readers=size.readers, follow=size.follow) as stage,
    ):
        await stage.open()
        run = Run(place, stage, size.calm)
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_done(run, deeds))
            group.create_task(stage.play(_messages(run, entries), EVERY_SECONDS, spread=True))
        return run, await stage.settle(1)


async def _until_done(run: Run, deeds: Deeds) -> None:
    try:
        await deeds(run)
        await asyncio.sleep(run.calm)
    finally:
        run.done = True


def _messages(run: Run, entries: list[corpus.Entry]) -> Iterator[Message]:
    for message in passes(entries, "run"):
        if run.done:
            return
        yield message


def judged(run: Run, outcome: Outcome) -> str:
    """The figures; Missed when anything was lost, doubled, out of order, refused for good or refused dishonestly."""
    crowd = run.stage.crowd
    say(f"attempts without 2xx: {crowd.failed or 'none'}; sockets away {len(outcome.away)} times, {_spread(outcome)}")
    if outcome.report.exit_code:
        raise Missed(f"the checker has {len(outcome.report.findings)} findings, exit {outcome.report.exit_code}")
    if outcome.refused:
        raise Missed(f"posts were given up: {outcome.refused}")
    if dishonest := {name for name in crowd.failed if name[0].isdigit() and not HONEST.fullmatch(name)}:
        raise Missed(f"answers that are neither 2xx, 429 nor 503 with Retry-After: {sorted(dishonest)}")
    return (
        f"{outcome.acknowledged:,} posts acknowledged, 0 given up, {crowd.unknown} attempts without an answer, "
        f"0 findings on {outcome.subscriptions} subscriptions, {outcome.connects} connects, away {_spread(outcome)}"
    )


def resumed(outcome: Outcome, readers: int, within: float = RESUMED_SECONDS) -> None:
    """Missed when no socket had to resume, or one took too long."""
    if outcome.connects <= readers:
        raise Missed("no socket was ever cut: nothing about resuming was shown")
    if slow := [seconds for seconds in outcome.away if seconds > within]:
        raise Missed(f"{len(slow)} sockets were away for more than {within:g} s: {slow[-5:]}")


def _spread(outcome: Outcome) -> str:
    away = outcome.away or (0.0,)
    return f"median {away[len(away) // 2]:.1f} s, longest {away[-1]:.1f} s"

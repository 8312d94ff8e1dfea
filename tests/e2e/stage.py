"""One run on a platform: authors post, readers follow in processes of their own, the stores are dumped, all is judged.

Owns the order of a run and its history files. What disturbs the run while it goes on (nothing, dropped publishes,
kills) is the program's.
"""

import asyncio
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import audience
import dumps
import msgspec
import orjson
from corpus import Entry
from crowd import Crowd, Message, People
from rig import say
from stores import Told

from signalink_labs.history import Demands, Recorder, Report, check_files
from signalink_labs.history import report as reports

READERS = 20
PROCESSES = 2
ANSWER_BYTES = 1 << 20
SETTLE_SECONDS = 120.0
SLOWEST = 5
"""Absences of sockets that are told of, part by part."""


class Place(Protocol):
    """Where a run happens: a folder for its files, addresses of api and gateway, both stores."""

    folder: Path
    urls: Mapping[str, str]

    async def log(self, channels: Collection[str]) -> list[Told]: ...

    async def topic(self, channels: Collection[str], wanted: int, within: float) -> list[Told]: ...


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    report: Report
    subscriptions: int
    acknowledged: int
    refused: dict[str, int]
    connects: int
    holes: int
    away: tuple[float, ...] = ()
    """Seconds that sockets were away, longest last."""

    @property
    def clean(self) -> bool:
        return self.report.exit_code == 0 and not self.refused


class Stage:
    """A context per run, on channels of its own."""

    def __init__(
        self,
        platform: Place,
        people: People,
        entries: Sequence[Entry],
        *,
        run: str,
        attempts: int = 3,
        readers: int = READERS,
        follow: int = 0,
    ) -> None:
        """`follow`: how many channels each reader but the first follows; 0: all."""
        self.folder = platform.folder / run
        self.folder.mkdir()
        self.recorder = Recorder(self.folder / "clients.jsonl", "clients")
        self.crowd = Crowd(people, self.recorder, run=run, attempts=attempts)
        self._people = people
        self._platform = platform
        self._entries = entries
        self._readers = [f"reader-{number:02d}" for number in range(readers)]
        self._follow = follow
        self._houses: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for house in self._houses:
            if house.returncode is None:
                house.kill()
                await house.wait()
        self.recorder.close()

    async def open(self) -> None:
        """Register everybody, open and join the channels, seat the readers."""
        began = time.monotonic()
        names = [*dict.fromkeys(entry.author for entry in self._entries), *self._readers]
        await self._people.enroll(names)
        enrolled = time.monotonic()
        await self.crowd.open_channels(self._entries, self._followers)
        opened = time.monotonic()
        await asyncio.gather(*(self._seat(number) for number in range(PROCESSES)))
        say(
            f"{len(names)} users in {enrolled - began:.1f} s, {len(self.crowd.channels)} channels and their members in "
            f"{opened - enrolled:.1f} s, {len(self._readers)} readers seated in {time.monotonic() - opened:.1f} s"
        )

    def _followers(self, channel: int) -> list[str]:
        """Who follows the channel of this number: the first reader, and of the others as many as share them out."""
        if not self._follow:
            return self._readers
        width = len({entry.channel for entry in self._entries})
        others = [(number * self._follow, name) for number, name in enumerate(self._readers) if number]
        return [self._readers[0], *(name for first, name in others if (channel - first) % width < self._follow)]

    def _followed(self) -> dict[str, list[str]]:
        """Reader -> ids of its channels."""
        ids = [self.crowd.channels[name] for name in dict.fromkeys(entry.channel for entry in self._entries)]
        found: dict[str, list[str]] = {name: [] for name in self._readers}
        for number, channel in enumerate(ids):
            for name in self._followers(number):
                found[name].append(channel)
        return found

    async def _seat(self, number: int) -> None:
        people, follows = self._people, self._followed()
        orders = audience.Orders(
            api=self._platform.urls["api"],
            gateway=self._platform.urls["gateway"],
            proc=f"audience-{number}",
            path=str(self.folder / f"audience-{number}.jsonl"),
            readers=[(name, people[name].username, people[name].password) for name in self._readers[number::PROCESSES]],
            channels=self.crowd.epochs,
            follows={name: follows[name] for name in self._readers[number::PROCESSES]},
        )
        house = await asyncio.create_subprocess_exec(
            sys.executable,
            audience.__file__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=ANSWER_BYTES,
        )
        self._houses.append(house)
        answer = await _exchange(house, msgspec.to_builtins(orders), audience.READY_SECONDS * 2)
        if not answer.get("ready"):
            raise RuntimeError(f"the readers of {orders.proc} were not subscribed to everything in time: {answer}")

    async def play(self, messages: Iterable[Message], every: float = 0.0, *, spread: bool = False) -> None:
        """Post all messages; `every`: seconds from burst to burst, `spread`: without bursts."""
        began = time.monotonic()
        await self.crowd.post(messages, every, spread=spread)
        seconds = time.monotonic() - began
        rate = self.crowd.acknowledged / seconds
        say(
            f"{self.crowd.acknowledged:,} posts acknowledged in {seconds:.1f} s ({rate:.0f}/s), {self.crowd.unknown} "
            f"attempts with unknown outcome repeated, refused for good: {self.crowd.refused or 'none'}"
        )

    async def settle(self, demanded: int, **more: Any) -> Outcome:
        """Dump, drain, judge; `more` are further `Demands`."""
        began = time.monotonic()
        channels = self.crowd.epochs
        events = await self._platform.log(channels)
        lasts: dict[str, int] = {}
        for event in events:
            lasts[event.channel] = max(event.seq or 0, lasts.get(event.channel, 0))
        request = {"drain": lasts, "within": SETTLE_SECONDS}
        answers = await asyncio.gather(*(_exchange(house, request, SETTLE_SECONDS * 2) for house in self._houses))
        records = await self._platform.topic(channels, len(events), SETTLE_SECONDS)
        complete = len({event.id for event in records}) >= len(events)
        self.recorder.record("ok" if complete else "info", "drain")
        dumps.write(self.recorder, "postgres", events)
        dumps.write(self.recorder, "kafka", records)
        read = await self.crowd.read_back(self._readers[0])
        self.recorder.end()
        for house in self._houses:
            await asyncio.wait_for(house.wait(), 60)
        connects = sum(answer["connects"] for answer in answers)
        behind = {view: count for answer in answers for view, count in answer["behind"].items()}
        sockets = len(self._readers)
        say(
            f"settled in {time.monotonic() - began:.1f} s: {len(events):,} events in the log, {len(records):,} in "
            f"Kafka, {read:,} read over HTTP, {connects} connects of {sockets} sockets, behind: {behind or 'none'}"
        )
        subscriptions = sum(len(followed) for followed in self._followed().values())
        demands = Demands(acknowledged=demanded, stores=("postgres", "kafka"), views=subscriptions, **more)
        outcome = await self._judge(demands, connects, sum(answer["holes"] for answer in answers))
        absences = sorted((each for answer in answers for each in answer["away"]), key=lambda each: each["away"])
        for each in absences[-SLOWEST:]:
            say("a socket was away: " + ", ".join(f"{name} {value:g}" for name, value in each.items()))
        return replace(outcome, away=tuple(each["away"] for each in absences))

    async def _judge(self, demands: Demands, connects: int, holes: int) -> Outcome:
        began = time.monotonic()
        report = await asyncio.to_thread(check_files, sorted(self.folder.glob("*.jsonl")), demands)
        for line in reports.text(report):
            say(line)
        say(f"judged {report.lines:,} lines in {time.monotonic() - began:.1f} s")
        return Outcome(report, demands.views, self.crowd.acknowledged, self.crowd.refused, connects, holes)


async def _exchange(house: asyncio.subprocess.Process, request: Any, within: float) -> dict[str, Any]:
    """Send one line, read one line; a process that died answers nothing."""
    if house.stdin is None or house.stdout is None:
        raise RuntimeError("a reader process has no pipes")
    house.stdin.write(orjson.dumps(request) + b"\n")
    await house.stdin.drain()
    line = await asyncio.wait_for(house.stdout.readline(), within)
    if not line:
        raise RuntimeError(f"a reader process ended with exit code {await house.wait()}")
    answer: dict[str, Any] = orjson.loads(line)
    return answer

"""One run on a platform: authors post, readers follow in processes of their own, the stores are dumped, all is judged.

Owns the order of a run and its history files. What disturbs the run while it goes on (nothing, dropped publishes,
kills) is the program's.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import audience
import dumps
import msgspec
import orjson
from corpus import Entry
from crowd import Crowd, Message, People
from rig import Platform, say

from signalink_labs.history import Demands, Recorder, Report, check_files
from signalink_labs.history import report as reports

READERS = 20
PROCESSES = 2
ANSWER_BYTES = 1 << 20
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    report: Report
    subscriptions: int
    acknowledged: int
    refused: dict[str, int]
    connects: int
    holes: int

    @property
    def clean(self) -> bool:
        return self.report.exit_code == 0 and not self.refused


class Stage:
    """A context per run, on channels of its own."""

    def __init__(
        self, platform: Platform, people: People, entries: Sequence[Entry], *, run: str, attempts: int = 3
    ) -> None:
        self.folder = platform.folder / run
        self.folder.mkdir()
        self.recorder = Recorder(self.folder / "clients.jsonl", "clients")
        self.crowd = Crowd(people, self.recorder, run=run, attempts=attempts)
        self._people = people
        self._platform = platform
        self._entries = entries
        self._readers = [f"reader-{number:02d}" for number in range(READERS)]
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
        await self.crowd.open_channels(self._entries, self._readers)
        opened = time.monotonic()
        await asyncio.gather(*(self._seat(number) for number in range(PROCESSES)))
        say(
            f"{len(names)} users in {enrolled - began:.1f} s, {len(self.crowd.channels)} channels and their members in "
            f"{opened - enrolled:.1f} s, {READERS} readers seated in {time.monotonic() - opened:.1f} s"
        )

    async def _seat(self, number: int) -> None:
        people = self._people
        orders = audience.Orders(
            api=self._platform.urls["api"],
            gateway=self._platform.urls["gateway"],
            proc=f"audience-{number}",
            path=str(self.folder / f"audience-{number}.jsonl"),
            readers=[(name, people[name].username, people[name].password) for name in self._readers[number::PROCESSES]],
            channels=self.crowd.epochs,
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

    async def play(self, messages: Iterable[Message], every: float = 0.0) -> None:
        """Post all messages; `every`: seconds from burst to burst."""
        began = time.monotonic()
        await self.crowd.post(messages, every)
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
        events = await dumps.log(self._platform.postgres("relay"), channels)
        lasts: dict[str, int] = {}
        for event in events:
            lasts[str(event.channel)] = max(event.seq or 0, lasts.get(str(event.channel), 0))
        request = {"drain": lasts, "within": SETTLE_SECONDS}
        answers = await asyncio.gather(*(_exchange(house, request, SETTLE_SECONDS * 2) for house in self._houses))
        records = await dumps.topic(self._platform.kafka("prober"), channels, len(events), SETTLE_SECONDS)
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
        say(
            f"settled in {time.monotonic() - began:.1f} s: {len(events):,} events in the log, {len(records):,} in "
            f"Kafka, {read:,} read over HTTP, {connects} connects of {READERS} sockets, behind: {behind or 'none'}"
        )
        subscriptions = READERS * len(channels)
        demands = Demands(acknowledged=demanded, stores=("postgres", "kafka"), views=subscriptions, **more)
        return await self._judge(demands, connects, sum(answer["holes"] for answer in answers))

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

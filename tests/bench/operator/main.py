"""`make bench NAME=operator`: Topic resources from create to Ready, beside a bare AdminClient doing the same in Kafka.

The bare side makes one topic after the other and waits until each can be described with a leader; another does it in
calls of the operator's batch size. A fourth side only creates the resources and patches each status once: what the
API server takes by itself. All use one broker whose log is on a memory file system, one partition each, in turns. Also:
edits, a pass without drift, memory, and create, modify, delete at four sizes.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS / name) for name in ("bench", "operator")]

import figures  # noqa: E402
import httpx  # noqa: E402
import machine  # noqa: E402
import orjson  # noqa: E402
import program  # noqa: E402
from figures import Bar, Result, Spread  # noqa: E402
from operatorground import Ground, Process, ground  # noqa: E402

from signalink_core.testing import eventually  # noqa: E402
from signalink_operator.adapters import kube, login  # noqa: E402
from signalink_operator.adapters.kafka import KafkaTopics  # noqa: E402
from signalink_operator.model import Failure, Key, ObservedTopic  # noqa: E402
from signalink_operator.plans import status  # noqa: E402
from signalink_operator.plans.topic import CreateTopic, DeleteTopic, Plan  # noqa: E402

SIZES = {"small": (1, 100, (10, 100), 300), "full": (3, 1000, (10, 100, 500, 1000), 5000)}
"""Runs, topics of the main figure, the sizes of create, modify, delete, and resources at a start."""
QUEUE = 20_000
LOOK_SECONDS = 0.5
BATCH = 100
OPERATOR, BARE, BATCHED, API = "operator", "bare AdminClient", "the same, calls of 100", "Kubernetes API alone"
IN_FLIGHT = 24
EDITS = 50
LONGEST = 300.0


class Watched:
    """Names of resources that are Ready at their newest generation, kept by a watch of this program's own."""

    def __init__(self) -> None:
        self.ready: set[str] = set()
        self.there: set[str] = set()
        self._news = asyncio.Event()

    def see(self, event: Mapping[str, Any]) -> None:
        meta, status = event["object"]["metadata"], event["object"].get("status", {})
        name = meta["name"]
        (self.there.discard if event["type"] == "DELETED" else self.there.add)(name)
        fine = any(
            item["type"] == "Ready" and item["status"] == "True" and item["observedGeneration"] == meta["generation"]
            for item in status.get("conditions", [])
        )
        (self.ready.add if fine else self.ready.discard)(name)
        self._news.set()

    async def until(self, what: str, names: Sequence[str]) -> None:
        wanted = set(names)
        async with asyncio.timeout(LONGEST):
            while not (wanted <= self.ready if what == "ready" else not wanted & self.there):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(at: Ground) -> AsyncIterator[Watched]:
    watched = Watched()
    begin = (await at.api.call("GET", at.api.path())).json()["metadata"]["resourceVersion"]

    async def follow() -> None:
        path = f"{at.api.path()}?watch=true&resourceVersion={begin}"
        async with at.api.http.stream("GET", path, timeout=httpx.Timeout(20, read=LONGEST)) as stream:
            async for line in stream.aiter_lines():
                watched.see(orjson.loads(line))

    following = asyncio.ensure_future(follow())
    try:
        yield watched
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def each(names: Sequence[str], work: Callable[[str], Coroutine[Any, Any, Any]]) -> None:
    """All at once; the client lets only so many through."""
    await asyncio.gather(*(work(name) for name in names))


class Bench:
    """One ground, measured again and again with fresh names."""

    def __init__(self, at: Ground, client: kube.Kube) -> None:
        self.at, self._client, self._rounds = at, client, 0
        self._looks: dict[str, float] = {}

    def key(self, name: str) -> Key:
        return Key("Topic", self.at.api.namespace, name)

    def create(self, name: str, **spec: Any) -> Coroutine[Any, Any, Any]:
        return self._client.create(self.key(name), {"partitions": 1, **spec}, {})

    def delete(self, name: str) -> Coroutine[Any, Any, Any]:
        return self._client.call("DELETE", self.at.api.path(name).lstrip("/"))

    def edit(self, name: str, **spec: Any) -> Coroutine[Any, Any, Any]:
        return self._client.call("PATCH", self.at.api.path(name).lstrip("/"), {"spec": spec}, kube.MERGE)

    def names(self, count: int) -> list[str]:
        self._rounds += 1
        return [f"b{self._rounds}-{n}" for n in range(count)]

    async def operator(self, count: int) -> dict[str, Any]:
        names = self.names(count)
        async with (
            self.at.working(lease_seconds=30, canary_seconds=0, batch_wait_ms=100) as process,
            watching(self.at) as watched,
        ):
            cpu, began = machine.cpu_seconds(process.child.pid), time.monotonic()
            await each(names, self.create)
            posted = time.monotonic() - began
            await watched.until("ready", names)
            seconds = time.monotonic() - began
            cpu = machine.cpu_seconds(process.child.pid) - cpu
            rss = machine.rss_bytes(process.child.pid) / 1e6
        await self._clear(names)
        return {"per_second": count / seconds, "seconds": seconds, "posted": posted, "cpu": cpu, "rss_mb": rss}

    async def api_alone(self, count: int) -> dict[str, Any]:
        """Each resource created and its status patched once, by nobody in particular."""
        names = self.names(count)

        async def both(name: str) -> None:
            made = await self.create(name)
            known = status.facts(name, ObservedTopic(name, "x" * 22, 1, 1))
            await self._client.patch_status(
                made.key, status.patch(made, status.managed(Plan(), None), known, "2026-01-01T00:00:00Z") or {}
            )

        began = time.monotonic()
        await each(names, both)
        seconds = time.monotonic() - began
        await self._clear(names)
        return {"per_second": count / seconds, "seconds": seconds}

    async def bare(self, count: int, batch: int = 1) -> dict[str, Any]:
        names = self.names(count)
        admin = KafkaTopics(self.at.kafka())
        began = time.monotonic()
        await asyncio.to_thread(self._create, admin, names, batch)
        seconds = time.monotonic() - began
        await asyncio.to_thread(admin.act, {name: Plan((DeleteTopic(),)) for name in names})
        return {"per_second": count / seconds, "seconds": seconds}

    @staticmethod
    def _create(admin: KafkaTopics, names: Sequence[str], batch: int) -> None:
        for first in range(0, len(names), batch):
            acted = admin.act({name: Plan((CreateTopic(1, None, {}),)) for name in names[first : first + batch]})
            wrong = [outcome for outcome in acted.values() if isinstance(outcome, Failure)]
            assert not wrong, wrong[0]
            assert all(isinstance(outcome, ObservedTopic) for outcome in acted.values())

    async def _clear(self, names: Sequence[str]) -> None:
        await each(names, self.delete)
        admin = KafkaTopics(self.at.kafka())
        await asyncio.to_thread(admin.act, {name: Plan((DeleteTopic(),)) for name in names})

    async def life(self, count: int) -> dict[str, Any]:
        """Create, modify, delete with deletionPolicy Delete; seconds of each."""
        names, found = self.names(count), {"count": count}
        async with self.at.working(lease_seconds=30, canary_seconds=0) as process, watching(self.at) as watched:
            steps = (
                ("create", lambda name: self.create(name, deletionPolicy="Delete"), "ready"),
                ("modify", lambda name: self.edit(name, partitions=2), "ready"),
                ("delete", self.delete, "gone"),
            )
            for step, work, until in steps:
                began = time.monotonic()
                if step == "modify":
                    watched.ready.clear()
                await each(names, work)
                await watched.until(until, names)
                found[step] = time.monotonic() - began
            found["rss_mb"] = machine.rss_bytes(process.child.pid) / 1e6
        return found

    async def begun(self, count: int) -> dict[str, Any]:
        """An operator that starts where so many resources are: when all are Ready, and how it does meanwhile."""
        names = self.names(count)
        await each(names, self.create)
        async with watching(self.at) as watched:
            began = time.monotonic()
            process = self.at.start(lease_seconds=30, canary_seconds=20)
            looking = asyncio.ensure_future(self._look(process))
            try:
                await watched.until("ready", names)
            finally:
                looking.cancel()
            seconds = time.monotonic() - began
            seen = await asyncio.gather(looking, return_exceptions=True)
            assert isinstance(seen[0], asyncio.CancelledError), seen
            found = {"count": count, "seconds": seconds, "per_second": count / seconds, **self._looks}
            code = await process.end()
            assert code == 0, process.tail()
        await self._clear(names)
        return found

    async def _look(self, process: Process) -> None:
        """Every half second: is it live, how long is the queue, how much memory has it."""
        self._looks = {"rss_mb": 0.0, "queue": 0.0, "not_live": 0.0, "looks": 0.0}
        await process.until_live()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=5, trust_env=False) as http:
            for _ in range(int(LONGEST / LOOK_SECONDS)):
                live = await http.get("/healthz")
                page = (await http.get("/metrics")).text
                queue = next(line for line in page.splitlines() if line.startswith("signalink_operator_queue_keys "))
                looks = self._looks
                looks["looks"] += 1
                looks["not_live"] += live.status_code != 200
                looks["queue"] = max(looks["queue"], float(queue.rsplit(" ", 1)[1]))
                looks["rss_mb"] = max(looks["rss_mb"], machine.rss_bytes(process.child.pid) / 1e6)
                await asyncio.sleep(LOOK_SECONDS)

    async def steady(self, count: int) -> dict[str, Any]:
        """Edits of one among many, then passes without drift: their length, and what they wrote."""
        names = self.names(count)
        async with (
            self.at.working(lease_seconds=30, canary_seconds=0, resync_seconds=8) as process,
            watching(self.at) as watched,
        ):
            await each(names, self.create)
            await watched.until("ready", names)
            edits = [await self._edit(watched, names[n]) for n in range(min(EDITS, count))]
            before, writes = await self._versions(), self._kafka_writes(process)
            passes = [await self._pass(process, count) for _ in range(2)]
            found = {
                "edit_p95_ms": sorted(edits)[int(len(edits) * 0.95) - 1] * 1000,
                "pass_seconds": min(passes),
                "kubernetes_writes": sum(before[name] != now for name, now in (await self._versions()).items()),
                "kafka_writes": self._kafka_writes(process) - writes,
                "rss_mb": machine.rss_bytes(process.child.pid) / 1e6,
            }
        await self._clear(names)
        return found

    async def _edit(self, watched: Watched, name: str) -> float:
        watched.ready.discard(name)
        began = time.monotonic()
        await self.edit(name, config={"retention.ms": 1000})
        await watched.until("ready", [name])
        return time.monotonic() - began

    async def _versions(self) -> dict[str, str]:
        items = (await self.at.api.call("GET", self.at.api.path())).json()["items"]
        return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}

    @staticmethod
    def _kafka_writes(process: Process) -> float:
        page = httpx.get(f"http://127.0.0.1:{process.port}/metrics", timeout=5, trust_env=False).text
        name = "signalink_operator_admin_call_seconds_count"
        rows = [line for line in page.splitlines() if line.startswith(name) and "describe" not in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in rows)

    @staticmethod
    async def _pass(process: Process, count: int) -> float:
        """From the first batch of a full pass to its last."""

        def done() -> float:
            return process.metric("signalink_operator_reconcile_seconds_count")

        first = done()
        await eventually(lambda: done() > first, within=LONGEST)
        began = time.monotonic()
        await eventually(lambda: done() >= first + count, within=LONGEST)
        return time.monotonic() - began


def memory_folder() -> Path:
    """Where the broker's log lies: a broker makes about 137 partition logs a second on a disk."""
    shared = Path("/dev") / "shm"
    return Path(tempfile.mkdtemp(prefix="signalink-bench-operator-", dir=shared if shared.is_dir() else None))


async def measured(size: str) -> tuple[dict[str, Any], str]:
    runs, count, sizes, begin = SIZES[size]
    folder = memory_folder()
    try:
        async with ground(folder=folder) as at, kube.Kube(login.connection(at.api.access), IN_FLIGHT) as client:
            bench = Bench(at, client)
            sides: dict[str, Callable[[int], Coroutine[Any, Any, dict[str, Any]]]] = {
                OPERATOR: bench.operator,
                BARE: bench.bare,
                BATCHED: lambda count: bench.bare(count, BATCH),
                API: bench.api_alone,
            }
            found: dict[str, Any] = {side: [] for side in sides}
            for run in sides.values():  # code is compiled and definitions are settled, for all sides
                await run(BATCH)
            for number in range(1, runs + 1):
                for side, run in sides.items():
                    figure = await run(count)
                    found[side].append(figure)
                    figures.say(f"run {number}/{runs} {side}: { {k: round(v, 2) for k, v in figure.items()} }")
            found["life"] = [await bench.life(one) for one in sizes]
            found["steady"] = await bench.steady(count)
            figures.say(f"steady: {found['steady']}")
            found["begun"] = await bench.begun(begin)
            figures.say(f"begun: {found['begun']}")
            return found, at.described
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(size: str, folder: Path) -> Result:
    """`folder` is for compiled programs; this benchmark has none."""
    found, described = asyncio.run(measured(size))
    return judged(found, described, SIZES[size][1])


def judged(found: Mapping[str, Any], described: str, count: int) -> Result:
    result = Result("operator", ["side", "topics/s", "seconds", "RSS MB"])
    for side in (OPERATOR, BARE, BATCHED, API):
        runs = found[side]
        cells = [figures.spread(runs, key).text(d) if key in runs[0] else "" for key, d in _CELLS]
        result.rows.append([side, *cells])
        result.runs += [{"side": side, **run} for run in runs]
    for life in found["life"]:
        steps = ", ".join(f"{step} {life[step]:.2f} s" for step in ("create", "modify", "delete"))
        result.rows.append([f"{life['count']}: {steps}", "", "", f"{life['rss_mb']:.0f}"])
        result.runs.append({"side": "life", **life})
    steady = found["steady"]
    result.runs.append({"side": "steady", **steady})
    ratio = figures.ratios(found[OPERATOR], found[BARE], "per_second")
    batched = figures.ratios(found[OPERATOR], found[BATCHED], "per_second")
    begun = found["begun"]
    result.runs.append({"side": "begun", **begun})
    result.rows.append(
        [
            f"{begun['count']} at its start",
            f"{begun['per_second']:.0f}",
            f"{begun['seconds']:.2f}",
            f"{begun['rss_mb']:.0f}",
        ]
    )
    most = max([steady["rss_mb"], begun["rss_mb"], *(run["rss_mb"] for run in found[OPERATOR])])
    result.bars = [
        Bar(f"{count} new topics to Ready, of a bare AdminClient's rate", ratio.median, 0.7, most=False, unit="x"),
        Bar("of its rate in calls of 100", batched.median, 0.7, most=False, unit="x", stretch=True),
        Bar("writes to Kubernetes in two passes without drift", steady["kubernetes_writes"], 0),
        Bar("writes to Kafka in them", steady["kafka_writes"], 0),
        Bar("such a pass", steady["pass_seconds"], 3, unit=" s"),
        Bar("one edit to Ready, p95", steady["edit_p95_ms"], 500, unit=" ms"),
        Bar("memory", most, 150, unit=" MB"),
        Bar(f"times it was not live with {begun['count']} resources at its start", begun["not_live"], 0),
        Bar(f"keys in its queue meanwhile ({QUEUE} would end it)", begun["queue"], begun["count"] + 1),
    ]
    posted = Spread.of([run["posted"] for run in found[OPERATOR]])
    alone = figures.ratios(found[OPERATOR], found[API], "per_second")
    result.notes += [
        f"Kubernetes: {described}, on the same CPUs as the operator, the broker and this program",
        f"{count} topics of one partition, {IN_FLIGHT} requests in flight; sending them took {posted.text()} s of it",
        "the bare side makes one topic, waits until it is described with a leader, and makes the next",
        f"run by run, to the bare AdminClient {ratio.text()}; in calls of 100 {batched.text()}; to the API server "
        f"alone (a create and one patch of each status, no Kafka, no operator) {alone.text()}",
    ]
    if "emulated" in described:
        result.faults.append("no real Kubernetes API was there: set KUBECONFIG, or put etcd and kube-apiserver on PATH")
    return result


_CELLS = (("per_second", 0), ("seconds", 2), ("rss_mb", 0))


if __name__ == "__main__":
    sys.exit(program.main("operator", measure))

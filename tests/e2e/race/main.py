"""`make e2e NAME=race`: the races that the log must survive, forced on real engines with real processes.

Each one is also shown to bite where the protection is taken away: a relay by id loses a late commit, row locks instead
of advisory ones put seq and xid out of order. Exits 1 when a race is lost, or when a mistake goes uncaught.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))

import clients
import httpx
import orjson
from batches import POST, command
from places import Place, until
from rig import REPLAY_PROFILE, Platform, say

from signalink_core import principals
from signalink_core.client import ApiClient, ClientError, SocketClient
from signalink_core.events import Position
from signalink_core.settings import PostgresSettings

POSTS, CALLERS = 200, 8
HELD_SECONDS, SETTLE_SECONDS, SHOWN_SECONDS = 10.0, 60.0, 2.0
STORM_CLIENTS, STORM_CHANNELS = 16, 3
ROUNDS = {"small": 60, "full": 400}
PASSWORD = "correct horse battery staple"
ROW_LOCKS = """
CREATE OR REPLACE FUNCTION messaging.lock_channels(wanted uuid[], wait boolean) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM messaging.channels WHERE id = ANY (wanted) ORDER BY id FOR UPDATE;
    PERFORM set_config('signalink.locked', wanted::text, true);
    RETURN wanted;
END $$
"""
INVERSIONS = """
SELECT count(*) AS rows, count(*) FILTER (WHERE seq < highest) AS inverted FROM (
    SELECT seq, max(seq) OVER (PARTITION BY channel_id ORDER BY epoch, xid, id) AS highest
    FROM messaging.events WHERE channel_id = ANY ($1)
) s
"""


class Person:
    """An account with its own channel."""

    def __init__(self, platform: Platform, http: httpx.AsyncClient) -> None:
        self.name = f"race-{uuid4().hex[:10]}"
        self.client = ApiClient(platform.urls["api"], http=http)
        self.channel = ""

    async def begin(self) -> "Person":
        await self.client.register(self.name, f"{self.name}@example.org", PASSWORD)
        await self.client.login(self.name, PASSWORD)
        self.channel = (await self.client.create_channel(self.name, "Race"))["id"]
        return self


# -- processes of a race -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def processes(orders: Sequence[dict[str, Any]]) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """All started, connected and waiting for `go`; none is left behind."""
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(sys.executable, clients.__file__, stdin=pipe, stdout=pipe) for _ in orders
    ]
    try:
        answers = await asyncio.gather(*(ask(one, order) for one, order in zip(started, orders, strict=True)))
        if not all(answer.get("ready") for answer in answers):
            raise RuntimeError(f"a process did not get ready: {answers}")
        yield started
    finally:
        for one in started:
            with suppress(ProcessLookupError):
                one.kill()
            await one.wait()


async def ask(process: asyncio.subprocess.Process, order: Any, within: float = 120.0) -> dict[str, Any]:
    """One line in, one line out."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(orjson.dumps(order) + b"\n")
    await process.stdin.drain()
    answer = await asyncio.wait_for(process.stdout.readline(), within)
    return orjson.loads(answer or b"{}")  # type: ignore[no-any-return]


def account(settings: PostgresSettings) -> dict[str, str]:
    return {"dsn": settings.dsn, "password_file": str(settings.password_file)}


# -- the races ---------------------------------------------------------------------------------------------------------


async def seqs(platform: Platform, http: httpx.AsyncClient) -> tuple[bool, str]:
    """200 posts at once to one channel."""
    person = await Person(platform, http).begin()
    posted = await asyncio.gather(*(person.client.post_message(person.channel, f"{n}") for n in range(POSTS)))
    found = sorted(one.seq for one in posted)
    return found == list(range(1, POSTS + 1)), f"{POSTS} posts at once are seq {found[0]}..{found[-1]}"


async def once(platform: Platform, http: httpx.AsyncClient) -> tuple[bool, str]:
    """The same client_id from eight processes."""
    person = await Person(platform, http).begin()
    order = {"part": "post", "api": platform.urls["api"], "username": person.name, "password": PASSWORD}
    order |= {"channel": person.channel, "client_id": "the-same", "body": "once"}
    async with processes([order] * CALLERS) as started:
        answers = await asyncio.gather(*(ask(one, "go") for one in started))
    created = sum(not answer.pop("replayed", True) for answer in answers)
    events = (await person.client.events(person.channel))["events"]
    equal = all(answer == answers[0] for answer in answers) and answers[0].get("seq") == 1
    ok = equal and len(events) == 1 and created >= 1
    return ok, f"{CALLERS} processes, one key: {len(events)} row, equal answers: {equal}, said to be new: {created}"


async def late(place: Place) -> tuple[int, int, int]:
    """A transaction stays open for 10 s while others commit: (events, lost in Kafka, posts meanwhile)."""
    owner = await place.user()
    held, other = [await place.channel(owner, shard=5) for _ in range(2)]
    slow, api = await place.slow_connection(), await place.connect("api")
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(POST, command(owner, held))
    ends, meanwhile = time.monotonic() + HELD_SECONDS, 0
    while time.monotonic() < ends:
        await api.execute(POST, command(owner, other))
        meanwhile += 1
        await asyncio.sleep(0.05)
    await transaction.commit()
    await api.execute(POST, command(owner, other))
    for connection in (slow, api):
        await connection.close()
    logged = await place.logged()

    async def complete() -> bool:
        return logged <= {event for event, _, _ in await place.relayed()}

    whole = await until(complete, SETTLE_SECONDS if not place.prefix.startswith("by-id") else 10.0)
    missing = logged - {event for event, _, _ in await place.relayed()}
    return len(logged), 0 if whole else len(missing), meanwhile


async def late_commit(platform: Platform) -> tuple[bool, str]:
    """With the platform's own relay process."""
    events, lost, meanwhile = await late(Place(platform))
    ok = lost == 0 and meanwhile > 50
    return ok, f"open for {HELD_SECONDS:.0f} s while {meanwhile} others committed: {lost} of {events} lost in Kafka"


async def late_commit_by_id(platform: Platform) -> tuple[bool, str]:
    """The same check on a relay that reads `id > last`, and on the product's beside it, so that only that differs."""
    lost = {}
    for variant in clients.RELAYS:
        place = await Place(platform, f"race_{variant.replace('-', '_')}", f"{variant}.").make()
        kafka = place.kafka("relay").model_dump(mode="json")
        order = {"part": "relay", "variant": variant, "postgres": account(place.postgres("relay")), "kafka": kafka}
        async with processes([order]):
            _, lost[variant], _ = await late(place)
    return lost["by-id"] > 0 == lost["product"], f"the same with a relay by id: {lost} lost (by-id must lose)"


async def order(platform: Platform, rounds: int, *, row_locks: bool) -> tuple[int, int]:
    """16 processes write to three channels: (events, out of order)."""
    place = await Place(platform, f"race_{'rows' if row_locks else 'locks'}", "order.").make()
    owner = await place.user()
    channels = [await place.channel(owner, shard=9) for _ in range(STORM_CHANNELS)]
    admin = await place.connect(principals.ADMIN)
    if row_locks:
        await admin.execute(ROW_LOCKS)
    orders = [
        {"part": "storm", "owner": owner, "channels": channels, "rounds": rounds, "seed": n}
        | {"postgres": account(place.postgres("api"))}
        for n in range(STORM_CLIENTS)
    ]
    async with processes(orders) as started:
        await asyncio.gather(*(ask(one, "go") for one in started))
    row = await admin.fetchrow(INVERSIONS, channels)
    await admin.close()
    return row["rows"], row["inverted"]


async def xids(platform: Platform, rounds: int) -> tuple[bool, str]:
    """With the channel locks, and with row locks alone."""
    rows, inverted = await order(platform, rounds, row_locks=False)
    without, bitten = await order(platform, rounds, row_locks=True)
    text = f"{inverted} of {rows:,} out of order with the locks, {bitten} of {without:,} with row locks alone"
    return inverted == 0 and rows > 0 and bitten > 0, f"{STORM_CLIENTS} processes: {text} (which must be > 0)"


async def shown(platform: Platform, http: httpx.AsyncClient) -> tuple[bool, str]:
    """The api dies between commit and publish, Kafka is down, the channel then quiet: a reader sees it all the same."""
    person = await Person(platform, http).begin()
    await person.client.post_message(person.channel, "before")
    seen: dict[int, float] = {}

    def take(raw: bytes) -> None:
        frame = orjson.loads(raw)
        if frame["op"] == "event":
            seen.setdefault(frame["seq"], time.monotonic())

    origin = platform.urls["api"]  # the reader comes from the page that the api serves

    async def ticket() -> str:
        return await person.client.ticket(origin)

    reader = SocketClient(platform.urls["gateway"], ticket, on_frame=take, origin=origin, proxy=False)
    async with reader:
        await reader.subscribe({person.channel: Position(1, 0)})
        if not await until(lambda: answer(1 in seen), SETTLE_SECONDS):
            raise RuntimeError(f"the reader never saw the first message: {reader.ended}")
        kafka = await asyncio.to_thread(platform.process, "kafka")
        await asyncio.to_thread(platform.fault, "api-0", point="api.post.after_commit", action="crash", count=1)
        os.kill(kafka["pid"], signal.SIGKILL)
        outcome = await attempt(person)
        died = time.monotonic()
        await until(lambda: answer(2 in seen), SETTLE_SECONDS)
        kafka_down = not listens(platform.kafka("relay").bootstrap)
    seconds = seen.get(2, float("inf")) - died
    await until(lambda: back(platform, kafka["pid"]), 90.0)
    again = await person.client.post_message(person.channel, "the last words", client_id="last", attempts=20)
    ok = outcome == "unknown" and seconds <= SHOWN_SECONDS and kafka_down and again.replayed and again.seq == 2
    text = f"shown {seconds:.2f} s after the api died (bar 2), Kafka down then: {kafka_down}"
    return ok, f"killed between commit and publish: {text}; repeated it is a replay: {again.replayed}"


async def attempt(person: Person) -> str:
    try:
        await person.client.post_message(person.channel, "the last words", client_id="last", attempts=1)
    except ClientError as error:
        return "unknown" if type(error).__name__ == "OutcomeUnknown" else str(error)
    return "answered"


async def answer(value: bool) -> bool:
    return value


async def back(platform: Platform, kafka_pid: int) -> bool:
    return await asyncio.to_thread(lambda: platform.back("kafka", kafka_pid) and platform.back("api-0", -1))


def listens(address: str) -> bool:
    parts = urlsplit(f"//{address}")
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((parts.hostname, parts.port)) == 0


async def program(platform: Platform, rounds: int, only: str) -> bool:
    async with httpx.AsyncClient(timeout=15, limits=httpx.Limits(max_connections=POSTS), trust_env=False) as http:
        races: dict[str, Callable[[], Awaitable[tuple[bool, str]]]] = {
            "seqs": lambda: seqs(platform, http),
            "once": lambda: once(platform, http),
            "late_commit": lambda: late_commit(platform),
            "late_commit_by_id": lambda: late_commit_by_id(platform),
            "xids": lambda: xids(platform, rounds),
            "shown": lambda: shown(platform, http),
        }
        results = []
        for name in [only] if only else races:
            began = time.monotonic()
            fine, text = await races[name]()
            results.append(fine)
            say(f"{'ok    ' if fine else 'MISSED'} {text} [{time.monotonic() - began:.1f} s]")
    ok = all(results)
    platform.keep |= not ok
    say(f"race: {sum(results)} of {len(results)} races won (bar {len(results)}) {'ok' if ok else 'missed'}")
    return ok


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=ROUNDS, default="small")
    parser.add_argument("--seed", type=int, default=1, help="unused: what races is the scheduling")
    parser.add_argument("--only", default="", help="one race by the name of its function")
    chosen = parser.parse_args()
    with Platform(REPLAY_PROFILE, faults=True) as platform:
        return 0 if asyncio.run(program(platform, ROUNDS[chosen.size], chosen.only)) else 1


if __name__ == "__main__":
    sys.exit(main())

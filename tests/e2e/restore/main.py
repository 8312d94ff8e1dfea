"""`make e2e NAME=restore`: a backup out of a cluster and back into it, while somebody's socket stays open.

People post, a backup is written, they post more; `signalink restore` is killed by SIGKILL when its writers are stopped,
and run again. Then the posts of the backup are there and the later ones gone; the socket is told `gap` and goes on; the
log is without holes; analytics counts each event once. At last `--before` and `--after`, as around the tools of a
Postgres outside. Takes what cluster.py says; what it installed it removes.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "exactly-once"))

import figures
import orjson
from cluster import Ground, Missed, proved
from clusterplace import ClusterPlace
from conversation import PASSWORD
from rig import COMMAND, say

from signalink_core.client import ApiClient, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually
from signalink_stacks.clusters import plan, restoring, writers
from signalink_stacks.clusters.server import Server
from signalink_stacks.clusters.writers import Namespace

SIZES = {"small": 40, "full": 1000}
"""Messages of each of the three parts: before the backup, after it, after the restore."""
COMMAND_SECONDS = 900.0
SETTLE_SECONDS = 180.0


class Command:
    """`signalink` with the options that name the cluster, JSON answers only."""

    def __init__(self, ground: Ground) -> None:
        self._options = ["--target=existing", f"--context={ground.access.context}", f"--namespace={ground.namespace}"]
        self._options += [f"--kubeconfig={os.environ['KUBECONFIG']}", "--json"]

    def words(self, *words: str) -> list[str]:
        return [str(COMMAND), *words, *self._options]

    def __call__(self, *words: str) -> dict[str, Any]:
        began = time.monotonic()
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        if done.returncode:
            raise Missed(f"signalink {' '.join(words)} exited {done.returncode}: {(done.stderr + done.stdout)[-2000:]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        say(f"signalink {words[0]} {' '.join(words[2:])}: {time.monotonic() - began:.0f} s")
        return answer


@dataclass
class Reader:
    """What one socket was told of one channel."""

    channel: str
    events: list[tuple[int, int, str]] = field(default_factory=list)
    """Epoch, seq and id, in the order of arrival."""
    gaps: list[Position] = field(default_factory=list)

    def frame(self, raw: bytes) -> None:
        told = orjson.loads(raw)
        if told["op"] == "gap" and told["channel"] == self.channel:
            self.gaps.append(Position(**told["position"]))

    def event(self, told: Any) -> None:
        if told["channel"] == self.channel and "body" in told["data"]:
            self.events.append((told["epoch"], told["seq"], str(told["data"]["body"])))


class Story:
    """Ada posts, Bob's socket stays open throughout."""

    def __init__(self, place: ClusterPlace, ada: ApiClient, bob: ApiClient, channel: str) -> None:
        self.place, self.ada, self.channel = place, ada, channel
        self.reader = Reader(channel)
        self.socket = SocketClient(
            place.urls["gateway"],
            lambda: bob.ticket(place.urls["api"]),
            on_frame=self.reader.frame,
            on_event=self.reader.event,
            origin=place.urls["api"],
        )

    async def post(self, part: str, count: int) -> list[str]:
        """Wait until the socket has shown them; their bodies."""
        bodies = [f"{part} {number}" for number in range(count)]
        last = None
        for body in bodies:
            last = await self.ada.post_message(self.channel, body, attempts=10)
        assert last is not None
        wanted = Position(epoch=last.epoch, seq=last.seq)
        await until(lambda: (at := self.socket.position(self.channel)) is not None and at >= wanted,
                    f"the socket never came to {wanted}")  # fmt: skip
        return bodies

    async def log(self) -> tuple[int, list[int], list[str]]:
        """Epoch, seqs and the bodies of messages, as the api has them."""
        seqs, bodies, epoch = list[int](), list[str](), 0
        while True:
            page = await self.ada.events(self.channel, after=seqs[-1] if seqs else 0)
            epoch = page["epoch"]
            if not page["events"]:
                return epoch, seqs, bodies
            seqs += [event["seq"] for event in page["events"]]
            bodies += [event["data"]["body"] for event in page["events"] if "body" in event["data"]]


async def until(condition: Any, otherwise: str, within: float = SETTLE_SECONDS) -> None:
    try:
        await eventually(condition, within=within, every=0.3)
    except AssertionError as error:
        raise Missed(otherwise) from error


def killed_in_the_middle(command: Command, ground: Ground, file: Path) -> None:
    """SIGKILL as soon as all that writes is stopped."""
    namespace = Namespace(ground.access, ground.namespace)
    words = command.words("restore", str(file), "--yes")
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    ends = time.monotonic() + COMMAND_SECONDS
    while not all(each.noted for each in writers.found(namespace)):
        if process.poll() is not None or time.monotonic() > ends:
            raise Missed(f"the restore that was to be killed ended before (exit {process.poll()})")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    left = [each.called for each in writers.found(namespace) if each.kind != "CronJob" and each.replicas == 0]
    say(f"killed with {len(left)} writers stopped: {', '.join(left)}")


async def proof(place: ClusterPlace, count: int) -> str:
    ground, command = place.ground, Command(place.ground)
    async with ApiClient(place.urls["api"]) as ada, ApiClient(place.urls["api"]) as bob:
        for client, name in ((ada, "ada"), (bob, "bob")):
            await client.register(name, f"{name}@example.org", PASSWORD)
            await client.login(name, PASSWORD)
        channel = str((await ada.create_channel("restored", "Restored"))["id"])
        await bob.join(channel)
        story = Story(place, ada, bob, channel)
        async with story.socket:
            await story.socket.subscribe({channel: Position(epoch=1, seq=0)})
            return await told(story, ground, command, count)


async def told(story: Story, ground: Ground, command: Command, count: int) -> str:
    kept = await story.post("kept", count)
    file = story.place.folder / "monday.dump"
    written = await asyncio.to_thread(command, "backup", str(file))
    lost = await story.post("lost", count)
    say(f"a backup of {written['bytes'] / 1000:.0f} kB, then {count} further messages, which the socket has shown")

    await asyncio.to_thread(killed_in_the_middle, command, ground, file)
    done = await asyncio.to_thread(command, "restore", str(file), "--yes")
    if done["epoch"] != 2 or not done["started"]:
        raise Missed(f"the restore says {done}")
    await until(lambda: story.reader.gaps, "the socket was never told of a gap")
    fresh = await story.post("new", count)
    await judged(story, ground, 2, kept, lost, fresh)

    stopped = (await asyncio.to_thread(command, "restore", "--before"))["stopped"]
    done = await asyncio.to_thread(command, "restore", "--after")
    if done["epoch"] != 3 or not set(done["started"]) <= set(stopped):
        raise Missed(f"--before says {stopped}, --after says {done}")
    await until(lambda: len(story.reader.gaps) > 1, "the socket was never told of the second gap")
    more = await story.post("after", count)
    await judged(story, ground, 3, kept, lost, [*fresh, *more])
    return (
        f"{len(kept)} messages of the backup are there and {len(lost)} later ones gone after a SIGKILL in the middle, "
        f"the socket had {len(story.reader.gaps)} gaps and every message once, analytics counts each event once"
    )


async def judged(
    story: Story, ground: Ground, epoch: int, kept: Sequence[str], lost: Sequence[str], fresh: Sequence[str]
) -> None:
    """The log, the socket and the figures of analytics."""
    now, seqs, bodies = await story.log()
    if now != epoch or seqs != list(range(1, len(seqs) + 1)):
        raise Missed(f"the log is at epoch {now} instead of {epoch}, or has holes: {seqs[:10]} ... {len(seqs)} events")
    if bodies != [*kept, *fresh]:
        raise Missed(f"the log has {len(bodies)} messages instead of {len(kept)} + {len(fresh)}: {bodies[-3:]}")
    shown = [body for _, _, body in story.reader.events]
    places = [(at, seq) for at, seq, _ in story.reader.events]
    if sorted(shown) != sorted([*kept, *lost, *fresh]) or places != sorted(set(places)):
        raise Missed(f"the socket showed {len(shown)} messages, {len(set(shown))} different, or out of order")
    server = restoring.server(Namespace(ground.access, ground.namespace), "")
    wrong: list[str] = []

    async def same() -> bool:
        wrong[:] = await asyncio.to_thread(differences, server)
        return not wrong

    try:
        await eventually(same, within=SETTLE_SECONDS, every=2.0)
    except AssertionError as error:
        raise Missed(f"the figures of analytics are not those of the log: {wrong[:5]}") from error
    say(f"epoch {epoch}: {len(seqs)} events without a hole, {len(shown)} messages on the socket, the figures agree")


def differences(server: Server) -> list[str]:
    """Lines that the figures of analytics or a count over the log lack."""
    each = [server.query(statement, server.database) for statement in figures.statements().values()]
    return [line for text in each for line in text.splitlines()]


def program(count: int, keep: bool) -> str:
    place = ClusterPlace("restore", 1)
    ground = place.ground
    try:
        ground.cluster("apply", "-f", "-", given=plan.install(ground.wishes, ground.access, ground.built)[0].given)
        place.open_doors()
        ground.install()
        return asyncio.run(proof(place, count))
    finally:
        if not keep:
            ground.remove()
            shutil.rmtree(place.folder)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, help="nothing here is left to chance")
    parser.add_argument("--keep", action="store_true", help="leave the release and the backup there")
    options = parser.parse_args()
    return proved("restore", lambda: program(SIZES[options.size], options.keep))


if __name__ == "__main__":
    sys.exit(main())

"""`make e2e NAME=up`: a fresh clone with empty caches, `make up` cold and warm, one message, the end, and bad input.

Owns the bars of the local target: cold <= 300 s (downloads included), warm <= 20 s, total PSS <= 3 GB, `down` <= 25 s
and nothing left behind. Every case is a real run of the clone's own `make` and `signalink`. Exit 1 when one fails.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bad_input  # noqa: E402
import clone  # noqa: E402
import message  # noqa: E402
from clone import Clone, Failed, expect, say  # noqa: E402
from leftovers import Footprint  # noqa: E402

COLD_SECONDS, WARM_SECONDS, PSS_BYTES, DOWN_SECONDS = 300.0, 20.0, 3 * 2**30, 25.0
VICTIMS = ("api-0", "gateway-0", "relay-0", "valkey", "kafka", "postgres")
BACK_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="full", help="full: three warm starts")
    parser.add_argument("--seed", type=int, default=1, help="which two children are killed")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="signalink-up-"))
    figures = Figures()
    try:
        Proof(clone.make(folder), figures, random.Random(options.seed)).run(3 if options.size == "full" else 1)
        passed = figures.within_bars()
    except (Failed, TimeoutError, OSError) as error:
        say(f"FAILED: {error}")
        passed = False
    finally:
        clone.take_down(folder)
        shutil.rmtree(folder, ignore_errors=True)
    say(f"up: {figures} {'ok' if passed else 'missed'}")
    return 0 if passed else 1


class Figures:
    """What was measured: seconds and bytes; None where it never came to that."""

    def __init__(self) -> None:
        self.cold: float | None = None
        self.warm: list[float] = []
        self.down: list[float] = []
        self.pss: list[int] = []

    def within_bars(self) -> bool:
        return (
            self.cold is not None
            and self.cold <= COLD_SECONDS
            and 0 < max(self.warm, default=0) <= WARM_SECONDS
            and 0 < max(self.pss, default=0) <= PSS_BYTES
            and 0 < max(self.down, default=0) <= DOWN_SECONDS
        )

    def __str__(self) -> str:
        cold = "never" if self.cold is None else f"{self.cold:.1f} s"
        return (
            f"cold {cold}, warm {max(self.warm, default=0):.1f} s, PSS {max(self.pss, default=0) / 2**20:.0f} MB, "
            f"down {max(self.down, default=0):.1f} s (bar cold <= {COLD_SECONDS:.0f} s, warm <= {WARM_SECONDS:.0f} s, "
            f"PSS <= {PSS_BYTES // 2**20} MB, down <= {DOWN_SECONDS:.0f} s)"
        )


class Proof:
    """The cases in order, on one clone."""

    def __init__(self, place: Clone, figures: Figures, chance: random.Random) -> None:
        self.place = place
        self.figures = figures
        self.chance = chance
        self.footprint = Footprint()

    def run(self, warm_starts: int) -> None:
        self.figures.cold = self._up("cold")
        words = self.place.status()
        posted = asyncio.run(message.post_and_read(words["urls"]))
        say(f"message {posted.seq} of channel {posted.channel_id} posted and read over REST and a socket")
        self._second_up_finds_the_first(words)
        self._killed_children_come_back()
        self._down()
        for number in range(warm_starts):
            self.figures.warm.append(self._up(f"warm {number + 1}"))
            asyncio.run(message.is_still_there(self.place.status()["urls"], posted))
            say("the old message is there")
            self._down()
        bad_input.run_all(self.place)

    def _up(self, name: str) -> float:
        began = time.monotonic()
        done = self.place.make("up", "UP=--ports free", within=COLD_SECONDS * 2)
        seconds = time.monotonic() - began
        for line in done.stdout.splitlines():
            say(f"  | {line}")
        expect(done.returncode == 0, f"make up exited {done.returncode}: {done.stderr[-2000:]}")
        status = self.place.status()
        expect(bool(status["healthy"]), f"not healthy: {status['processes']}")
        expect({"api", "gateway"} <= status["urls"].keys(), f"no addresses: {status['urls']}")
        self.figures.pss.append(status["total_pss"])
        say(
            f"{name}: make up took {seconds:.1f} s, total PSS {status['total_pss'] / 2**20:.0f} MB, {status['engines']}"
        )
        return seconds

    def _second_up_finds_the_first(self, words: dict[str, object]) -> None:
        again = self.place.signalink("up")
        expect(again.returncode == 0, f"the second up exited {again.returncode}: {again.stderr}")
        expect("is up already" in again.stdout, f"the second up says: {again.stdout}")
        expect(clone.pids_of(self.place.status()) == clone.pids_of(words), "the second up started something")
        say("a second up finds the first")

    def _killed_children_come_back(self) -> None:
        for name in self.chance.sample(VICTIMS, 2):
            self.footprint.add(self.place.pids(), self.place.ports())
            pid = self.place.kill(name)
            began = time.monotonic()
            while not self.place.is_back(name, pid):
                expect(time.monotonic() - began < BACK_SECONDS, f"{name} did not come back")
            events = [str(event["what"]) for event in self.place.status()["events"] if event["process"] == name]
            expect("killed by SIGKILL" in " ".join(events), f"nobody reported the death of {name}: {events}")
            say(f"{name} was killed and was ready again after {time.monotonic() - began:.1f} s: {events[0]}")

    def _down(self) -> None:
        self.footprint.add(self.place.pids(), self.place.ports())
        began = time.monotonic()
        done = self.place.make("down", within=120)
        seconds = time.monotonic() - began
        expect(done.returncode == 0, f"make down exited {done.returncode}: {done.stderr}")
        self.footprint.expect_gone()
        self.figures.down.append(seconds)
        count = f"{len(self.footprint.processes)} processes and {len(self.footprint.ports)} ports"
        say(f"down took {seconds:.1f} s; of {count} nothing is left")
        self.footprint = Footprint()


if __name__ == "__main__":
    os.environ.pop("SIGNALINK_STATE", None)
    sys.exit(main())

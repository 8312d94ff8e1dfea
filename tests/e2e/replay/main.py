"""`make e2e NAME=replay`: real texts by real authors through the whole platform; log = Kafka = every reader's socket.

The changelogs of the installed Debian packages are posted by 50 clients at a time while 20 sockets follow all channels;
then once more with a tenth of the Redis publishes dropped. Exits 1 when something falls short, 2 without changelogs.
"""

import argparse
import asyncio
import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import corpus
from crowd import People, passes
from rig import REPLAY_PROFILE, Platform, concluded, say
from stage import READERS, Stage

SIZES = {"small": (2_000, 40, 60), "full": (20_000, 480, 700)}
"""Messages, and at most so many channels and authors; a socket may follow 500 channels."""
DROP_RATE = 0.1
FAULT_SECONDS = 900


async def run(
    platform: Platform, people: People, entries: list[corpus.Entry], *, name: str, messages: int, drop: bool
) -> tuple[bool, str]:
    """Answer whether the run is as it must be, and its figure."""
    say(f"== {name}: {messages:,} messages" + (f", {DROP_RATE:.0%} of the publishes dropped" if drop else ""))
    healed = platform.metric("gateway-0", "signalink_ws_gaps_healed_total")
    async with Stage(platform, people, entries, run=name) as stage:
        await stage.open()
        if drop:
            fault = {"point": "api.publish", "action": "drop", "rate": DROP_RATE, "seed": 1}
            platform.fault("api-0", **fault, ttl_seconds=FAULT_SECONDS)
        try:
            await stage.play(islice(passes(entries, name), messages))
        finally:
            if drop:
                platform.end_faults("api-0")
        outcome = await stage.settle(messages)
    healed = platform.metric("gateway-0", "signalink_ws_gaps_healed_total") - healed
    posted = outcome.acknowledged == messages
    again = outcome.connects - READERS
    say(f"{name}: gaps healed by the gateway: {healed:.0f}; sockets that had to reconnect: {again}")
    ok = outcome.clean and posted and (healed > 0 if drop else True)
    figure = f"{name} {outcome.acknowledged:,} of {messages:,}, {len(outcome.report.findings)} findings"
    return ok, figure + (f", {healed:.0f} healed" if drop else "")


async def program(chosen: argparse.Namespace, platform: Platform, entries: list[corpus.Entry]) -> bool:
    messages = SIZES[chosen.size][0]
    results = []
    async with People(platform.urls["api"]) as people:
        if chosen.only != "drop":
            results.append(await run(platform, people, entries, name="plain", messages=messages, drop=False))
        if chosen.only != "plain":
            results.append(await run(platform, people, entries, name="dropped", messages=messages, drop=True))
    ok = all(fine for fine, _ in results)
    bar = f"bar: all {messages:,} posted, log = Kafka = {READERS} sockets in order, once; healed > 0 with drops"
    platform.keep |= not ok
    say(f"replay: {'; '.join(figure for _, figure in results)} ({bar}) {'ok' if ok else 'missed'}")
    return ok


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1, help="chooses the channels of a small run")
    phases = parser.add_mutually_exclusive_group()
    phases.add_argument("--drop-publishes", dest="only", action="store_const", const="drop", help="only that phase")
    phases.add_argument("--plain", dest="only", action="store_const", const="plain", help="only that phase")
    parser.add_argument("--keep", action="store_true", help="keep histories and logs also when all is well")
    chosen = parser.parse_args()
    messages, channels, authors = SIZES[chosen.size]
    try:
        entries = corpus.chosen(corpus.entries(), channels=channels, authors=authors, seed=chosen.seed)
    except corpus.NoCorpus as missing:
        say(f"replay: cannot run: {missing}. Run it on a Debian or Ubuntu with its package documentation.")
        return 2
    say(
        f"{len(entries):,} unique entries of {len({entry.channel for entry in entries})} source packages by "
        f"{len({entry.author for entry in entries})} maintainers, {messages / len(entries):.1f} passes for {messages:,}"
    )

    def with_platform() -> bool:
        with Platform(REPLAY_PROFILE, faults=True) as platform:
            platform.keep = chosen.keep
            return asyncio.run(program(chosen, platform, entries))

    return concluded("replay", with_platform)


if __name__ == "__main__":
    sys.exit(main())

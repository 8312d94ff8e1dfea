"""What fault points that are off cost on the post path: calls per post, times their price, over the api's CPU per post.

The calls are counted by the product: a fault of rate nearly 0 at every point reports how often it was asked. One client
posts one message at a time, so no batch shares a call. Exits 1 above 1 %.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2] / "e2e"))

from corpus import Entry
from crowd import People
from rig import REPLAY_PROFILE, Platform, concluded, say

from signalink_core import faults

BAR_PERCENT = 1.0
POINTS = ("api.post.before_commit", "api.post.after_commit", "api.publish", "redis.command", "db.connect")
NEVER = 1e-12
CALLS = 200_000
ROUNDS = 5


async def price(calls: int) -> float:
    """Answer the seconds of one `await faults.point(...)` while no fault is set, the bare loop taken off."""
    began = time.process_time()
    for _ in range(calls):
        await faults.point("api.publish", channel="c", type="t")
    asked = time.process_time()
    for _ in range(calls):
        pass
    return (asked - began - (time.process_time() - asked)) / calls


async def post(people: People, entry: Entry, channel: str, run: str, messages: int) -> None:
    for number in range(messages):
        await people[entry.author].client.post_message(channel, entry.body, client_id=f"{run}-{number}")


async def program(platform: Platform, messages: int) -> bool:
    entry = Entry("faults", "bench@example.org", "a message of some forty characters, more or less")
    process = psutil.Process(platform.child("api-0").pid)
    used: list[float] = []
    async with People(platform.urls["api"]) as people:
        await people.enroll([entry.author])
        channel = (await people[entry.author].client.create_channel("faults", "faults"))["id"]
        await post(people, entry, channel, "warm", messages // 4)
        for number in range(ROUNDS):
            before = sum(process.cpu_times()[:2])
            await post(people, entry, channel, f"round-{number}", messages)
            used.append((sum(process.cpu_times()[:2]) - before) / messages)
        for point in POINTS:
            platform.fault("api-0", point=point, action="drop", rate=NEVER, ttl_seconds=600)
        await post(people, entry, channel, "counted", messages)
        calls = sum(fault["calls"] for fault in platform.faults("api-0")) / messages
        platform.end_faults("api-0")
    prices = [await price(CALLS) for _ in range(ROUNDS)]
    cpu, each = statistics.median(used), statistics.median(prices)
    percent = 100 * calls * each / cpu
    ok = calls >= 3 and percent <= BAR_PERCENT
    say(f"cpu of the api per post {cpu * 1e6:.0f} us ({min(used) * 1e6:.0f}..{max(used) * 1e6:.0f})")
    say(f"a point that is off {each * 1e9:.0f} ns ({min(prices) * 1e9:.0f}..{max(prices) * 1e9:.0f})")
    say(f"faults: {calls:.1f} calls a post cost {percent:.2f} % (bar <= {BAR_PERCENT:g} %) {'ok' if ok else 'missed'}")
    return ok


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000, help="posts of each of the five rounds")
    chosen = parser.parse_args()

    def with_platform() -> bool:
        with Platform(REPLAY_PROFILE, faults=True) as platform:
            return asyncio.run(program(platform, chosen.messages))

    return concluded("faults", with_platform)


if __name__ == "__main__":
    sys.exit(main())

"""`make e2e NAME=exactly-once`: processes die at named points while people post; every message has its effect once.

Owns the order of the run and its bars: each death happened, nothing is twice or missing in the log, in the topics
and in what is made of them. Exits 1 when something falls short.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "notifications"))

import evidence
import figures
import judging
import telling
from crowd import People
from deaths import DEATHS, Reaper
from hush import Hush
from mailroom import Mailroom
from posts import WITH_WEBHOOK, Post, Posts
from rig import REPLAY_PROFILE, Platform, concluded, say

from signalink_core.kafka import reader
from signalink_core.testing import eventually

SIZES = {"small": (1_000, 1, 0.4), "full": (10_000, 3, 0.1)}
"""Fewest messages, how often the list of deaths is gone through, seconds between two posts of one poster."""
SCALE = {"analytics": 2, "notifications": 2}
DRAIN_SECONDS = 90.0
TOPICS = {"messages": "messaging", "analytics": "messaging", "notifications": "notifications"}
"""Topic -> the schema whose log goes there."""
WEBHOOK = (
    "INSERT INTO notifications.preferences (user_id, webhook_url, webhook_secret, webhook_set_at) "
    "VALUES ($1::text::uuid, $2, 'a secret', now())"
)
DELIVERIES = """
SELECT id, message_id, user_id, channel, state, reason, last_error, idempotency_key FROM notifications.deliveries
"""


@dataclass
class Run:
    """One run: who posts, who dies, and what is found wrong afterwards."""

    platform: Platform
    mailroom: Mailroom
    posts: Posts
    reaper: Reaper
    wrong: list[str] = field(default_factory=list)
    repeats: int = 0
    """What providers took again."""

    async def play(self, least: int, every: float) -> None:
        """People post until everybody who is to die has died, and at least so often."""
        await self.posts.open()
        for number in WITH_WEBHOOK:
            url = f"{self.mailroom.webhook.url}/of-{number}"
            await evidence.fetch(self.platform, WEBHOOK, self.posts.recipients[number].id, url)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.reaper.run())
            group.create_task(self.posts.post(self._more(least), every))
        say(
            f"{len(self.posts.answers):,} posts in {time.monotonic() - began:.0f} s, "
            f"{len(self.posts.wanted()):,} deliveries to make of them"
        )

    def _more(self, least: int) -> Iterator[Post]:
        for number, post in enumerate(self.posts.endless()):
            if self.reaper.done and number >= least:
                return
            yield post

    async def judge(self) -> None:
        await self._settled(
            "the figures of analytics are the count over the log", partial(figures.differences, self.platform)
        )
        await self._settled("everybody was told", self._deliveries)
        await self._log_and_topics()
        messages, late = await figures.counted(self.platform)
        say(f"analytics: {messages:,} messages counted, as many as a batch over the log; {late} events were late")
        self._providers(await evidence.fetch(self.platform, DELIVERIES))
        if strays := self.reaper.strays():
            self.wrong.append(f"restarted and was not to die, or the other way round: {strays}")

    async def _settled(self, what: str, findings: Callable[[], Awaitable[Sequence[str]]]) -> None:
        """Wait until there are no findings; what is left of them after that time is wrong."""
        last: Sequence[str] = []

        async def none() -> bool:
            nonlocal last
            last = await findings()
            return not last

        began = time.monotonic()
        try:
            await eventually(none, within=DRAIN_SECONDS, every=0.5)
        except AssertionError:
            self.wrong += last
        say(f"{what}: {len(last)} differences after {time.monotonic() - began:.1f} s")

    async def _published(self) -> Sequence[str]:
        schemas = sorted(set(TOPICS.values()))
        waiting = {schema: await evidence.pending(self.platform, schema) for schema in schemas}
        return [f"{count} events of {schema} are not in Kafka" for schema, count in waiting.items() if count]

    async def _deliveries(self) -> Sequence[str]:
        return telling.rows(await evidence.fetch(self.platform, DELIVERIES), self.posts.wanted())

    async def _log_and_topics(self) -> None:
        logs = {schema: await evidence.rows(self.platform, schema) for schema in set(TOPICS.values())}
        answers = {post.key: self.posts.answers.get(post.key) for post in self.posts.made}
        answered = {key: answer and (answer.id, answer.seq) for key, answer in answers.items()}
        found = judging.log(logs["messaging"], answered)
        say(f"log: {len(logs['messaging']):,} events, {len(found)} wrong")
        self.wrong += found
        await self._settled("that log is in Kafka", self._published)
        for name, schema in TOPICS.items():
            records = await reader.read_topic(self.platform.kafka("prober"), name)
            later = await evidence.rows(self.platform, schema)
            topic = judging.topic(
                name,
                records,
                [row["event_id"] for row in logs[schema] if row["topic"] == name],
                [row["event_id"] for row in later],
            )
            say(
                f"topic {name}: {topic.records:,} records, {topic.repeated:,} of them repeats that a dead relay left, "
                f"{len(topic.wrong)} wrong"
            )
            self.wrong += topic.wrong

    def _providers(self, deliveries: Sequence[judging.Row]) -> None:
        took, deaths = self.mailroom.taken(), self.reaper.after_calls()
        self.wrong += telling.taken(deliveries, took, deaths)
        self.repeats = sum(telling.repeats(counts) for counts in took.values())
        for way, counts in took.items():
            say(
                f"{way}: {len(counts):,} taken by the provider, {telling.repeats(counts)} of them once more under the "
                f"same key, for {deaths[way]} deaths between its yes and our record"
            )


async def run(platform: Platform, mailroom: Mailroom, size: str) -> bool:
    least, times, every = SIZES[size]
    async with People(platform.urls["api"]) as people:
        this = Run(platform, mailroom, Posts(people), Reaper(platform, Hush(platform, mailroom), DEATHS * times))
        await this.play(least, every)
    await this.judge()
    for line in this.wrong[:20]:
        say(f"WRONG {line}")
    died, wanted = this.reaper.happened, len(DEATHS) * times
    ok = not this.wrong and len(died) == wanted
    platform.keep |= not ok
    say(
        f"exactly-once: {len(this.posts.answers):,} messages, {len(died)} of {wanted} deaths by kill -9 at "
        f"{len({death.point for death in died})} points; {len(this.wrong)} lost, twice or miscounted in log, topics, "
        f"totals and deliveries (bar 0); providers saw {this.repeats} repeats, each under its key (bar "
        f"{this.reaper.after_calls().total()}) {'ok' if ok else 'missed'}"
    )
    return ok


def program(size: str) -> bool:
    with Mailroom() as mailroom, Platform(REPLAY_PROFILE | mailroom.settings, faults=True, scale=SCALE) as platform:
        return asyncio.run(run(platform, mailroom, size))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=1, help="taken and not used: nothing here is drawn")
    chosen = parser.parse_args()
    return concluded("exactly-once", lambda: program(chosen.size))


if __name__ == "__main__":
    sys.exit(main())

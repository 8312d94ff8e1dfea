"""Who posts what: authors in public and direct channels, with mentions of people who are not there.

Owns the people, their channels and every post with its answer. Nobody opens a socket, so whoever is written to directly
or mentioned is offline and has to be notified.
"""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crowd import People, Person, each
from telling import Told

from signalink_core.client.api import Posted

AUTHORS, RECIPIENTS, CHANNELS = 6, 12, 5
AT_ONCE = 8
ATTEMPTS = 30
WITH_DEVICE, WITH_WEBHOOK = range(5), range(3, 8)
"""Recipients who are told by these ways too; by e-mail are all."""
MENTION_EVERY, DIRECT_EVERY = 5, 7
"""Of so many posts one mentions a recipient, of so many one is direct."""


@dataclass(frozen=True)
class Post:
    """One post; `told` is who must be notified of it, for whatever reason."""

    key: str
    author: Person
    channel: str
    body: str
    told: str | None = None


@dataclass
class Posts:
    """The posts of one run. `answers`: client_id -> what the api said; every post is repeated until it has one."""

    people: People
    answers: dict[str, Posted] = field(default_factory=dict)
    made: list[Post] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    direct: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def authors(self) -> Sequence[Person]:
        return [self.people[f"author-{number}"] for number in range(AUTHORS)]

    @property
    def recipients(self) -> Sequence[Person]:
        return [self.people[f"recipient-{number}"] for number in range(RECIPIENTS)]

    async def open(self) -> None:
        """Everybody registers, joins every channel, and each author opens direct channels with some."""
        names = [f"author-{number}" for number in range(AUTHORS)]
        await self.people.enroll([*names, *(f"recipient-{number}" for number in range(RECIPIENTS))])
        owner = self.authors[0].client
        for number in range(CHANNELS):
            made = await owner.create_channel(f"once-{number}", f"Once {number}", history="all")
            self.channels.append(made["id"])
        others = [*self.authors[1:], *self.recipients]
        joins = list(itertools.product(self.channels, others))
        await each(joins, lambda join: join[1].client.join(join[0]), AT_ONCE)
        for number in WITH_DEVICE:
            await self.recipients[number].client.register_device(f"device-of-{number}", "phone")
        pairs = [(author, self.recipients[n % RECIPIENTS]) for n, author in enumerate(self.authors * 2)]
        await each(pairs, self._open_direct, AT_ONCE)

    async def _open_direct(self, pair: tuple[Person, Person]) -> None:
        author, recipient = pair
        self.direct[author.id, recipient.id] = (await author.client.open_direct(recipient.id))["id"]

    def wanted(self) -> set[Told]:
        """Every way in which somebody must be told of an answered post."""
        ways = {person.id: {"email"} for person in self.recipients}
        for number in WITH_DEVICE:
            ways[self.recipients[number].id].add("push")
        for number in WITH_WEBHOOK:
            ways[self.recipients[number].id].add("webhook")
        answered = [(post, self.answers[post.key]) for post in self.made if post.told and post.key in self.answers]
        return {Told(posted.id, told, way) for post, posted in answered if (told := post.told) for way in ways[told]}

    def endless(self) -> Iterator[Post]:
        """One post after the other; the same ones in every run."""
        pairs = itertools.cycle(sorted(self.direct.items()))
        by_id = {person.id: person for person in self.authors}
        for number in itertools.count():
            key, author = f"once-{number:06d}", self.authors[number % AUTHORS]
            if number % DIRECT_EVERY == 3:
                (author_id, recipient_id), channel = next(pairs)
                yield Post(key, by_id[author_id], channel, f"direct {number}", recipient_id)
                continue
            channel = self.channels[number % CHANNELS]
            if number % MENTION_EVERY == 1:
                recipient = self.recipients[number % RECIPIENTS]
                yield Post(key, author, channel, f"@{recipient.username} please look at {number}", recipient.id)
            else:
                yield Post(key, author, channel, f"plain {number}")

    async def post(self, posts: Iterator[Post], every: float) -> None:
        """Post them, some at a time, `every` seconds from one to the next of each poster."""

        async def one(post: Post) -> None:
            self.made.append(post)
            self.answers[post.key] = await post.author.client.post_message(
                post.channel, post.body, client_id=post.key, attempts=ATTEMPTS
            )
            await asyncio.sleep(every)

        await each(posts, one, AT_ONCE)

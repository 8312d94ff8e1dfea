"""Real authors who register, log in, open and join channels and post, through the public api alone.

Owns the people and the 50 posts at a time, and records every attempt before and after it. What readers saw and what
the stores hold is recorded by others.
"""

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from corpus import Entry

from signalink_core.client import ApiClient, ApiProblem, ClientError
from signalink_core.client.api import TIMEOUT
from signalink_labs.history import Recorder, event_fields, text_hash

T = TypeVar("T")
POSTERS = 50
JOINING = 25
READ_PAGE = 1_000
ENROLLING = 8
"""Registrations at a time: each costs the api a password hash."""
PLAIN_EMAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z]{2,20}")


@dataclass(frozen=True)
class Person:
    """One account with an open session."""

    id: str
    username: str
    password: str
    client: ApiClient


@dataclass(frozen=True)
class Message:
    """One post to come; `key` is its client_id."""

    key: str
    channel: str
    author: str
    body: str


async def each(items: Iterable[T], work: Callable[[T], Awaitable[Any]], at_once: int) -> None:
    """Run the work on every item, so many at a time; the first error ends it."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


class People:
    """Accounts with open sessions, by the name of the author or reader, spread over 50 connection pools.

    One pool of 50 connections kept 8 of them busy: httpcore gives an idle connection to several waiting requests.
    """

    def __init__(self, api_url: str) -> None:
        context = ssl.create_default_context()  # one for all pools: each would take tens of milliseconds
        self._pools = [httpx.AsyncClient(timeout=TIMEOUT, verify=context, trust_env=False) for _ in range(POSTERS)]
        self._url = api_url
        self._known: dict[str, Person] = {}
        self._begun = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools:
            await pool.aclose()

    def __getitem__(self, name: str) -> Person:
        return self._known[name]

    async def enroll(self, names: Iterable[str]) -> None:
        """Register and log in those who have no account yet."""
        await each(dict.fromkeys(name for name in names if name not in self._known), self._enroll, ENROLLING)

    async def _enroll(self, name: str) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()
        username = re.sub(r"[^a-z0-9]+", "-", name.split("@")[0].lower()).strip("-")[:20] + digest[:8]
        email = name if PLAIN_EMAIL.fullmatch(name) else f"{username}@example.org"
        password = f"correct horse {digest[8:24]}"
        client = ApiClient(self._url, http=self._pools[self._begun % POSTERS])
        self._begun += 1
        await client.register(username, email, password, name[:64])
        user = await client.login(username, password)
        self._known[name] = Person(str(user["id"]), username, password, client)


class Crowd:
    """The channels and posts of one run."""

    def __init__(self, people: People, recorder: Recorder, *, run: str, attempts: int) -> None:
        self.channels: dict[str, str] = {}
        """Name of the source package -> channel id."""
        self.epochs: dict[str, int] = {}
        """Channel id -> epoch of its positions."""
        self.in_flight = 0
        """Posts that were sent and have no answer yet."""
        self.acknowledged = 0
        self.unknown = 0
        """Attempts whose outcome was unknown; each was repeated under its client_id."""
        self.refused: dict[str, int] = {}
        """Code -> posts given up."""
        self.failed: dict[str, int] = {}
        """Status and code of attempts that had no 2xx -> how many; `+wait`: with Retry-After."""
        self._people = people
        self._recorder = recorder
        self._run = run
        self._attempts = attempts
        self._sent = asyncio.Event()

    async def open_channels(self, entries: Sequence[Entry], follow: Callable[[int], Sequence[str]]) -> None:
        """Create a channel per source package; its authors and the readers that follow channel `number` join it."""
        authors: dict[str, dict[str, None]] = {}
        for entry in entries:
            authors.setdefault(entry.channel, {})[entry.author] = None
        await each(authors.items(), lambda item: self._open(*item), JOINING)
        joins = [
            (name, who)
            for number, (name, people) in enumerate(authors.items())
            for who in [*list(people)[1:], *follow(number)]
        ]
        await each(joins, lambda join: self._people[join[1]].client.join(self.channels[join[0]]), JOINING)

    async def _open(self, name: str, authors: Mapping[str, None]) -> None:
        client = self._people[next(iter(authors))].client
        slug = re.sub(r"[^a-z0-9]+", "-", f"{name}-{self._run}".lower()).strip("-")[:64]
        made = await client.create_channel(slug, name[:80], history="all")
        self.epochs[made["id"]] = made["epoch"]
        self.channels[name] = made["id"]

    async def read_back(self, who: str) -> int:
        """Read the events of every channel over HTTP as one of its members and record them; answers how many."""
        person, count = self._people[who], 0
        for channel in self.epochs:
            self._recorder.record("ok", "member", user=person.id, ch=channel, seq=1)
            after, last = 0, 1
            while after < last:
                page = await person.client.events(channel, after, READ_PAGE)
                last = int(page["last_seq"])
                for frame in page["events"]:
                    fields = event_fields(frame["id"], frame["type"], frame["data"])
                    self._recorder.record("ok", "read", user=person.id, ch=channel, seq=frame["seq"], **fields)
                    after, count = int(frame["seq"]), count + 1
                if not page["events"]:
                    break
        return count

    async def busy(self) -> int:
        """Wait until a post is in flight; answers how many are. The caller acts before it awaits again."""
        while not self.in_flight:
            self._sent.clear()
            await self._sent.wait()
        return self.in_flight

    async def post(self, messages: Iterable[Message], every: float = 0.0, *, spread: bool = False) -> None:
        """Post all of them, 50 at a time, each until it has an answer; `every`: seconds from burst to burst.

        `spread`: no bursts, 50 even steps in `every` seconds; what an outage held up is caught up for so long at most.
        """
        due = 0.0

        async def paced(message: Message) -> None:
            nonlocal due
            if spread:
                due = max(due + every / POSTERS, time.monotonic() - every)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            elif every:
                await asyncio.sleep(every - time.monotonic() % every)
            await self._post(message)

        await each(messages, paced, POSTERS)

    async def _post(self, message: Message) -> None:
        person, channel = self._people[message.author], self.channels[message.channel]
        fields = {"user": person.id, "ch": channel, "key": message.key, "hash": text_hash(message.body)}

        def attempt(outcome: Any, error: ClientError | None) -> None:
            if outcome != "ok":  # the answer is recorded below, with its id and seq
                self._recorder.record(outcome, "send", **fields, **said(error))
            self.in_flight += 1 if outcome == "invoke" else -1
            self.unknown += outcome == "info"
            if error is not None:
                name = named(error)
                self.failed[name] = self.failed.get(name, 0) + 1
            self._sent.set()

        try:
            posted = await person.client.post_message(
                channel, message.body, client_id=message.key, attempts=self._attempts, observer=attempt
            )
        except ClientError as error:
            code = error.code if isinstance(error, ApiProblem) else "unanswered"
            self.refused[code] = self.refused.get(code, 0) + 1
            return
        self.acknowledged += 1
        self._recorder.record("ok", "send", **fields, id=posted.id, seq=posted.seq)


def said(error: ClientError | None) -> dict[str, Any]:
    """Answer code, status and Retry-After of a failed attempt for its line."""
    names = {"code": "code", "status": "status", "wait": "retry_after"}
    return {field: getattr(error, name, None) for field, name in names.items()} if error else {}


def named(error: ClientError) -> str:
    """`503 unavailable +wait` of an answer, the code of what had none."""
    if isinstance(error, ApiProblem):
        return f"{error.status} {error.code}{' +wait' if error.retry_after is not None else ''}"
    return str(getattr(error, "code", type(error).__name__))


def passes(entries: Sequence[Entry], run: str) -> Iterator[Message]:
    """Yield all entries again and again, each time under client_ids of their own."""
    for number, entry in enumerate(cycle(entries)):
        yield Message(f"{run}-{number:06d}", entry.channel, entry.author, entry.body)

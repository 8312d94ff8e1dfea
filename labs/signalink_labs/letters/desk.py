"""Joins the letters in `dlq.*` with the parked rows of the services, and redrives or drops what still waits.

Owns the states of a letter and what is refused with which reason. A letter's headers are `signalink_core.kafka`'s.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import asyncpg
from asyncpg.exceptions import InterfaceError, PostgresError

from signalink_core.database import pool
from signalink_core.errors import BadRequest, ConfigurationError, DependencyUnavailable, NotFound
from signalink_core.kafka import dead_letters, parked_rows, reader
from signalink_core.kafka.dead_letters import Letter
from signalink_core.kafka.errors import TopicMissing
from signalink_core.kafka.parked_rows import Row
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.settings import KafkaSettings, PostgresSettings

TOPICS: Final = ("messages", "notifications", "analytics", "presence")
READ_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.2
State = Literal["parked", "redriving", "redriven", "dropped", "pointer"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One poison record of one group, with its newest letter. `name` is `TOPIC/OFFSET` in the dead-letter topic."""

    topic: str
    letter: Letter
    state: State
    row: Row | None

    @property
    def name(self) -> str:
        return f"{self.topic}/{self.letter.stored.offset}"

    @property
    def waits(self) -> bool:
        return self.state in {"parked", "redriving"}


@dataclass(frozen=True, slots=True)
class Redriven:
    """`sent`: confirmed by Kafka. `applied`: taken by their group meanwhile; the others wait, or are parked again."""

    sent: Sequence[Entry]
    applied: int

    @property
    def waiting(self) -> int:
        return len(self.sent) - self.applied


class Desk:
    """For one platform; as Kafka's admin and the owner of the schemas."""

    def __init__(self, kafka: KafkaSettings, postgres: PostgresSettings) -> None:
        self._kafka, self._postgres = kafka, postgres

    async def entries(self, topics: Collection[str] = TOPICS, group: str | None = None) -> list[Entry]:
        """By topic, oldest first. Raises DependencyUnavailable when Kafka or Postgres does not answer."""
        async with self._connection() as conn:
            rows = await parked_rows.find(conn)
        found = await asyncio.gather(*(self._topic(topic, rows) for topic in topics))
        return [entry for each in found for entry in each if group is None or entry.letter.group == group]

    async def entry(self, name: str) -> Entry:
        """The one called `TOPIC/OFFSET`; NotFound, ConfigurationError for another form."""
        topic, _, offset = name.partition("/")
        if not offset.isdigit() or topic not in TOPICS:
            raise ConfigurationError(
                f"{name!r} is no letter: it is TOPIC/OFFSET with a topic of {', '.join(TOPICS)}.",
                next_step="take a name from `signalink dlq list`",
            )
        for entry in await self.entries([topic]):
            if entry.letter.stored.offset == int(offset):
                return entry
        raise NotFound(
            f"dlq.{topic} has no letter {offset}, or a newer letter of the same record took its place.",
            next_step=f"`signalink dlq list {topic}`",
        )

    async def redrive(self, entries: Sequence[Entry], within: float) -> Redriven:
        """Send them back to their topics, confirmed, and give their groups at most `within` seconds to take them."""
        for entry in entries:
            _may_be_redriven(entry)
        async with self._connection() as conn:
            for entry in entries:
                if entry.row is None or not await parked_rows.mark_redriven(conn, entry.row.schema, _key(entry.letter)):
                    raise NotFound(f"{entry.name} does not wait any more.", next_step="`signalink dlq list`")
        async with KafkaProducer(self._kafka, client_id="signalink-dlq") as producer:
            outcomes = await producer.send_batches([dead_letters.redrive(entry.letter) for entry in entries])
        for entry, problem in zip(entries, outcomes, strict=True):
            if problem is not None:
                raise DependencyUnavailable(
                    f"{entry.name} was not confirmed by Kafka: {problem.detail}",
                    next_step="repeat this: a record that was sent twice is applied once",
                )
        return Redriven(entries, await self._taken(entries, within))

    async def drop(self, entries: Sequence[Entry]) -> int:
        """Give them up: no redrive applies them any more; how many waited until now. The letters stay for 30 days."""
        dropped = 0
        async with self._connection() as conn:
            for entry in entries:
                if entry.row is not None:
                    dropped += await parked_rows.drop(conn, entry.row.schema, _key(entry.letter))
        return dropped

    async def _taken(self, entries: Sequence[Entry], within: float) -> int:
        wanted = {_key(entry.letter) for entry in entries}
        ends = asyncio.get_running_loop().time() + within
        async with self._connection() as conn:
            while True:
                there = await parked_rows.find(conn)
                left = {key for key in wanted if key in there}
                on_the_way = any(there[key].redriven_at is not None for key in left)
                if not on_the_way or asyncio.get_running_loop().time() >= ends:
                    return len(wanted) - len(left)
                await asyncio.sleep(LOOK_SECONDS)

    async def _topic(self, topic: str, rows: Mapping[parked_rows.Key, Row]) -> list[Entry]:
        try:
            stored = await reader.read_topic(self._kafka, dead_letters.PREFIX + topic, within=READ_SECONDS)
        except TopicMissing:
            return []
        return [_entry(topic, letter, rows) for letter in newest(map(dead_letters.open_letter, stored))]

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            conn = await pool.connect(self._postgres)
            try:
                yield conn
            finally:
                await conn.close(timeout=2.0)
        except (PostgresError, InterfaceError, OSError, TimeoutError) as error:
            raise DependencyUnavailable(
                f"Postgres does not answer: {error!r}.", next_step="`signalink status`"
            ) from error


def newest(letters: Iterable[Letter]) -> list[Letter]:
    """One letter of each record and group: a crash, or a redrive that failed, writes another."""
    found: dict[object, Letter] = {}
    for letter in letters:
        place = (letter.stored.partition, letter.stored.offset)
        key: object = (letter.group, letter.origin) if letter.group and letter.origin else place
        found.pop(key, None)
        found[key] = letter
    return list(found.values())


def state_of(letter: Letter, row: Row | None) -> State:
    """A letter without a group is a relay's pointer; one without a row was applied after its redrive."""
    if not letter.group or letter.origin is None:
        return "pointer"
    if row is None:
        return "redriven"
    if row.dropped_at is not None:
        return "dropped"
    return "parked" if row.redriven_at is None else "redriving"


def _entry(topic: str, letter: Letter, rows: Mapping[parked_rows.Key, Row]) -> Entry:
    row = rows.get(_key(letter)) if letter.origin is not None else None
    return Entry(topic, letter, state_of(letter, row), row)


def _key(letter: Letter) -> parked_rows.Key:
    if letter.origin is None:
        raise BadRequest("A relay's pointer has no parked row.", next_step="`signalink dlq show` says what to do")
    return letter.group, letter.origin


def _may_be_redriven(entry: Entry) -> None:
    """BadRequest with the reason and what to do instead."""
    if entry.state == "pointer":
        raise BadRequest(
            f"{entry.name} is a relay's pointer to a row of the event log that Kafka refused for ever "
            f"({entry.letter.error}); no consumer has seen it, so there is nothing to send back.",
            next_step=f"raise max.message.bytes of topic {entry.topic}, then `signalink relay rewind --to TIME`",
        )
    if entry.state in {"redriven", "dropped"}:
        raise BadRequest(
            f"{entry.name} does not wait any more: it was {entry.state}.",
            next_step="`signalink dlq list --state parked`",
        )
    if (size := entry.letter.headers.get(dead_letters.VALUE_LEFT_OUT)) is not None:
        raise BadRequest(
            f"{entry.name} has no copy of the value, which was too large ({size} bytes); "
            "the record itself is where its dlq_ headers say, until the topic's retention removes it.",
            next_step=f"raise max.message.bytes of dlq.{entry.topic} for the next one; `signalink dlq drop` this one",
        )

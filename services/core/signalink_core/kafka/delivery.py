"""From a record to what an effect is given: the event, once it is known to be one; and which records are nobody's.

Owns what makes a record poison before any effect saw it, and the headers of a redriven record. Whether an event was
applied before is decided in the store (`offsets`), with which retries in `settling`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from pydantic import ValidationError

from signalink_core.events import Event, codec
from signalink_core.events.envelope import SOURCE, schema_of
from signalink_core.events.types import TYPES, EventData
from signalink_core.kafka.batching import Place
from signalink_core.kafka.errors import BadRecord
from signalink_core.kafka.records import Fetched, StoredRecord, stored

REDRIVE: Final = "dlq_redrive"
"""Header of a redriven record: the group it is for; `dlq_topic`, `dlq_partition`, `dlq_offset` name its parked row."""
_KINDS: Final = {name.encode(): (name, schema_of(name).encode()) for name in TYPES}
_SOURCE: Final = SOURCE.encode()
_HEX: Final = b"0123456789abcdefABCDEF"
_DASHES: Final = b"----"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MS: Final = timedelta(milliseconds=1)


class Origin(NamedTuple):
    """Where a record was first read: the key of its parked row, within one group."""

    topic: str
    partition: int
    offset: int


class _Facts(NamedTuple):
    place: Place
    fetched: Fetched
    offset: int
    type: str
    at_ms: int
    epoch: int
    channel: UUID | None
    seq: int | None
    values: Mapping[str, Any]
    redriven: Origin | None = None


class Delivered(_Facts):
    """One event handed to an effect, with the record it came in.

    `at_ms`: its time, milliseconds since 1970, rounded down. `values`: its data as they came. `redriven`: the parked
    row it must take with it. An effect that needs no more than these never pays for an `Event` (2 us).
    """

    @classmethod
    def of(cls, record: StoredRecord, event: Event, redriven: Origin | None = None) -> "Delivered":
        """Of an event that was not read from its record."""
        place, at_ms = (record.topic, record.partition), (event.time - _EPOCH) // _MS
        facts = (event.type, at_ms, event.epoch, event.channel, event.seq, event.data, redriven)
        made = cls(place, record, record.offset, *facts)
        made.__dict__ |= {"event": event, "id": event.id}
        return made

    @cached_property
    def id(self) -> UUID:
        """The event's, without the rest of it."""
        return UUID(dict(self.fetched.headers)["ce_id"].decode())

    @cached_property
    def event(self) -> Event:
        """All of the event. Whatever `read` let through is one."""
        return codec.from_headers(dict(self.fetched.headers), self.values)

    @cached_property
    def record(self) -> StoredRecord:
        return stored(*self.place, self.fetched)

    def data(self) -> EventData:
        """The event's data in its model of `signalink_core.events.TYPES`; BadRecord when it does not fit."""
        try:
            return TYPES[self.type].model_validate(self.values)
        except ValidationError as error:
            where = ", ".join(sorted({".".join(map(str, item["loc"])) for item in error.errors(include_input=False)}))
            detail = f"The data of a {self.type} does not fit its model at: {where or 'its root'}."
            raise BadRecord("bad_data", self.offset, detail) from None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one partition, in order, none of them applied before. `at_end`: the partition was read to its end."""

    topic: str
    partition: int
    events: Sequence[Delivered]
    at_end: bool


Apply = Callable[[Any, Batch], Awaitable[None]]
"""`await apply(tx, batch)`: inside the transaction that moves the offset. `tx`: the store's (`offsets`)."""


def read(place: Place, record: Fetched, group: str) -> Delivered | None:
    """The event of a record for this group; None when it is not for it (another group's redrive, an unknown type).

    Raises BadRecord for a record that is poison whatever the effect is.
    """
    headers = dict(record.headers)
    redriven = None
    if REDRIVE in headers:
        if headers[REDRIVE] != group.encode():
            return None
        redriven = _origin(headers, record.offset)
    try:
        kind = _KINDS.get(headers["ce_type"])
        if kind is None:
            headers["ce_type"].decode()
            return None
        if headers["ce_dataschema"] != kind[1]:
            raise BadRecord("unknown_version", record.offset, f"The version of a {kind[0]} is not known here.")
        # What makes no fact is checked here all the same, so that `Delivered.event` cannot fail.
        _check(headers)
        channel, seq, epoch = _position(headers)
        facts = (kind[0], _moment(headers["ce_time"]), epoch, channel, seq, _values(record), redriven)
        return _made(Delivered, (place, record, record.offset, *facts))
    except (KeyError, ValueError, TypeError, AttributeError) as error:  # the last two: a header without a value
        detail = f"The headers are not those of an event: {type(error).__name__}."
        raise BadRecord("bad_headers", record.offset, detail) from None


def origin(record: StoredRecord) -> tuple[Origin, bool]:
    """Where the record was first read, and whether it comes back from there."""
    headers = dict(record.headers)
    if REDRIVE in headers:
        return _origin(headers, record.offset), True
    return Origin(record.topic, record.partition, record.offset), False


def _origin(headers: dict[str, bytes], offset: int) -> Origin:
    try:
        place = int(headers["dlq_partition"]), int(headers["dlq_offset"])
        return Origin(headers["dlq_topic"].decode(), *place)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BadRecord("bad_headers", offset, "A redriven record does not say where it was read first.") from None


_made: Final = tuple.__new__
"""The class's own `__new__` costs twice as much."""


def _values(record: Fetched) -> dict[str, Any]:
    if record.value is None:
        raise BadRecord("null_value", record.offset, "The record has no value.")
    try:
        data = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        raise BadRecord("bad_json", record.offset, "The value is not JSON.") from None
    if type(data) is not dict:
        raise BadRecord("bad_json", record.offset, "The value is no JSON object.")
    return data


def _check(headers: dict[str, bytes]) -> None:
    """ValueError, KeyError, AttributeError: no UUID, or not text."""
    event_id, subject = headers["ce_id"], headers["ce_subject"]
    if len(event_id) != 36 or event_id.translate(None, _HEX) != _DASHES:
        raise ValueError("no UUID")
    subject.decode()
    if (source := headers.get("ce_source", _SOURCE)) != _SOURCE:
        source.decode()
    if (trace := headers.get("traceparent")) is not None:
        trace.decode()


def _position(headers: dict[str, bytes]) -> tuple[UUID | None, int | None, int]:
    channel = headers.get("ce_channel")
    if channel is None:
        return None, None, int(headers["ce_epoch"])
    return _channel(channel), int(headers["ce_seq"]), int(headers["ce_epoch"])


@lru_cache(maxsize=4096)
def _channel(text: bytes) -> UUID:
    if len(text) != 36:
        raise ValueError("no UUID")
    return UUID(text.decode())


def _moment(text: bytes) -> int:
    time = datetime.fromisoformat(text.decode())
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return (time - _EPOCH) // _MS

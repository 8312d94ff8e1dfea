"""Whether posts, log and topics hold everything once: pure functions over what was read, findings in words.

What a topic may hold twice: a relay that died before its cursor moved sends its batch again, at new offsets (log.md 3).
So a topic holds no duplicate when each event has one position and each position one event, first occurrences are in the
order of their channel, and a repeat is the same record to the byte.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from signalink_core.events import types
from signalink_core.kafka.records import StoredRecord

Row = Mapping[str, Any]
"""Of the log: event_id, topic, type, channel_id, epoch, seq, client_id, sender_id, message_id."""


@dataclass(frozen=True)
class Topic:
    """What one topic holds: `repeated` of the `records` were there before."""

    name: str
    records: int
    repeated: int
    wrong: Sequence[str]


def log(rows: Sequence[Row], answers: Mapping[str, tuple[str, int] | None]) -> list[str]:
    """Every post is there once, under the id and seq of its answer; `answers`: client_id -> (id, seq)."""
    created = [row for row in rows if row["type"] == types.MESSAGE_CREATED]
    found = [
        *_twice("event id", (row["event_id"] for row in rows)),
        *_twice("place", ((row["channel_id"], row["seq"]) for row in rows if row["seq"] is not None)),
        *_twice("message id", (row["message_id"] for row in created)),
        *_twice("client_id", ((row["sender_id"], row["client_id"]) for row in created)),
    ]
    stored = {row["client_id"]: (str(row["message_id"]), row["seq"]) for row in created}
    for key, answer in answers.items():
        if answer is None:
            found.append(f"{key} has no answer")
        elif stored.get(key) != answer:
            found.append(f"{key} is {stored.get(key)} in the log and was answered as {answer}")
    return found


def topic(
    name: str, records: Sequence[StoredRecord], wanted: Sequence[UUID], later: Sequence[UUID] | None = None
) -> Topic:
    """Records by (partition, offset). `wanted`: the events of the log that go to this topic, read before the topic was;
    `later`: read after it, since canaries go on."""
    first: dict[UUID, StoredRecord] = {}
    places: dict[tuple[str, int, int], UUID] = {}
    last: dict[str, tuple[int, int]] = {}
    wrong: list[str] = []
    for record in records:
        headers = dict(record.headers)
        event = UUID(headers["ce_id"].decode())
        if event in first:
            wrong += _differs(record, first[event])
            continue
        first[event] = record
        if "ce_seq" not in headers:
            continue
        channel, place = headers["ce_channel"].decode(), (int(headers["ce_epoch"]), int(headers["ce_seq"]))
        if places.setdefault((channel, *place), event) != event:
            wrong.append(f"{name}: two events are at {place} of {channel}")
        elif place < last.get(channel, (0, 0)):
            wrong.append(f"{name}: {place} of {channel} came first after {last[channel]}")
        last[channel] = max(place, last.get(channel, (0, 0)))
    wrong += [f"{name}: {event} of the log is missing" for event in wanted if event not in first]
    wrong += [f"{name}: {event} is not in the log" for event in first.keys() - set(wanted if later is None else later)]
    return Topic(name, len(records), len(records) - len(first), wrong)


def _differs(record: StoredRecord, first: StoredRecord) -> Iterable[str]:
    said = (record.partition, record.key, record.value, list(record.headers))
    if said != (first.partition, first.key, first.value, list(first.headers)):
        yield f"{record.topic}/{record.partition}@{record.offset} repeats offset {first.offset} with other bytes"


def _twice(what: str, things: Iterable[Any]) -> list[str]:
    return [f"{what} {thing} is there {count} times" for thing, count in Counter(things).items() if count > 1]

"""Letters: what `dlq.<topic>` holds of a poison record, how it is read back, and the record that a redrive sends.

Owns the headers and both directions. A letter keeps key, value and headers of its record and adds `dlq_*`; they carry
no content and no text of an error, which may quote it. When one is written is decided in `settling`.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from signalink_core import clock
from signalink_core.errors import SignalinkError
from signalink_core.events import Position
from signalink_core.kafka.delivery import REDRIVE, Origin, origin
from signalink_core.kafka.errors import BadRecord, Reason
from signalink_core.kafka.records import Record, StoredRecord
from signalink_core.kafka.store import Parked

PREFIX: Final = "dlq."
OWN: Final = "dlq_"
VALUE_LEFT_OUT: Final = "dlq_value_left_out"
"""The value was so large that the letter with its headers was refused: the size of the value, in bytes."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of a dead-letter topic. `group` empty: a relay's pointer to a row of the event log (`log.parked`)."""

    stored: StoredRecord
    group: str
    origin: Origin | None
    error: str
    attempts: int
    first_at: str
    last_at: str

    @property
    def headers(self) -> dict[str, str]:
        """All of them as text; for a person."""
        return {name: (value or b"").decode(errors="replace") for name, value in self.stored.headers}

    @property
    def event_id(self) -> str | None:
        return self.headers.get("ce_id")


def error_of(error: BaseException) -> str:
    """What `dlq_error` says: the reason of a bad record, the code of one of ours, else the class."""
    if isinstance(error, BadRecord):
        return error.reason
    return error.code if isinstance(error, SignalinkError) else type(error).__name__


def error_type_of(error: BaseException) -> Reason | str:
    """The label of `signalink_dlq_records_total`."""
    return error.reason if isinstance(error, BadRecord) else "effect"


def parked(record: StoredRecord, error: BaseException, attempts: int, first_at: datetime) -> Parked:
    """The row of a poison record: its event's id and place as far as the headers tell."""
    headers = dict(record.headers)
    event_id: UUID | None = None
    channel: UUID | None = None
    position: Position | None = None
    with contextlib.suppress(KeyError, ValueError, TypeError, AttributeError):
        event_id = UUID(headers["ce_id"].decode())
    with contextlib.suppress(KeyError, ValueError, TypeError, AttributeError):
        place = Position(int(headers["ce_epoch"]), int(headers["ce_seq"]))
        channel, position = UUID(headers["ce_channel"].decode()), place
    where = _origin_of(record)
    return Parked(where, error_of(error), attempts, first_at, clock.utc_now(), event_id, channel, position)


def _origin_of(record: StoredRecord) -> Origin:
    """A redriven record whose own headers are broken is parked where it stands."""
    try:
        return origin(record)[0]
    except BadRecord:
        return Origin(record.topic, record.partition, record.offset)


def letter(record: StoredRecord, group: str, row: Parked) -> Record:
    """The record for the dead-letter topic of the topic it was first read from."""
    added = {
        "dlq_topic": row.origin.topic,
        "dlq_partition": row.origin.partition,
        "dlq_offset": row.origin.offset,
        "dlq_group": group,
        "dlq_attempts": row.attempts,
        "dlq_error": row.error,
        "dlq_first_at": clock.isoformat(row.first_at),
        "dlq_last_at": clock.isoformat(row.last_at),
    }
    headers = _without_ours(record) + [(name, str(value).encode()) for name, value in added.items()]
    return Record(PREFIX + row.origin.topic, record.key or b"", record.value or b"", headers)


def without_value(full: Record) -> Record:
    """The letter of a record that is too large to be copied: it still says where the record is."""
    headers = [*full.headers, (VALUE_LEFT_OUT, str(len(full.value)).encode())]
    return replace(full, value=b"", headers=headers)


def open_letter(stored: StoredRecord) -> Letter:
    """Read a letter back. Never raises: what is missing is empty, since a person has to see it all the more."""
    headers: Mapping[str, bytes] = {name: value or b"" for name, value in stored.headers}

    def text(name: str) -> str:
        return headers.get(name, b"").decode(errors="replace")

    where: Origin | None = None
    with contextlib.suppress(ValueError):
        where = Origin(text("dlq_topic"), int(text("dlq_partition")), int(text("dlq_offset")))
    attempts = int(text("dlq_attempts")) if text("dlq_attempts").isdigit() else 0
    last = text("dlq_last_at") or text("dlq_at")
    return Letter(stored, text("dlq_group"), where, text("dlq_error"), attempts, text("dlq_first_at") or last, last)


def redrive(found: Letter) -> Record:
    """The record that goes back to its topic, for the letter's group alone."""
    where: Any = found.origin
    marks = {
        REDRIVE: found.group,
        "dlq_topic": where.topic,
        "dlq_partition": where.partition,
        "dlq_offset": where.offset,
    }
    headers = _without_ours(found.stored) + [(name, str(value).encode()) for name, value in marks.items()]
    return Record(where.topic, found.stored.key or b"", found.stored.value or b"", headers)


def _without_ours(record: StoredRecord) -> list[tuple[str, bytes]]:
    """A header without a value cannot be written again by aiokafka; an empty one says as much."""
    return [(name, value or b"") for name, value in record.headers if not name.startswith(OWN)]

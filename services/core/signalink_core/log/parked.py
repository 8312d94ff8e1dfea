"""Rows that can never be published: a pointer in `dlq.<topic>` tells a person where the row is; the log keeps the row.

Owns the pointer's shape. The body stays out of it: it may be what Kafka refused, and it may be private.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from signalink_core import clock
from signalink_core.errors import SignalinkError
from signalink_core.kafka.records import Record

PREFIX = "dlq."
POINTER = "dev.signalink.dead_letter.pointer"


def pointer(row: Mapping[str, Any], problem: SignalinkError, now: datetime | None = None) -> Record:
    """The record for `dlq.<topic>`: which row of the log, why, and when."""
    at = clock.isoformat(now or clock.utc_now())
    key = str(row["channel_id"] or row["aggregateid"]).encode()
    where = {name: row[name] for name in ("shard", "epoch", "xid", "id", "event_id", "channel_id", "seq", "type")}
    value = {"pointer": where, "topic": row["topic"], "code": problem.code, "reason": problem.detail, "at": at}
    headers = {
        "dlq_kind": POINTER,
        "dlq_topic": row["topic"],
        "dlq_error": problem.code,
        "dlq_attempts": "1",
        "dlq_at": at,
        "content-type": "application/json",
        "traceparent": row["traceparent"],
    }
    pairs = [(name, str(content).encode()) for name, content in headers.items() if content]
    return Record(PREFIX + row["topic"], key, orjson.dumps(value, default=str), pairs)

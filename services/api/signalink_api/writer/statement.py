"""One batch as one call of messaging.post_messages: drafts to rows, rows to verdicts and events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg

from signalink_api.writer.drafts import Entry, Verdict
from signalink_core import clock
from signalink_core.events import Event
from signalink_core.events.types import MESSAGE_CREATED

_text = lru_cache(maxsize=4096)(str)
CALL = "SELECT messaging.post_messages($1)"
BUSY = "busy"


async def call(connection: asyncpg.Connection, entries: Sequence[Entry], *, wait: bool) -> list[Mapping[str, Any]]:
    """Answers in the order of `entries`. In autocommit and without a client-side timeout, which would send a cancel."""
    command = {"rows": [_row(n, entry) for n, entry in enumerate(entries)], "wait": wait}
    answer = await connection.fetchval(CALL, command)
    rows: list[Mapping[str, Any]] = answer["rows"]
    return rows


def verdict(entry: Entry, answer: Mapping[str, Any]) -> Verdict:
    """The verdict of an answer that is not busy. A replay of our own id is our own commit, whose answer was lost."""
    kind = answer["verdict"]
    if kind not in {"created", "replayed"}:
        return Verdict(kind)
    message_id = UUID(answer["id"])
    root = answer["thread_root"]
    return Verdict(
        kind="created" if message_id == entry.message_id else kind,
        message_id=message_id,
        seq=answer["seq"],
        epoch=answer["epoch"],
        created_at=_moment(answer["created_at"]),
        thread_root=None if root is None else UUID(root),
    )


@lru_cache(maxsize=64)
def _moment(text: str) -> datetime:
    """All rows of a batch have the same."""
    return datetime.fromisoformat(text)


def event(entry: Entry, created: Verdict) -> Event:
    """The event that the statement wrote for a created message."""
    assert created.created_at is not None and created.epoch is not None  # noqa: S101 - of every created verdict
    draft = entry.draft
    return Event(
        id=entry.event_id,
        type=MESSAGE_CREATED,
        time=created.created_at,
        epoch=created.epoch,
        channel=draft.channel_id,
        seq=created.seq,
        traceparent=entry.traceparent,
        data={
            "id": str(created.message_id),
            "channel_id": _text(draft.channel_id),
            "seq": created.seq,
            "sender_id": _text(draft.sender_id),
            "client_id": draft.client_id,
            "body": draft.body,
            "format": draft.format,
            "metadata": draft.metadata,
            "reply_to": None if draft.reply_to is None else str(draft.reply_to),
            "thread_root": None if created.thread_root is None else str(created.thread_root),
            "created_at": clock.isoformat(created.created_at),
        },
    )


def _row(n: int, entry: Entry) -> dict[str, Any]:
    draft = entry.draft
    return {
        "n": n,
        "channel_id": draft.channel_id,
        "sender_id": draft.sender_id,
        "client_id": draft.client_id,
        "body": draft.body,
        "format": draft.format,
        "metadata": draft.metadata,
        "reply_to": draft.reply_to,
        "request_hash": entry.request_hash.hex(),
        "message_id": entry.message_id,
        "event_id": entry.event_id,
        "traceparent": entry.traceparent,
    }

"""Bytes of an event: the live JSON that goes over Redis to sockets, and the Kafka binary mode of CloudEvents.

Owns both directions of both encodings. Readers ignore what they do not know, so an N-1 reader accepts N events.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from signalink_core import clock
from signalink_core.events.envelope import SOURCE, Event

CONTENT_TYPE = b"application/json"


def encode_live(event: Event) -> bytes:
    """The gateway's `event` frame; only channel events have one."""
    position = event.position
    frame: dict[str, Any] = {
        "op": "event",
        "channel": str(event.channel),
        "epoch": position.epoch,
        "seq": position.seq,
        "type": event.type,
        "id": str(event.id),
        "time": clock.isoformat(event.time),
        "data": event.data,
    }
    if event.traceparent:
        frame["trace"] = event.traceparent
    return orjson.dumps(frame)


def decode_live(payload: bytes) -> Event:
    """The event of a live frame; ValueError (orjson's is one) or KeyError when the bytes are no such frame."""
    frame = orjson.loads(payload)
    return Event(
        id=UUID(frame["id"]),
        type=frame["type"],
        time=datetime.fromisoformat(frame["time"]),
        epoch=frame["epoch"],
        data=frame["data"],
        channel=UUID(frame["channel"]),
        seq=frame["seq"],
        traceparent=frame.get("trace"),
    )


def kafka_headers(event: Event) -> list[tuple[str, bytes]]:
    """Headers of the record whose value is `kafka_value(event)`; `traceparent` exactly once, when there is one."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.id).encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", clock.isoformat(event.time).encode()),
        ("ce_subject", event.subject.encode()),
        ("ce_dataschema", event.dataschema.encode()),
        ("ce_epoch", b"%d" % event.epoch),
    ]
    if event.channel is not None and event.seq is not None:
        headers += (("ce_channel", str(event.channel).encode()), ("ce_seq", b"%d" % event.seq))
    headers.append(("content-type", CONTENT_TYPE))
    if event.traceparent:
        headers.append(("traceparent", event.traceparent.encode()))
    return headers


def kafka_key(event: Event) -> bytes:
    """The record key: the channel's UUID, or the aggregate's of a fact."""
    return event.subject.encode()


def kafka_value(event: Event) -> bytes:
    """The record value: the data object alone."""
    return orjson.dumps(event.data)


def from_record(headers: Iterable[tuple[str, bytes]], value: bytes) -> Event:
    """The event of a Kafka record; KeyError names a missing attribute, ValueError a malformed one."""
    return from_headers(dict(headers), orjson.loads(value))


def from_headers(headers: Mapping[str, bytes], data: Mapping[str, Any]) -> Event:
    """As `from_record`, where the value was decoded already. Headers that are not the envelope's are not looked at."""
    channel, trace = headers.get("ce_channel"), headers.get("traceparent")
    return Event(
        id=UUID(headers["ce_id"].decode()),
        type=headers["ce_type"].decode(),
        time=datetime.fromisoformat(headers["ce_time"].decode()),
        epoch=int(headers["ce_epoch"]),
        data=data,
        channel=None if channel is None else UUID(channel.decode()),
        seq=None if channel is None else int(headers["ce_seq"]),
        subject=headers["ce_subject"].decode(),
        source=headers["ce_source"].decode() if "ce_source" in headers else SOURCE,
        dataschema=headers["ce_dataschema"].decode(),
        traceparent=None if trace is None else trace.decode(),
    )

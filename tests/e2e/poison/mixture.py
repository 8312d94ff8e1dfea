"""Good records with poison of every kind among them, as they would be sent by a broken or a newer producer.

Owns what each kind looks like and what it must end as. Sending is here too, since records without a value, or with less
than the platform's own producer would send, need a client of their own.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from aiokafka import AIOKafkaProducer

from signalink_core.clock import isoformat, utc_now
from signalink_core.events import Event, kafka_headers, kafka_key, types
from signalink_core.ids import uuid7
from signalink_core.settings import KafkaSettings

LARGE_BYTES: Final = 900_000
POISON: Final = {
    "bad_json": "bad_json",
    "no_object": "bad_json",
    "unknown_version": "unknown_version",
    "missing_header": "bad_headers",
    "wrong_header": "bad_headers",
    "null_value": "null_value",
    "bad_data": "bad_data",
    "effect": "ValueError",
}
"""Kind -> the error of its letter."""
FOR_EVER: Final = frozenset(POISON) - {"effect"}
"""No fixed effect makes these good."""
HARMLESS: Final = ("large", "future", "unknown_type", "unknown_field")
Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Sent:
    """One record; `body` is what its effect writes. `kind` empty: an ordinary good one."""

    topic: str
    kind: str
    body: str
    event: Event
    value: bytes | None
    headers: Headers

    @property
    def poison(self) -> bool:
        return self.kind in POISON

    @property
    def applied(self) -> bool:
        """Whether it has an effect at the first try."""
        return not self.poison and self.kind != "unknown_type"


def mixture(good: int, each: int, chance: random.Random) -> list[Sent]:
    """`good` records over 20 channels and three topics, `each` poison records of every kind between them."""
    kinds = [*([""] * good), *(list(POISON) * each), *(list(HARMLESS) * max(1, each // 4))]
    chance.shuffle(kinds)
    channels = [uuid7() for _ in range(20)]
    seqs = dict.fromkeys(channels, 0)
    return list(_records(kinds, channels, seqs, chance))


def _records(
    kinds: Sequence[str], channels: Sequence[UUID], seqs: dict[UUID, int], chance: random.Random
) -> Iterator[Sent]:
    for number, kind in enumerate(kinds):
        body = f"poison {number}" if kind == "effect" else f"{kind or 'good'} {number}"
        topic = chance.choice(("messages", "messages", "messages", "analytics", "presence"))
        if topic == "messages" or kind == "large":
            channel = chance.choice(channels)
            seqs[channel] += 1
            yield broken("messages", kind, body, _message(channel, seqs[channel], body))
        else:
            yield broken(topic, kind, body, _fact(topic, body))


def _message(channel: UUID, seq: int, body: str) -> Event:
    data = {"id": str(uuid7()), "channel_id": str(channel), "seq": seq, "sender_id": str(uuid7()), "client_id": body}
    data |= {"body": body, "format": "text", "metadata": {}, "created_at": isoformat(utc_now())}
    return Event(uuid7(), types.MESSAGE_CREATED, utc_now(), 1, data, channel, seq)


def _fact(topic: str, body: str) -> Event:
    user = uuid7()
    if topic == "analytics":
        return Event(
            uuid7(), types.USER_LOGGED_IN, utc_now(), 1, {"user_id": str(user), "body": body}, subject=str(user)
        )
    data = {"user_id": str(user), "state": "online", "body": body}
    return Event(uuid7(), types.PRESENCE_CHANGED, utc_now(), 1, data, subject=str(user))


def broken(topic: str, kind: str, body: str, event: Event) -> Sent:
    """The record of an event, broken in one way."""
    data: dict[str, Any] = dict(event.data)
    headers = dict(kafka_headers(event))
    value: bytes | None = None
    match kind:
        case "bad_json":
            value = b'{"body": "' + body.encode()
        case "no_object":
            value = orjson.dumps([body])
        case "unknown_version":
            headers["ce_dataschema"] = headers["ce_dataschema"].rsplit(b"/", 1)[0] + b"/99"
        case "missing_header":
            del headers["ce_time"]
        case "wrong_header":
            headers["ce_id"] = b"not a uuid"
        case "bad_data":
            data["sender_id" if topic == "messages" else "user_id"] = "nobody"
        case "large":
            data["metadata"] = {"note": "x" * LARGE_BYTES}
        case "future":
            headers["ce_time"] = isoformat(utc_now() + timedelta(days=400)).encode()
        case "unknown_type":
            headers["ce_type"] = b"dev.signalink.message.framed"
        case "unknown_field":
            data["invented_later"] = True
    if value is None and kind != "null_value":
        value = orjson.dumps(data)
    return Sent(topic, kind, body, event, value, list(headers.items()))


async def send(kafka: KafkaSettings, records: Sequence[Sent]) -> dict[str, str]:
    """All of them, in order per key and confirmed; body -> `topic/partition@offset`."""
    client = AIOKafkaProducer(**kafka.client_kwargs(), acks="all", max_request_size=2 * LARGE_BYTES)
    await client.start()
    try:
        waiting = [
            await client.send(kafka.topic(r.topic), key=kafka_key(r.event), value=r.value, headers=r.headers)
            for r in records
        ]
        places = [await one for one in waiting]
    finally:
        await client.stop()
    return {r.body: f"{r.topic}/{at.partition}@{at.offset}" for r, at in zip(records, places, strict=True)}

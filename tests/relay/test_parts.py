"""The pure pieces of the relay: how far each shard got, back-off per shard, the pointer to a parked row."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from signalink_core.kafka.errors import KafkaUnavailable, RecordRefused
from signalink_core.log import parked, relay
from signalink_core.log.outbox import Place
from signalink_core.log.rest import CAP_SECONDS, Rest

CHANNEL = UUID("01890000-0000-7000-8000-000000000001")
DOWN = KafkaUnavailable("down")


def row(shard: int, number: int, **fields: Any) -> dict[str, Any]:
    base = {"shard": shard, "epoch": 1, "xid": 10, "id": number, "event_id": CHANNEL, "topic": "messages"}
    rest = {"type": "t", "channel_id": CHANNEL, "seq": number, "aggregateid": CHANNEL, "traceparent": None}
    return {**base, **rest, **fields}


def test_each_shard_gets_as_far_as_its_unbroken_run() -> None:
    page = [row(1, 1), row(2, 2), row(1, 3), row(2, 4), row(3, 5)]
    assert relay.reached(page, [None, None, DOWN, None, DOWN]) == {1: Place(1, 10, 1), 2: Place(1, 10, 4)}


def test_nothing_behind_a_hole_is_reached_although_it_was_acknowledged() -> None:
    assert relay.reached([row(1, 1), row(1, 2), row(1, 3)], [None, DOWN, None]) == {1: Place(1, 10, 1)}


def test_a_row_that_is_no_event_is_refused_and_not_raised() -> None:
    broken = row(1, 1, seq=None, occurred_at=datetime.now(UTC), payload={})
    assert isinstance(relay.record_of(broken), RecordRefused)


def test_the_pointer_says_where_the_row_is_and_why_but_not_what_it_holds() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    record = parked.pointer(row(4, 9, payload={"body": "secret"}), RecordRefused("too large"), at)
    assert (record.topic, record.key) == ("dlq.messages", str(CHANNEL).encode())
    value = orjson.loads(record.value)
    assert value["pointer"] == {
        "shard": 4,
        "epoch": 1,
        "xid": 10,
        "id": 9,
        "event_id": str(CHANNEL),
        "channel_id": str(CHANNEL),
        "seq": 9,
        "type": "t",
    }
    assert (value["code"], value["at"]) == ("record_refused", "2026-01-02T03:04:05.678Z")
    assert b"secret" not in record.value
    assert "traceparent" not in dict(record.headers)


def test_a_failing_shard_rests_longer_each_time_and_the_others_do_not() -> None:
    now = [0.0]
    rest = Rest(lambda: now[0])
    held = {1: 1, 2: 1}
    for _ in range(40):
        rest.failed([1])
    assert 2 in rest.awake(held)
    now[0] = CAP_SECONDS
    assert rest.awake(held) == held
    rest.failed([1])
    rest.succeeded([1])
    assert rest.awake(held) == held

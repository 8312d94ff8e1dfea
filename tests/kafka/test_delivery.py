"""What a consumer reads of a record: the facts at once, the event when it is asked for, and nothing of a poison one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.events import Event, codec, kafka_headers, kafka_key, kafka_value, types
from signalink_core.kafka.delivery import Delivered, Origin, read
from signalink_core.kafka.errors import BadRecord
from signalink_core.kafka.records import Headers, StoredRecord, stored

PLACE = ("messages", 3)
EVENT = Event(uuid4(), types.MESSAGE_CREATED, datetime(2026, 3, 1, tzinfo=UTC), 1, {"body": "x"}, uuid4(), 7)


def record(headers: Headers, value: bytes | None = b"{}") -> StoredRecord:
    return StoredRecord(*PLACE, 11, b"key", value, headers, 5)


def changed(name: str, value: bytes | None) -> Headers:
    return [(key, value if key == name else old) for key, old in kafka_headers(EVENT)]  # type: ignore[misc]


events = st.builds(
    Event,
    st.uuids(),
    st.sampled_from(sorted(types.TYPES)),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - the strategy adds the zone
        lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
    ),
    st.integers(1, 2**31 - 1),
    st.dictionaries(st.text(), st.integers(-(2**53), 2**53)),
    st.uuids(),
    st.integers(1, 2**63 - 1),
    traceparent=st.none() | st.just(f"00-{'a' * 32}-{'b' * 16}-01"),
)


@given(events, st.booleans())
def test_what_is_read_is_what_was_sent(event: Event, fact: bool) -> None:
    if fact:
        event = replace(event, channel=None, seq=None, subject=str(uuid4()))
    made = record(kafka_headers(event), kafka_value(event))
    found = read(PLACE, made, "group")
    assert found is not None
    facts = (event.type, (event.time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1), event.epoch)
    assert found[3:6] == facts
    assert (found.channel, found.seq, found.values, found.redriven) == (event.channel, event.seq, event.data, None)
    assert (found.id, found.event, found.record) == (event.id, event, made)
    assert found.event == codec.from_record(made.headers, made.value or b"")
    assert Delivered.of(made, event)[3:] == found[3:]


def test_the_clients_record_becomes_ours_when_all_of_it_is_asked_for() -> None:
    headers = tuple(kafka_headers(EVENT))
    theirs = ConsumerRecord("bench.messages", 3, 11, 5, 0, kafka_key(EVENT), b"{}", None, 1, 2, headers)
    found = read(PLACE, theirs, "group")
    assert found is not None
    assert found.record == StoredRecord("messages", 3, 11, kafka_key(EVENT), b"{}", headers, 5)
    assert stored("messages", 3, found.record) is found.record


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"no-uuid"),
        ("ce_id", b"g" * 8 + b"-4444-4444-4444-" + b"0" * 12),
        ("ce_id", b"0123456789abcdef0123456789abcdef0123"),
        ("ce_id", None),
        ("ce_time", b"2026-03-01T00:00:00"),
        ("ce_time", b"yesterday"),
        ("ce_epoch", b"one"),
        ("ce_seq", b""),
        ("ce_seq", None),
        ("ce_channel", b"0" * 36),
        ("ce_channel", b"0" * 32),
        ("ce_subject", b"\xff"),
        ("ce_subject", None),
        ("ce_source", b"\xff"),
        ("ce_type", None),
    ],
)
def test_a_header_that_is_none_of_an_event_makes_the_record_poison(name: str, value: bytes | None) -> None:
    """Also one that no effect might ever ask for: `Delivered.event` must not fail later."""
    with pytest.raises(BadRecord) as refused:
        read(PLACE, record(changed(name, value)), "group")
    assert (refused.value.reason, refused.value.offset) == ("bad_headers", 11)


@pytest.mark.parametrize(
    "left_out", ["ce_id", "ce_type", "ce_time", "ce_subject", "ce_dataschema", "ce_epoch", "ce_seq"]
)
def test_a_missing_header_makes_the_record_poison(left_out: str) -> None:
    headers = [(name, value) for name, value in kafka_headers(EVENT) if name != left_out]
    with pytest.raises(BadRecord) as refused:
        read(PLACE, record(headers), "group")
    assert refused.value.reason == "bad_headers"


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "null_value"), (b"{", "bad_json"), (b"[]", "bad_json"), (b"{}{}", "bad_json")]
)
def test_a_value_that_is_no_object_makes_the_record_poison(value: bytes | None, reason: str) -> None:
    with pytest.raises(BadRecord) as refused:
        read(PLACE, record(kafka_headers(EVENT), value), "group")
    assert refused.value.reason == reason


def test_headers_of_others_are_not_looked_at() -> None:
    found = read(PLACE, record([*kafka_headers(EVENT), ("theirs", b"\xff")]), "group")
    assert found is not None
    assert found.event == replace(EVENT, data={})


def test_another_groups_redrive_and_an_unknown_type_are_nobodys() -> None:
    marks = [("dlq_redrive", b"group"), ("dlq_topic", b"messages"), ("dlq_partition", b"1"), ("dlq_offset", b"2")]
    redriven = record([*kafka_headers(EVENT), *marks])
    found = read(PLACE, redriven, "group")
    assert found is not None
    assert found.redriven == Origin("messages", 1, 2)
    assert read(PLACE, redriven, "others") is None
    assert read(PLACE, record(changed("ce_type", b"dev.signalink.tea.made")), "group") is None


def test_a_time_with_another_zone_is_the_same_moment() -> None:
    zone = timezone(timedelta(hours=2))
    time = EVENT.time.astimezone(zone).isoformat().encode()
    found = read(PLACE, record(changed("ce_time", time)), "group")
    assert found is not None
    assert found.at_ms == int(EVENT.time.timestamp() * 1000)

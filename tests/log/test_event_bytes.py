"""Events as bytes: both encodings both ways, the committed schemas, and readers of the past."""

from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core import clock
from signalink_core.events import (
    Event,
    Position,
    decode_live,
    encode_live,
    from_record,
    kafka_headers,
    kafka_key,
    kafka_value,
    schemas,
    types,
)
from signalink_core.ids import uuid7

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)
events = st.builds(
    lambda channel, seq, epoch, data, trace: Event(
        id=uuid7(),
        type=types.MESSAGE_CREATED,
        time=clock.utc_now(),
        epoch=epoch,
        data=data,
        channel=channel,
        seq=seq,
        traceparent=trace,
    ),
    st.uuids(),
    st.integers(1, 2**62),
    st.integers(1, 2**31 - 1),
    st.dictionaries(st.text("abcdef", max_size=5), json_values, max_size=4),
    st.none() | st.just(TRACE),
)


@given(events)
def test_a_live_frame_decodes_to_the_same_event(event: Event) -> None:
    assert decode_live(encode_live(event)) == event


@given(events)
def test_a_kafka_record_decodes_to_the_same_event(event: Event) -> None:
    assert from_record(kafka_headers(event), kafka_value(event)) == event
    assert kafka_key(event) == str(event.channel).encode()


def fact(**fields: Any) -> Event:
    user = uuid7()
    values = {"type": types.USER_REGISTERED, "data": {"user_id": str(user)}, "subject": str(user), "epoch": 1}
    return Event(**{"id": uuid7(), "time": clock.utc_now(), **values, **fields})


def test_a_fact_has_no_channel_in_its_record_and_no_live_frame() -> None:
    event = fact()
    headers = dict(kafka_headers(event))
    assert "ce_channel" not in headers
    assert "ce_seq" not in headers
    assert from_record(headers.items(), kafka_value(event)) == event
    with pytest.raises(ValueError, match="belongs to no channel"):
        encode_live(event)


def test_headers_are_the_cloudevents_binary_mode_with_one_traceparent() -> None:
    event = Event(uuid7(), types.MEMBER_LEFT, clock.utc_now(), 3, {}, UUID(int=5), 7, traceparent=TRACE)
    headers = kafka_headers(event)
    names = [name for name, _ in headers]
    assert len(names) == len(set(names))
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(event.id).encode(),
        "ce_source": b"/signalink/api",
        "ce_type": b"dev.signalink.member.left",
        "ce_time": clock.isoformat(event.time).encode(),
        "ce_subject": str(event.channel).encode(),
        "ce_dataschema": b"https://signalink.dev/schemas/dev.signalink.member.left/1",
        "ce_channel": str(event.channel).encode(),
        "ce_seq": b"7",
        "ce_epoch": b"3",
        "content-type": b"application/json",
        "traceparent": TRACE.encode(),
    }
    assert event.position == Position(3, 7)


def test_channel_and_seq_go_together() -> None:
    with pytest.raises(ValueError, match="go together"):
        fact(channel=UUID(int=1))


def test_positions_order_by_epoch_then_seq() -> None:
    assert sorted([Position(2, 1), Position(1, 9), Position(1, 2)]) == [
        Position(1, 2),
        Position(1, 9),
        Position(2, 1),
    ]


@pytest.mark.parametrize("event_type", sorted(types.TYPES))
def test_a_reader_of_today_accepts_an_event_with_fields_of_tomorrow(event_type: str) -> None:
    model = types.TYPES[event_type]
    samples: dict[str, Any] = {"uuid": str(uuid7()), "date-time": "2026-01-02T03:04:05.678Z"}
    data = {}
    for name, shape in model.model_json_schema()["properties"].items():
        if name in model.model_json_schema().get("required", ()):
            plain = samples.get(
                shape.get("format"), {"integer": 1, "object": {}, "array": [], "boolean": True}.get(shape["type"], "x")
            )
            data[name] = shape["enum"][0] if "enum" in shape else plain
    assert model.model_validate(data | {"field_of_tomorrow": 1}) == model.model_validate(data)


def test_the_committed_schemas_are_the_generated_ones() -> None:
    folder = Path(__file__).parents[2] / "docs" / "api" / "events"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == schemas.render()
    for content in schemas.render().values():
        assert orjson.loads(content)["$id"].startswith("https://signalink.dev/schemas/dev.signalink.")

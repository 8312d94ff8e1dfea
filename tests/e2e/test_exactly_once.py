"""The judges of the proofs `exactly-once` and `rolling` find each kind of damage, and nothing where there is none."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.extend(str(Path(__file__).parent / folder) for folder in (".", "exactly-once", "rolling"))

import judging
import moves
import telling
from telling import Told

from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value, types
from signalink_core.ids import uuid7
from signalink_core.kafka.records import StoredRecord

CHANNEL = uuid7()
EVENTS = [
    Event(uuid7(), types.MESSAGE_CREATED, datetime.now(UTC), 1, {"body": str(seq)}, CHANNEL, seq) for seq in (1, 2, 3)
]
IDS = [event.id for event in EVENTS]


def records(*events: Event) -> list[StoredRecord]:
    return [
        StoredRecord("messages", 0, offset, kafka_key(event), kafka_value(event), list(kafka_headers(event)), 0)
        for offset, event in enumerate(events)
    ]


def row(event: Event, **more: Any) -> judging.Row:
    found = {"event_id": event.id, "topic": "messages", "type": event.type, "channel_id": event.channel}
    found |= {"seq": event.seq, "client_id": f"k{event.seq}", "sender_id": "s", "message_id": event.id}
    return found | more


ANSWERS: dict[str, tuple[str, int] | None] = {f"k{e.seq}": (str(e.id), e.seq or 0) for e in EVENTS}
ROWS = [row(event) for event in EVENTS]


def test_a_topic_that_holds_the_log_once_is_clean_and_so_is_a_batch_that_came_twice() -> None:
    first, second, third = EVENTS
    assert judging.topic("messages", records(*EVENTS), IDS) == judging.Topic("messages", 3, 0, [])
    again = judging.topic("messages", records(first, second, first, second, third), IDS)
    assert again == judging.Topic("messages", 5, 2, [])


@pytest.mark.parametrize(
    ("events", "finding"),
    [
        ((EVENTS[0], EVENTS[2]), "is missing"),
        ((EVENTS[0], EVENTS[2], EVENTS[1]), "came first after (1, 3)"),
        ((*EVENTS, replace(EVENTS[2], id=uuid7())), "two events are at (1, 3)"),
        ((*EVENTS, replace(EVENTS[2], id=uuid7(), seq=4)), "is not in the log"),
        ((*EVENTS, replace(EVENTS[0], data={"body": "other"})), "with other bytes"),
        ((*EVENTS, replace(EVENTS[0], seq=4)), "with other bytes"),
    ],
)
def test_damage_in_a_topic_is_found(events: tuple[Event, ...], finding: str) -> None:
    assert any(finding in line for line in judging.topic("messages", records(*events), IDS).wrong)


def test_a_log_with_each_post_once_is_clean() -> None:
    assert judging.log(ROWS, ANSWERS) == []


@pytest.mark.parametrize(
    ("rows", "answers", "finding"),
    [
        (ROWS[:2], ANSWERS, "k3 is None in the log"),
        (ROWS, ANSWERS | {"k4": None}, "k4 has no answer"),
        ([*ROWS, row(EVENTS[0], seq=4)], ANSWERS, "event id"),
        ([*ROWS, row(EVENTS[0], event_id=uuid7(), seq=4)], ANSWERS, "client_id"),
        ([*ROWS, row(EVENTS[0], event_id=uuid7(), message_id=uuid7(), client_id="k4")], ANSWERS, "place"),
        ([*ROWS[:2], row(EVENTS[2], seq=9)], ANSWERS, "and was answered as"),
    ],
)
def test_damage_in_a_log_is_found(rows: list[judging.Row], answers: dict[str, Any], finding: str) -> None:
    assert any(finding in line for line in judging.log(rows, answers))


def steps(*spans: tuple[int, int, float]) -> dict[int, list[moves.Move]]:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return {0: [moves.Move(was, reached, began + timedelta(seconds=at)) for was, reached, at in spans]}


def test_moves_that_join_are_whole_and_gaps_and_overlaps_are_found() -> None:
    assert moves.broken(steps((0, 5, 0), (5, 9, 1))) == []
    assert moves.broken(steps((0, 5, 0), (6, 9, 1))) == ["partition 0: 5 was followed by 6"]
    assert moves.broken(steps((0, 5, 0), (4, 9, 1))) == ["partition 0: 5 was followed by 4"]


def test_the_longest_pause_is_that_of_the_slowest_partition_at_the_time() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    found = steps((0, 1, 0), (1, 2, 9), (2, 3, 10), (3, 4, 13), (4, 5, 14)) | {1: steps((0, 1, 9), (1, 2, 14))[0]}
    assert moves.longest_pause(found, began + timedelta(seconds=9.5), began + timedelta(seconds=12)) == 5
    assert moves.longest_pause({}, began, began) == float("inf")


def delivery(message: str, user: str, channel: str = "email", **more: Any) -> dict[str, Any]:
    """One that was sent; its key says what it is of."""
    found = {"id": "d", "message_id": message, "user_id": user, "channel": channel, "state": "sent", "reason": None}
    return found | {"last_error": None, "idempotency_key": f"{message} {user} {channel}"} | more


DELIVERIES = [delivery("m1", "bob"), delivery("m1", "bob", "push"), delivery("m2", "eve")]
WANTED = {Told("m1", "bob", "email"), Told("m1", "bob", "push"), Told("m2", "eve", "email")}


def test_one_sent_delivery_for_each_way_of_telling_is_clean() -> None:
    assert telling.rows(DELIVERIES, WANTED) == []


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (DELIVERIES[1:], "has no delivery"),
        ([*DELIVERIES, delivery("m2", "eve")], "has 2 deliveries"),
        ([*DELIVERIES, delivery("m2", "bob")], "was asked for by nobody"),
        ([*DELIVERIES[1:], delivery("m1", "bob", state="failed", last_error="http_500")], "is failed: http_500"),
    ],
)
def test_damage_in_deliveries_is_found(rows: list[dict[str, Any]], finding: str) -> None:
    assert any(finding in line for line in telling.rows(rows, WANTED))


def test_a_death_after_a_call_pays_for_one_repeat_by_its_way_alone() -> None:
    once = {"email": {"m1 bob email": 1, "m2 eve email": 1}, "push": {"m1 bob push": 1}}
    assert telling.taken(DELIVERIES, once, {}) == []
    again = once | {"email": {"m1 bob email": 2, "m2 eve email": 1}}
    assert telling.taken(DELIVERIES, again, {"email": 1}) == []
    assert telling.taken(DELIVERIES, again, {"push": 1}) == ["email: 1 repeats for 0 deaths after a call"]
    thrice = once | {"email": {"m1 bob email": 3, "m2 eve email": 1}}
    assert telling.taken(DELIVERIES, thrice, {"email": 2}) == [], "whoever took it over died as well"


@pytest.mark.parametrize(
    ("email", "finding"),
    [
        ({"m1 bob email": 1}, "never took m2 eve email"),
        ({"m1 bob email": 1, "m2 eve email": 1, "another key": 1}, "which no delivery has"),
        ({"m1 bob email": 4, "m2 eve email": 1}, "email: 3 repeats for 2 deaths"),
        ({"m1 bob email": 3, "m2 eve email": 2}, "email: 3 repeats for 2 deaths"),
    ],
)
def test_damage_at_a_provider_is_found(email: dict[str, int], finding: str) -> None:
    took = {"email": email, "push": {"m1 bob push": 1}}
    assert any(finding in line for line in telling.taken(DELIVERIES, took, {"email": 2}))

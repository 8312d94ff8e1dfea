"""What the facts about a message mean: its hops, where it is stuck, and one sentence for a person."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from signalink_core.kafka.search import Found
from signalink_labs.journey import hops
from signalink_labs.journey.hops import Facts, Hop
from signalink_labs.journey.nodes import Node
from signalink_labs.journey.stores import MOST_WAITING, Stored
from signalink_stacks.local.tracelines import TraceLine

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MESSAGE = UUID(int=(int(AT.timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62) | 5)
ROW: dict[str, Any] = {
    "message_id": MESSAGE, "channel_id": UUID(int=1), "seq": 5, "sender_id": UUID(int=2), "sender": "ada",
    "client_id": "first", "created_at": AT, "channel": "Ships", "channel_epoch": 1, "last_seq": 5, "event_row": 8,
    "event_id": UUID(int=3), "epoch": 1, "xid": "1151", "shard": 53, "topic": "messages", "traceparent": None,
    "occurred_at": AT + timedelta(milliseconds=4), "hidden": False, "relayed": True, "cursor_epoch": 1,
    "cursor_xid": "1151", "cursor_row": 8, "holder": "relay-0", "lease_until": AT, "leased": True, "waiting": 0,
}  # fmt: skip
RECORD = Found("messages", 4, 10, 20, 3, True, 12, int(AT.timestamp() * 1000) + 9)
AWAY = "Kafka did not answer within 5 s (TimeoutError)."
READY = {"ready": True, "dependencies": {"kafka": {"state": "ok", "detail": ""}}}
DOWN = {"ready": False, "dependencies": {"kafka": {"state": "down", "detail": "It does not answer."}}}
SEEN = {"known": True, "epoch": 1, "seq": 5, "sessions": 2, "healing": False, "bus_connected": True}


def gateway(**changes: Any) -> Node:
    return Node("gateway-0", READY, SEEN | changes)


def facts(*nodes: Node, record: Found | str | None = RECORD, lines: tuple[TraceLine, ...] = (), **row: Any) -> Facts:
    known = nodes or (Node("relay-0", READY), gateway())
    return Facts(Stored(ROW | row, AT + timedelta(milliseconds=5)), record, known, lines)


def hop(found: Facts, part: str) -> Hop:
    return next(each for each in hops.of(found) if each.part == part)


def test_a_message_that_went_all_the_way_has_its_hops_in_order_with_times() -> None:
    found = hops.of(facts())
    assert [(each.part, each.status) for each in found] == [
        ("api", "done"), ("log", "done"), ("relay", "done"), ("kafka", "done"), ("gateway-0", "done"),
    ]  # fmt: skip
    times = [each.at for each in found]
    assert times[:2] == [AT, AT + timedelta(milliseconds=5)]
    assert times[3] == AT + timedelta(milliseconds=9)
    assert hops.verdict(found) == (True, "It went all the way.")


def test_log_lines_add_the_times_of_relay_and_gateway_and_the_answer_of_the_api() -> None:
    def line(process: str, event: str, **fields: Any) -> TraceLine:
        return TraceLine(process, "2026-01-02T03:04:05.020Z", event, fields)

    found = facts(
        lines=(
            line("api-0", "request_done", status=201, ms=6.2),
            line("relay-0", "events_published"),
            line("gateway-1", "event_taken"),
            line("gateway-0", "event_taken"),
        )
    )
    assert "api-0 answered 201 after 6.2 ms" in hop(found, "api").what
    for part in ("relay", "gateway-0"):
        assert (hop(found, part).at, hop(found, part).source) == (AT + timedelta(milliseconds=20), "log line")


def test_parts_that_were_not_chosen_hold_nothing_up() -> None:
    alone = Facts(Stored(ROW | {"relayed": False}, None), None, (gateway(),), (), off={"relay", "kafka"})
    assert [each.status for each in hops.of(alone)] == ["done", "done", "off", "off", "done"]
    assert "the log keeps the event" in hop(alone, "relay").what
    assert hops.verdict(hops.of(alone)) == (True, "It went all the way; off: relay, kafka.")
    nobody = Facts(Stored(ROW | {"relayed": False}, None), None, (), (), off={"relay", "kafka", "gateway"})
    assert hop(nobody, "gateway").status == "off"


def test_a_message_that_a_relay_carried_before_it_was_left_out_is_done() -> None:
    assert hop(Facts(Stored(ROW, None), RECORD, (gateway(),), (), off={"relay"}), "relay").status == "done"


def test_without_commit_times_the_insert_stands_in_and_says_so() -> None:
    found = Facts(Stored(ROW, None), RECORD, (), ())
    assert (hop(found, "log").at, hop(found, "log").source) == (ROW["occurred_at"], "insert")


def test_with_kafka_away_the_log_has_it_and_the_sentence_says_why_it_stands() -> None:
    found = hops.of(facts(record=AWAY, relayed=False, waiting=3))
    assert [each.status for each in found] == ["done", "done", "waiting", "waiting", "done"]
    complete, sentence = hops.verdict(found)
    assert not complete
    assert sentence.startswith("api, log, gateway-0: yes; relay not yet, kafka not yet.")
    assert "3 events are before it: Kafka did not answer within 5 s (TimeoutError), so relay-0 waits" in sentence


@pytest.mark.parametrize(
    ("nodes", "row", "words"),
    [
        ((Node("relay-0", DOWN), gateway()), {}, "relay-0 says kafka is down (It does not answer)"),
        ((Node("relay-0", problem="does not answer within 2 s (ready)"), gateway()), {}, "relay-0 does not answer"),
        ((), {"hidden": True}, "an older transaction is still open in Postgres"),
        ((), {"leased": False}, "no relay holds the lease of this shard"),
        ((), {}, "relay-0 is at work on it"),
        ((), {"waiting": MOST_WAITING}, "10000 or more events are before it"),
    ],
)
def test_a_relay_that_has_not_come_there_says_why(nodes: tuple[Node, ...], row: dict[str, Any], words: str) -> None:
    missing = Found("messages", 4, 10, 20, 3, True)
    found = facts(*nodes, record=missing, relayed=False, **row)
    assert hop(found, "relay").status == "waiting"
    assert words in hop(found, "relay").what
    assert hop(found, "kafka").what == "It is not in messages, partition 4."


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (AWAY, "The cursor says that Kafka has it, but kafka did not answer"),
        (Found("messages", 4, 10, 20, 10, True), "look into dlq.messages"),
        (Found("messages", 4, 10, 90_000, 20_000, False), "The first 20000 records"),
    ],
)
def test_what_kafka_cannot_show_though_the_cursor_is_past_it_is_unknown(record: Found | str, words: str) -> None:
    found = hop(facts(record=record), "kafka")
    assert found.status == "unknown"
    assert words in found.what


@pytest.mark.parametrize(
    ("node", "status", "words"),
    [
        (Node("gateway-0", READY, {"known": False}), "idle", "nobody is in this channel here"),
        (Node("gateway-0", problem="does not answer within 2 s (ready)"), "unknown", "does not answer within 2 s"),
        (gateway(seq=4), "waiting", "heals within two seconds"),
        (gateway(seq=4, healing=True), "waiting", "it reads the log now"),
        (gateway(seq=None, bus_connected=False), "waiting", "it has lost redis"),
        (gateway(epoch=2, seq=9), "waiting", "The channel is at seq 9"),
    ],
)
def test_a_gateway_has_it_or_waits_or_does_not_need_it(node: Node, status: str, words: str) -> None:
    found = hop(facts(node), "gateway-0")
    assert found.status == status
    assert words.lower() in found.what.lower()


def test_an_event_that_went_by_retention_is_no_fault() -> None:
    found = hops.of(facts(record=None, event_row=None, relayed=None))
    assert [each.status for each in found] == ["done", "done", "idle", "idle", "done"]
    assert "by retention" in found[1].what
    assert hops.verdict(found)[0]

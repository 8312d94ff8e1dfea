"""What a relay logs of a batch: what went to Kafka, what did not, the traces in it; and when it says nothing."""

import pytest
from structlog.testing import capture_logs

from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.log import telling
from signalink_core.telemetry.trace import new_traceparent
from signalink_core.telemetry.traced import PER_SECOND, Lines

AWAY = KafkaUnavailable("Kafka is away.")


@pytest.fixture(autouse=True)
def fresh_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "sent_lines", Lines())
    monkeypatch.setattr(Lines, "everything", False)


def row(trace: str | None, topic: str = "messages") -> dict[str, str | None]:
    return {"topic": topic, "traceparent": trace}


def test_a_batch_is_one_line_with_each_of_its_traces_once() -> None:
    first, second = new_traceparent(), new_traceparent()
    with capture_logs() as lines:
        telling.sent([row(first), row(first), row(None, "analytics"), row(second)], [None] * 4)
    (line,) = lines
    assert (line["event"], line["count"], line["topics"]) == ("events_published", 4, ["analytics", "messages"])
    assert line["trace_ids"] == [first[3:35], second[3:35]]


def test_what_kafka_did_not_take_is_a_warning_of_its_own_with_the_reasons() -> None:
    good, bad = new_traceparent(), new_traceparent()
    with capture_logs() as lines:
        telling.sent([row(good), row(bad)], [None, AWAY])
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("events_published", "info"),
        ("events_not_published", "warning"),
    ]
    assert (lines[1]["trace_ids"], lines[1]["reasons"]) == ([bad[3:35]], ["Kafka is away."])


def test_a_large_batch_names_fifty_traces_and_at_debug_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(new_traceparent()) for _ in range(200)]
    with capture_logs() as lines:
        telling.sent(rows, [None] * 200)
        monkeypatch.setattr(Lines, "everything", True)
        telling.sent(rows, [None] * 200)
    assert [len(line["trace_ids"]) for line in lines] == [telling.MOST_TRACES, 200]


def test_many_batches_a_second_write_their_share() -> None:
    with capture_logs() as lines:
        for _ in range(PER_SECOND * 5):
            telling.sent([row(None)], [None])
    assert PER_SECOND <= len(lines) < PER_SECOND * 5

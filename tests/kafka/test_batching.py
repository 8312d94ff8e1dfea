"""The bookkeeping of one call: what is acknowledged, refused and failed, per partition and in order."""

from signalink_core.kafka.batching import NOT_SENT, Work
from signalink_core.kafka.errors import KafkaUnavailable, RecordRefused, TopicMissing
from signalink_core.kafka.records import Record, partition_of

PLACE = ("t", 0)


def work(count: int) -> Work:
    made = Work([Record("t", b"k", str(n).encode()) for n in range(count)])
    made.queue({"t": 1}, {})
    return made


def test_what_nobody_answered_for_was_not_sent() -> None:
    assert work(2).outcomes == [NOT_SENT, NOT_SENT]


def test_acknowledgements_come_off_the_front_and_an_empty_queue_goes() -> None:
    made = work(3)
    made.acknowledged(PLACE, 2)
    assert made.outcomes == [None, None, NOT_SENT]
    made.acknowledged(PLACE, 1)
    assert made.queues == {}


def test_a_refused_record_does_not_hold_up_those_behind_it() -> None:
    made, refusal = work(2), RecordRefused("no")
    made.refused(PLACE, refusal)
    assert made.outcomes == [refusal, NOT_SENT]
    assert list(made.queues[PLACE]) == [1]


def test_a_failure_ends_the_whole_partition_so_that_nothing_overtakes() -> None:
    made, failure = work(3), KafkaUnavailable("down")
    made.acknowledged(PLACE, 1)
    made.failed(PLACE, failure)
    assert made.outcomes == [None, failure, failure]
    assert made.queues == {}


def test_a_missing_topic_takes_only_its_own_records_out() -> None:
    made, gone = Work([Record("a", b"k", b""), Record("b", b"k", b"")]), TopicMissing("gone")
    made.queue({"b": 3}, {"a": gone})
    assert made.outcomes == [gone, NOT_SENT]
    assert list(made.queues) == [("b", partition_of(b"k", 3))]


def test_partitions_are_those_of_the_java_client() -> None:
    # The values are those of Kafka's own test, org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    assert partition_of(b"21", 12) == (-973932308 & 0x7FFFFFFF) % 12
    assert partition_of(b"a-little-bit-long-string", 12) == (-985981536 & 0x7FFFFFFF) % 12

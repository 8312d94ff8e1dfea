"""What can go wrong with Kafka, as values that a batch answers per record.

SignalinkError
├── RecordRefused           record_refused     Kafka will never take this record; sending it again changes nothing
└── DependencyUnavailable
    └── KafkaUnavailable    kafka_unavailable  not acknowledged; it may still land, and may be sent again
        └── TopicMissing    topic_missing      Kafka answers, but does not know the topic
"""

from signalink_core.errors import DependencyUnavailable, SignalinkError


class RecordRefused(SignalinkError):
    """Permanent; `detail` names Kafka's reason."""

    code = "record_refused"
    status = 422


class KafkaUnavailable(DependencyUnavailable):
    code = "kafka_unavailable"


class TopicMissing(KafkaUnavailable):
    code = "topic_missing"


Problem = RecordRefused | KafkaUnavailable
"""Why one record was not acknowledged."""

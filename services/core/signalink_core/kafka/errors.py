"""What can go wrong with Kafka, as values that a batch answers per record or as errors of one record.

SignalinkError
├── RecordRefused           record_refused     Kafka will never take this record; sending it again changes nothing
├── BadRecord               bad_record         this record is no event, or not the event it says; .reason is closed
├── StaleOwner              stale_owner        another consumer of the group moved the offset of this partition
├── EffectTooSlow           effect_too_slow    Postgres ended a statement of the effect, after its time-out
└── DependencyUnavailable
    ├── StoreUnavailable    store_unavailable  the store of offsets and effects does not answer
    └── KafkaUnavailable    kafka_unavailable  not acknowledged; it may still land, and may be sent again
        └── TopicMissing    topic_missing      Kafka answers, but does not know the topic
"""

from typing import Literal

from signalink_core.errors import DependencyUnavailable, SignalinkError

Reason = Literal["bad_headers", "bad_json", "bad_data", "unknown_version", "null_value"]


class RecordRefused(SignalinkError):
    """Permanent; `detail` names Kafka's reason."""

    code = "record_refused"
    status = 422


class BadRecord(SignalinkError):
    """Permanent. `offset` is the record's in its partition; nothing of its content is in the text."""

    code = "bad_record"
    status = 422

    def __init__(self, reason: Reason, offset: int, detail: str) -> None:
        super().__init__(detail, reason=reason, offset=offset)
        self.reason: Reason = reason
        self.offset = offset


class StaleOwner(SignalinkError):
    """The effect was rolled back: the partition is somebody else's, or was moved by hand."""

    code = "stale_owner"
    status = 409


class EffectTooSlow(SignalinkError):
    code = "effect_too_slow"


class StoreUnavailable(DependencyUnavailable):
    code = "store_unavailable"


class KafkaUnavailable(DependencyUnavailable):
    code = "kafka_unavailable"


class TopicMissing(KafkaUnavailable):
    code = "topic_missing"


Problem = RecordRefused | KafkaUnavailable
"""Why one record was not acknowledged."""

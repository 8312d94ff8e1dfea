"""Events: the facts that the log keeps, Redis and Kafka carry and sockets show. Owns their shape, not their storage."""

from signalink_core.events.codec import decode_live, encode_live, from_record, kafka_headers, kafka_key, kafka_value
from signalink_core.events.envelope import Event, Position, schema_of

__all__ = [
    "Event",
    "Position",
    "decode_live",
    "encode_live",
    "from_record",
    "kafka_headers",
    "kafka_key",
    "kafka_value",
    "schema_of",
]

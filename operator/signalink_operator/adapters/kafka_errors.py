"""Kafka's error codes as reasons of a resource's condition: one table for all calls. What follows is for `plans`."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError

from signalink_operator.model import Failure

DENIED = "AccessDenied"
UNAVAILABLE = "KafkaUnavailable"
UNAUTHENTICATED = "KafkaUnauthenticated"
LOGIN = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC})
EXISTS = KafkaError.TOPIC_ALREADY_EXISTS
_REASONS: Mapping[int, str] = {
    KafkaError._TRANSPORT: UNAVAILABLE,
    KafkaError._ALL_BROKERS_DOWN: UNAVAILABLE,
    KafkaError._TIMED_OUT: UNAVAILABLE,
    KafkaError._RESOLVE: UNAVAILABLE,
    KafkaError.REQUEST_TIMED_OUT: UNAVAILABLE,
    KafkaError.NOT_CONTROLLER: UNAVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS: UNAVAILABLE,
    KafkaError.THROTTLING_QUOTA_EXCEEDED: "KafkaThrottled",
    KafkaError._AUTHENTICATION: UNAUTHENTICATED,
    KafkaError.SASL_AUTHENTICATION_FAILED: UNAUTHENTICATED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: DENIED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: DENIED,
    KafkaError.TOPIC_DELETION_DISABLED: "DeletionDisabled",
    KafkaError.POLICY_VIOLATION: "PolicyViolation",
    KafkaError.INVALID_REPLICATION_FACTOR: "InvalidReplicas",
    KafkaError.INVALID_PARTITIONS: "InvalidPartitions",
    KafkaError.INVALID_CONFIG: "InvalidConfig",
    KafkaError.TOPIC_EXCEPTION: "InvalidName",
    EXISTS: "AlreadyExists",
    **dict.fromkeys(MISSING, "NotFound"),
}
_DENIED_BY: Mapping[str, str] = {
    "create_topics": "CreateDenied",
    "create_partitions": "GrowDenied",
    "incremental_alter_configs": "ConfigDenied",
    "delete_topics": "DeleteDenied",
}


def failure(error: KafkaError, call: str) -> Failure:
    """What `call` could not do; a denial says which right is missing."""
    reason = _REASONS.get(error.code(), "KafkaError")
    return Failure(_DENIED_BY.get(call, DENIED) if reason == DENIED else reason, error.str())

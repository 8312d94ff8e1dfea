"""What running reassignments lead to, through kafka-python: confluent-kafka 2.16 has no such call.

Asked only where a topic has another number of replicas than its resource says. A broker that does not know the call, or
does not let us ask, answers as if none ran: then the number is refused as ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging
from signalink_core.telemetry import names as metric_names
from signalink_operator import settings

CALL = "list_partition_reassignments"
log = logging.get_logger(__name__)


def targets(kafka: KafkaSettings, names: Sequence[str], deadlines: settings.Deadlines) -> dict[str, int]:
    """Replicas of each topic (full name) once the reassignment of its partitions is done; others are left out."""
    try:
        from kafka.errors import KafkaError

        from kafka import KafkaAdminClient
    except ImportError:  # the local target's `apply` does without
        return {}
    milliseconds = int(deadlines.call_seconds * 1000)
    began, result = time.monotonic(), "failed"
    try:
        client = KafkaAdminClient(
            **settings.python_config(kafka),
            request_timeout_ms=milliseconds,
            bootstrap_timeout_ms=milliseconds,
        )
        try:
            found = client.list_partition_reassignments(timeout_ms=milliseconds)
        finally:
            client.close()
        result = "ok"
    except (KafkaError, OSError, TimeoutError, AttributeError, ValueError) as error:
        log.info("reassignments_not_known", what=type(error).__name__)
        return {}
    finally:
        seconds = metric_names.OPERATOR_ADMIN_CALL_SECONDS.labels(call=CALL, result=result)
        seconds.observe(time.monotonic() - began)
    counts: dict[str, set[int]] = {}
    for partition, moving in found.items():
        if partition.topic in names:
            after = set(moving["replicas"]) - set(moving["removing_replicas"])
            counts.setdefault(partition.topic, set()).add(len(after))
    return {name: sizes.pop() for name, sizes in counts.items() if len(sizes) == 1}

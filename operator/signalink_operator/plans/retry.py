"""Which failures are worth another try by themselves, and when. Pure; the queue keeps the time.

Everything else waits for an edit or the next full pass: what is refused once is refused again a second later.
"""

from __future__ import annotations

PASSING = frozenset(
    {
        "AlreadyExists",
        "ApiThrottled",
        "ApiUnavailable",
        "KafkaThrottled",
        "KafkaUnavailable",
        "KubernetesUnavailable",
        "NotFound",
        "NotReady",
    }
)


def delay(attempt: int, first: float = 2.0, most: float = 120.0) -> float:
    """Seconds before attempt `attempt + 1`; attempts count from 1."""
    return min(most, first * 2.0 ** min(attempt - 1, 32))

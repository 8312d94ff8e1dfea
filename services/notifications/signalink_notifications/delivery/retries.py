"""When a delivery is attempted again: exponential with full jitter, never before the provider's Retry-After. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_RETRY_AFTER: Final = 3600.0
"""A provider may ask for more; it is asked again after an hour."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`attempts` in all; the wait after attempt n is uniform in 0..min(cap, base 2^(n-1))."""

    attempts: int
    base_seconds: float
    cap_seconds: float


def wait(made: int, policy: Policy, chance: float, retry_after: float | None = None) -> float | None:
    """Seconds until the next attempt after `made` of them; None: that was the last. `chance` is uniform in 0..1."""
    if made >= policy.attempts:
        return None
    most = min(policy.cap_seconds, policy.base_seconds * 2.0 ** min(max(made, 1) - 1, 32))
    return max(chance * most, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, by either of its forms; None when it says nothing sensible."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header.strip()[:9])
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())

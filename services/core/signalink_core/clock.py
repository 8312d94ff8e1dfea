"""Wall-clock time as Signalink shows it: UTC, milliseconds. Durations use `time.monotonic`, order uses seq."""

from datetime import UTC, datetime
from functools import lru_cache


def utc_now() -> datetime:
    """Aware UTC time truncated to milliseconds."""
    return truncate(datetime.now(UTC))


def truncate(moment: datetime) -> datetime:
    """The same moment without its microseconds below one millisecond."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@lru_cache(maxsize=1024)  # a message's time is said four times
def isoformat(moment: datetime) -> str:
    """`2026-01-02T03:04:05.678Z`; a naive datetime is refused, since its zone would be a guess."""
    if moment.tzinfo is None:
        raise ValueError("isoformat needs an aware datetime")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

"""The figures of heal times: p50, p95 and maximum of seconds, some of which may never have ended. Pure."""

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Answer the value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def figures(values: Sequence[float | None]) -> str:
    """Answer p50 / p95 / max in seconds."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return f"never ended in {len(values) - len(known)} of {len(values)}"
    return " / ".join(f"{value:.1f}" for value in (percentile(known, 0.5), percentile(known, 0.95), max(known)))

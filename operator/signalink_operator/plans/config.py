"""When two spellings of a topic setting mean the same, so that `1000` and `"1000"` are no drift.

Source of the types: Apache Kafka's topic configuration reference (4.x). A key that is not in the table is compared as
text, and Kafka itself says whether it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping


def _boolean(text: str) -> Hashable:
    return text.strip().lower() == "true"


def _integer(text: str) -> Hashable:
    return int(text)


def _double(text: str) -> Hashable:
    return float(text)


def _list(text: str) -> Hashable:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


_BY_TYPE: Mapping[Callable[[str], Hashable], tuple[str, ...]] = {
    _boolean: (
        "message.downconversion.enable",
        "preallocate",
        "remote.log.copy.disable",
        "remote.log.delete.on.disable",
        "remote.storage.enable",
        "unclean.leader.election.enable",
    ),
    _integer: (
        "delete.retention.ms",
        "file.delete.delay.ms",
        "flush.messages",
        "flush.ms",
        "index.interval.bytes",
        "local.retention.bytes",
        "local.retention.ms",
        "max.compaction.lag.ms",
        "max.message.bytes",
        "message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms",
        "min.compaction.lag.ms",
        "min.insync.replicas",
        "retention.bytes",
        "retention.ms",
        "segment.bytes",
        "segment.index.bytes",
        "segment.jitter.ms",
        "segment.ms",
    ),
    _double: ("min.cleanable.dirty.ratio",),
    _list: (
        "cleanup.policy",
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
    ),
}
_PARSE: Mapping[str, Callable[[str], Hashable]] = {key: parse for parse, keys in _BY_TYPE.items() for key in keys}


def same(key: str, desired: str, observed: str | None) -> bool:
    """Whether Kafka would treat both values of `key` alike; a value that cannot be read is only equal to itself."""
    if observed is None or desired == observed:
        return desired == observed
    parse = _PARSE.get(key)
    if parse is None:
        return False
    try:
        return parse(desired) == parse(observed)
    except ValueError:
        return False

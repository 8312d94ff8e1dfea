"""What the platform's services must make of the mixture: their dead letters, and the figures of what is behind them.

Owns which group reads which topics. The effect that fails in this program's group is none of theirs, so to them those
records are good ones.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from mixture import POISON, Sent
from rig import Platform

from signalink_core.database import pool

GROUPS: Final = {
    "signalink-analytics": ("messages", "analytics", "presence"),
    "signalink-notifications-planner": ("messages", "presence"),
}
COUNTED = "SELECT channel_id, sum(messages)::bigint AS n FROM analytics.channel_metrics GROUP BY channel_id"


def poison_of(group: str, sent: Sequence[Sent], places: Mapping[str, str]) -> dict[str, str]:
    """Place of a record -> the error of its letter, for what that group has to park."""
    return {
        places[record.body]: POISON[record.kind]
        for record in sent
        if record.topic in GROUPS[group] and _is_poison(record)
    }


def _is_poison(record: Sent) -> bool:
    return record.poison and record.kind != "effect"


async def miscounted(platform: Platform, sent: Sequence[Sent]) -> list[str]:
    """Channels whose messages analytics counts otherwise than they were sent."""
    wanted = Counter(
        record.event.channel
        for record in sent
        if record.topic == "messages" and record.kind != "unknown_type" and not _is_poison(record)
    )
    connection = await pool.connect(platform.postgres("owner"))
    try:
        counted = {row["channel_id"]: row["n"] for row in await connection.fetch(COUNTED)}
    finally:
        await connection.close()
    return [
        f"{channel}: {counted.get(channel, 0)} of {count}"
        for channel, count in wanted.items()
        if counted.get(channel, 0) != count
    ]

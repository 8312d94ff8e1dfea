"""Every move of a stored offset, noted by a trigger in the transaction that makes it.

Owns the trigger and what its rows say: that the moves of a partition join without gap or overlap, so each record had
its effect in one transaction, and how long each partition stood still.
"""

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rig import Platform

from signalink_core.database import pool

SCHEMA = "analytics"
NOTE = f"""
CREATE SCHEMA proof;
CREATE TABLE proof.moves (
    n bigint GENERATED ALWAYS AS IDENTITY, topic text, partition int, was bigint, reached bigint,
    at timestamptz DEFAULT clock_timestamp()
);
CREATE FUNCTION proof.note_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO proof.moves (topic, partition, was, reached)
    VALUES (NEW.topic, NEW.partition, CASE TG_OP WHEN 'UPDATE' THEN OLD.next_offset ELSE 0 END, NEW.next_offset);
    RETURN NULL;
END $$;
CREATE TRIGGER note_first AFTER INSERT ON {SCHEMA}.offsets FOR EACH ROW EXECUTE FUNCTION proof.note_move();
CREATE TRIGGER note_move AFTER UPDATE OF next_offset ON {SCHEMA}.offsets FOR EACH ROW
    WHEN (NEW.next_offset IS DISTINCT FROM OLD.next_offset) EXECUTE FUNCTION proof.note_move();
"""
READ = "SELECT partition, was, reached, at FROM proof.moves WHERE topic = $1 ORDER BY n"
NOW = "SELECT clock_timestamp()"


class Move(NamedTuple):
    """One transaction's step of one partition."""

    was: int
    reached: int
    at: datetime


async def fetch(platform: Platform, statement: str, *arguments: Any) -> list[Any]:
    """As the owner of the schemas."""
    connection = await pool.connect(platform.postgres("owner"), command_timeout=60)
    try:
        return list(await connection.fetch(statement, *arguments))
    finally:
        await connection.close()


async def watch(platform: Platform) -> None:
    """From now on every move is noted."""
    connection = await pool.connect(platform.postgres("owner"))
    try:
        await connection.execute(NOTE)
    finally:
        await connection.close()


async def now(platform: Platform) -> datetime:
    """By the clock that the moves carry."""
    moment: datetime = (await fetch(platform, NOW))[0][0]
    return moment


async def of_topic(platform: Platform, topic: str) -> dict[int, list[Move]]:
    """Partition -> its moves in their order."""
    found: dict[int, list[Move]] = {}
    for row in await fetch(platform, READ, topic):
        found.setdefault(row["partition"], []).append(Move(row["was"], row["reached"], row["at"]))
    return found


def broken(moves: Mapping[int, Sequence[Move]]) -> list[str]:
    """Where the moves of a partition do not join: a gap is a loss, an overlap is something twice."""
    return [
        f"partition {partition}: {before.reached} was followed by {after.was}"
        for partition, steps in moves.items()
        for before, after in itertools.pairwise(steps)
        if before.reached != after.was
    ]


def longest_pause(moves: Mapping[int, Sequence[Move]], begin: datetime, end: datetime) -> float:
    """The most seconds for which a partition stood still at a time between the two moments."""
    pauses = [
        (after.at - before.at).total_seconds()
        for steps in moves.values()
        for before, after in itertools.pairwise(steps)
        if after.at > begin and before.at < end
    ]
    return max(pauses, default=float("inf"))

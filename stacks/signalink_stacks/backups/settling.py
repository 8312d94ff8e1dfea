"""What a log that came back must do before its writers start (the epoch rule), and the ends of topics, which it needs.

The local platform calls it. On a cluster its text runs in pods that have the accounts, `python -c TEXT ends`,
`epochs` or `settle JSON`, so it imports nothing but `signalink_core`; the answer is the line after `MARK`.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import asyncpg
from asyncpg.exceptions import PostgresError

from signalink_core.database import pool
from signalink_core.errors import SignalinkError
from signalink_core.kafka import restored
from signalink_core.kafka.batching import Place
from signalink_core.log import rewind, state
from signalink_core.settings import KafkaSettings, PostgresSettings

MARK: Final = "signalink-restore "
LOGS: Final = """
SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'log_state' AND c.relkind = 'r' ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """The log's new epoch; per schema the offsets that stand at the end and the events that are published again."""

    epoch: int
    offsets: dict[str, int]
    events: dict[str, int]


async def settle(owner: PostgresSettings, found: Mapping[Place, int], floors: Mapping[str, int]) -> Restored:
    """As owner, all writers stopped. `found`: the ends of all topics; `floors`: epochs of the log that was replaced.

    The new epoch is above both logs': the lost one may have had it already, where one backup is restored twice.
    """
    connection = await pool.connect(owner, command_timeout=None)
    try:
        epoch = await state.new_epoch(connection)
        while _below(await epochs(connection), floors):
            epoch = await state.new_epoch(connection)
        offsets = await restored.to_the_end(connection, found)
        again = await rewind.rewind_all(connection, None)
    finally:
        await connection.close()
    return Restored(epoch, offsets, {name: one.events for name, one in again.items()})


async def epochs(connection: asyncpg.Connection) -> dict[str, int]:
    """Schema -> epoch, of the log and of every other outbox."""
    found: dict[str, int] = {}
    for row in await connection.fetch(LOGS):
        found[row["schema"]] = await connection.fetchval(f'SELECT epoch FROM "{row["schema"]}".log_state')  # noqa: S608
    return found


async def floors(replaced: PostgresSettings) -> dict[str, int]:
    """Epochs of a log that is going to be replaced. Raises what Postgres raises."""
    connection = await pool.connect(replaced)
    try:
        return await epochs(connection)
    finally:
        await connection.close()


def _below(reached: Mapping[str, int], floors: Mapping[str, int]) -> bool:
    return any(epoch <= floors.get(schema, 0) for schema, epoch in reached.items())


async def _answer(arguments: list[str]) -> Any:
    if arguments[0] == "ends":
        return [[*place, end] for place, end in (await restored.ends(KafkaSettings.from_env())).items()]
    owner = PostgresSettings.from_env()
    if arguments[0] == "epochs":
        return await floors(owner)
    request = json.loads(arguments[1])
    told = {(topic, partition): end for topic, partition, end in request["ends"]}
    below = request["floors"]
    if dsn := request["replaced"]:
        below |= await floors(owner.model_copy(update={"dsn": dsn}))
    return asdict(await settle(owner, told, below))


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 1 with one text that says why."""
    try:
        answer = asyncio.run(_answer(arguments))
    except (SignalinkError, OSError, TimeoutError, PostgresError) as error:
        sys.stderr.write(f"{error or type(error).__name__}\n")
        return 1
    sys.stdout.write(f"{MARK}{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

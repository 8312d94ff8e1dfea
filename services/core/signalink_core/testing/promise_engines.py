"""Promises of the backing services: what one connection writes, another one reads.

They sign in as the super user, whose word the chart has, and leave nothing behind. No pod is deleted for it: that would
need rights no test should have.
"""

import secrets
from typing import Final

from signalink_core.settings import KafkaSettings, PostgresSettings, RedisSettings
from signalink_core.testing.promising import Broken, expect

SECONDS: Final = 10.0
NAME: Final = "signalink_promise_"


async def keeps_postgres() -> None:
    """A table of its own, a row, a second connection."""
    from asyncpg.exceptions import InterfaceError, PostgresError

    from signalink_core.database import pool

    settings, table, word = PostgresSettings.from_env(), NAME + secrets.token_hex(6), secrets.token_hex(8)
    try:
        writing = await pool.connect(settings)
        try:
            await writing.execute(f"CREATE TABLE {table} (word text)")
            await writing.execute(f"INSERT INTO {table} VALUES ($1)", word)  # noqa: S608 - the name is made here
        finally:
            await writing.close()
        reading = await pool.connect(settings)
        try:
            found = await reading.fetchval(f"SELECT word FROM {table}")  # noqa: S608
            await reading.execute(f"DROP TABLE {table}")
        finally:
            await reading.close()
    except (PostgresError, InterfaceError) as error:
        raise Broken(f"Postgres: {error}") from error
    expect(found == word, f"Postgres read {found!r} where {word!r} was written")


async def keeps_redis() -> None:
    """A key that ends by itself, a second connection."""
    from redis.exceptions import RedisError

    settings, key, word = RedisSettings.from_env(), NAME + secrets.token_hex(6), secrets.token_hex(8)
    try:
        async with settings.client(socket_timeout=SECONDS) as writing:
            await writing.set(key, word, ex=60)
        async with settings.client(socket_timeout=SECONDS) as reading:
            found = await reading.getdel(key)
    except RedisError as error:
        raise Broken(f"Redis: {error}") from error
    text = found.decode() if isinstance(found, bytes) else found
    expect(text == word, f"Redis read {text!r} where {word!r} was written")


async def keeps_kafka() -> None:
    """A topic of its own, a record acknowledged, a second client."""
    from signalink_core.kafka import roundtrip

    word = secrets.token_hex(8).encode()
    found = await roundtrip.written_and_read(KafkaSettings.from_env(), NAME + secrets.token_hex(6), word)
    expect(found == [word], f"Kafka read {found!r} where {word!r} was written")

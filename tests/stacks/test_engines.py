"""The engines through the fixtures: they answer, they authenticate, and they leave nothing."""

import asyncpg
import pytest
import redis.exceptions

from signalink_stacks.local.testing import Brokers, Database, ValkeyServer


async def test_each_test_gets_a_database_of_its_own(database: Database) -> None:
    connection = await database.connect("owner")
    assert await connection.fetchval("SELECT current_database()") == database.name
    await connection.close()


async def test_postgres_refuses_a_wrong_password(database: Database) -> None:
    kwargs = database.settings("api").connect_kwargs() | {"password": "wrong"}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(**kwargs)


async def test_valkey_gives_a_principal_its_commands_and_no_others(valkey: ValkeyServer) -> None:
    async with valkey.settings("api").client() as client:
        await client.set("signalink:ticket:a", "1")
        with pytest.raises(redis.exceptions.NoPermissionError):
            await client.set("other", "1")
        with pytest.raises(redis.exceptions.NoPermissionError):
            await client.flushall()


async def test_valkey_refuses_who_has_no_name(valkey: ValkeyServer) -> None:
    async with redis.asyncio.Redis(port=valkey.engine.port) as client:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.ping()


def test_kafka_answers_on_its_port(kafka: Brokers) -> None:
    assert kafka.engine.ready()
    assert kafka.settings("relay").client_kwargs()["sasl_mechanism"] == "SCRAM-SHA-512"

"""Promises of the backing charts on the real engines: kept by them, broken for a principal that may not write."""

import pytest

from signalink_core.errors import SignalinkError
from signalink_core.settings import KafkaSettings, PostgresSettings, RedisSettings
from signalink_core.testing.promise import promise_of
from signalink_core.testing.promising import Broken
from signalink_stacks.local.testing import Database, Topics, ValkeyServer

Settings = PostgresSettings | RedisSettings | KafkaSettings


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> "Given":
    return Given(monkeypatch)


class Given:
    """The environment of a pod."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self, group: str, settings: Settings) -> None:
        for key, value in settings.model_dump(exclude_none=True).items():
            name = key.upper() if key == "topic_prefix" else f"{group}_{key.upper()}"
            self._patch.setenv(f"SIGNALINK_{name}", str(value))


@pytest.mark.engine("postgres")
async def test_postgres_keeps_a_row(database: Database, given: Given) -> None:
    given("POSTGRES", database.settings("owner"))  # the chart's super user needs no grant
    connection = await database.connect()
    try:
        await connection.execute("GRANT CREATE ON SCHEMA public TO signalink_owner")
    finally:
        await connection.close()
    await promise_of("keeps-postgres")()


@pytest.mark.engine("postgres")
async def test_who_may_not_write_to_postgres_breaks_it(database: Database, given: Given) -> None:
    given("POSTGRES", database.settings("gateway"))
    with pytest.raises(Broken, match="cannot execute CREATE TABLE"):
        await promise_of("keeps-postgres")()


@pytest.mark.engine("valkey")
async def test_valkey_keeps_a_key_and_who_may_not_write_breaks_it(valkey: ValkeyServer, given: Given) -> None:
    given("REDIS", valkey.settings("admin"))
    await promise_of("keeps-redis")()
    given("REDIS", valkey.settings("prober"))
    with pytest.raises(Broken, match="permissions"):
        await promise_of("keeps-redis")()


@pytest.mark.engine("kafka")
async def test_kafka_keeps_a_record_and_who_may_not_write_breaks_it(topics: Topics, given: Given) -> None:
    given("KAFKA", topics.settings())
    await promise_of("keeps-kafka")()
    given("KAFKA", topics.settings("prober"))
    with pytest.raises(SignalinkError, match="Kafka did not"):
        await promise_of("keeps-kafka")()

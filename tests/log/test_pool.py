"""Connections: bounded waits, the product's types, sockets that notice a vanished server."""

import asyncio
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from signalink_core import faults
from signalink_core.database import pool
from signalink_core.settings import PostgresSettings
from signalink_stacks.local.testing import Database


async def test_waiting_for_a_free_connection_ends_after_a_second(database: Database) -> None:
    async with await pool.open_pool(database.settings("api"), max_size=1) as connections, connections.acquire():
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with connections.acquire():
                pass
        assert 0.9 < time.monotonic() - began < 3


async def test_a_pool_closes_in_bounded_time_even_when_a_connection_is_never_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CLOSE_SECONDS", 0.2)
    connections = await pool.open_pool(database.settings("api"), max_size=1)
    await connections.acquire()
    await asyncio.wait_for(connections.close(), 3)


async def test_a_server_that_never_answers_costs_the_connect_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = PostgresSettings(dsn=f"postgresql://signalink_api@127.0.0.1:{silent.getsockname()[1]}/signalink")
        for attempt in (pool.connect(settings), pool.open_pool(settings)):
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                await attempt
            assert time.monotonic() - began < 2


@pytest.fixture
def faulty() -> Iterator[faults.Faults]:
    faults.here.enabled = True
    yield faults.here
    faults.here.clear()
    faults.here.enabled = False


async def test_a_fault_at_db_connect_looks_like_a_server_that_refuses(
    database: Database, faulty: faults.Faults
) -> None:
    settings = database.settings("api")
    faulty.put({"point": "db.connect", "action": "error", "count": 2})
    for attempt in (pool.connect, pool.open_pool):
        with pytest.raises(ConnectionRefusedError):
            await attempt(settings)
    async with await pool.open_pool(settings) as connections, connections.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_hang_at_db_connect_costs_the_connect_time_out(
    database: Database, faulty: faults.Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.3)
    faulty.put({"point": "db.connect", "action": "hang"})
    for attempt in (pool.connect, pool.open_pool):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await attempt(database.settings("api"))
        assert 0.25 < time.monotonic() - began < 2


async def test_uuids_are_plain_and_json_is_python(database: Database) -> None:
    connection = await pool.connect(database.settings("api"))
    some = uuid.uuid4()
    row = await connection.fetchrow(
        "SELECT $1::uuid AS one, ARRAY[$1::uuid] AS many, $2::jsonb AS data", some, {"id": some, "x": [1, None, 2.5]}
    )
    assert (type(row["one"]), row["one"], row["many"]) == (uuid.UUID, some, [some])
    assert ({row["one"]}, str(row["one"])) == ({some}, str(some))
    assert row["data"] == {"id": str(some), "x": [1, None, 2.5]}
    assert await connection.fetchval("SELECT $1::uuid", str(some)) == some
    await connection.close()


async def test_a_socket_gives_up_a_peer_that_stops_acknowledging(database: Database) -> None:
    connection: Any = await pool.connect(database.settings("api"))
    endpoint = connection._transport.get_extra_info("socket")
    assert endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert endpoint.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
    await connection.close()

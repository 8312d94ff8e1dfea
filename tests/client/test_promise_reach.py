"""The pod of a promise is new: it waits until the network lets it in, and no longer than it must."""

import asyncio
import time

import pytest

from signalink_core.testing import promising
from signalink_stacks.local.ports import free_port


def test_places_are_read_from_every_kind_of_address() -> None:
    told = {
        "API_URL": "http://chat-api:8000",
        "GATEWAY_URL": "wss://chat.example.org/v1/socket",
        "POSTGRES_DSN": "postgresql://postgres@db.example.org/postgres",
        "REDIS_URL": "redis://admin@[::1]:6380/0",
        "KAFKA_BOOTSTRAP": "a.example.org:9092,b.example.org:9093",
        "PROMISE_URL": "http://broken:port",
        "WS_ORIGINS": "http://localhost:8000",
    }
    assert set(promising.places({f"SIGNALINK_{key}": value for key, value in told.items()})) == {
        ("chat-api", 8000),
        ("chat.example.org", 443),
        ("db.example.org", 5432),
        ("::1", 6380),
        ("a.example.org", 9092),
        ("b.example.org", 9093),
    }


async def test_it_waits_until_a_port_takes_connections_and_no_longer() -> None:
    port = free_port()
    taken = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        writer.close()

    waiting = asyncio.create_task(promising.let_in({"SIGNALINK_API_URL": f"http://127.0.0.1:{port}"}, 60.0))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done, "nothing listens there yet"
    async with await asyncio.start_server(take, "127.0.0.1", port):
        await asyncio.wait_for(waiting, 30)
    assert taken.is_set()


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}", "http://nobody.invalid:{}"])
async def test_what_never_takes_one_is_left_to_the_promise(address: str) -> None:
    began = time.monotonic()
    await promising.let_in({"SIGNALINK_API_URL": address.format(free_port())}, 0.5)
    assert time.monotonic() - began >= 0.5

"""Owns the Valkey fixtures: one server per session, emptied before each test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from signalink_core import principals
from signalink_core.settings import RedisSettings
from signalink_stacks.local.engines import ValkeyEngine


class ValkeyServer:
    """`settings(principal)` is what a service would read; `admin` may do everything."""

    def __init__(self, engine: ValkeyEngine) -> None:
        self.engine = engine

    def settings(self, principal: str = principals.ADMIN) -> RedisSettings:
        return RedisSettings(url=self.engine.url(principal), password_file=self.engine.password_file(principal))

    def flush(self) -> None:
        """Forget every key, script and pub/sub client, so that tests do not meet each other."""
        word = self.engine.password_file(principals.ADMIN).read_text()
        with redis.Redis(port=self.engine.port, username=principals.ADMIN, password=word, socket_timeout=5) as client:
            client.flushall()
            client.script_flush()


@pytest.fixture(scope="session")
def valkey_server(engine_folder: Path) -> Iterator[ValkeyServer]:
    """The session's Valkey; most tests want `valkey`."""
    with ValkeyEngine(engine_folder / "valkey") as engine:
        yield ValkeyServer(engine)


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> ValkeyServer:
    """The session's Valkey, empty."""
    valkey_server.flush()
    return valkey_server

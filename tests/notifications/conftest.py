"""A database with schema `notifications` beside `messaging`, its service's connections, and people who talk there."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from desk import desk
from talking import Talk

from signalink_core.database import migrate
from signalink_core.database.pool import Pool, open_pool
from signalink_notifications import SCHEMA
from signalink_stacks.local.testing import Database

__all__ = ["desk"]


@pytest.fixture
async def noted(database: Database) -> Database:
    """The test's database, with both schemas."""
    await migrate.upgrade(database.settings("owner"), package="signalink_notifications.migrations", schema=SCHEMA)
    return database


@pytest.fixture
async def pool(noted: Database) -> AsyncIterator[Pool]:
    """As the service's role."""
    opened = await open_pool(noted.settings("notifications"), max_size=8)
    yield opened
    await opened.close()


@pytest.fixture
async def admin(noted: Database) -> AsyncIterator[Any]:
    """A super user's connection."""
    async with contextlib.AsyncExitStack() as stack:
        connection = await noted.connect()
        stack.push_async_callback(connection.close)
        yield connection


@pytest.fixture
async def talk(noted: Database, admin: Any) -> AsyncIterator[Talk]:
    async with contextlib.AsyncExitStack() as stack:
        api = await noted.connect("api")
        stack.push_async_callback(api.close)
        yield Talk(noted, api, admin)

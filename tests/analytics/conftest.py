"""A database with schema `analytics` beside `messaging`, and its service's connections."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from signalink_analytics import SCHEMA
from signalink_core.database import migrate
from signalink_core.database.pool import Pool, open_pool
from signalink_stacks.local.testing import Database


@pytest.fixture
async def figured(database: Database) -> Database:
    """The test's database, with both schemas."""
    await migrate.upgrade(database.settings("owner"), package="signalink_analytics.migrations", schema=SCHEMA)
    return database


@pytest.fixture
async def pool(figured: Database) -> AsyncIterator[Pool]:
    """As the service's role."""
    opened = await open_pool(figured.settings("analytics"), max_size=8)
    yield opened
    await opened.close()


@pytest.fixture
async def admin(figured: Database) -> AsyncIterator[Any]:
    """A super user's connection."""
    async with contextlib.AsyncExitStack() as stack:
        connection = await figured.connect()
        stack.push_async_callback(connection.close)
        yield connection

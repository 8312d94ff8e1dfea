"""Owns the fixtures of the figures' tests: analytics' public side beside a real api, on this test's own database."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from apiworld import World, make_settings
from figureworld import FigureWorld, Settings

from signalink_analytics import SCHEMA
from signalink_analytics.settings import Retention
from signalink_api.app import Api
from signalink_core.database import migrate
from signalink_stacks.local.testing import Database, ValkeyServer

MakeWorld = Callable[..., Any]


@pytest.fixture
async def make_world(database: Database, valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[MakeWorld]:
    """Starts both; keyword arguments: `limits` of the figures, `retention`."""
    started: list[Any] = []
    await migrate.upgrade(database.settings("owner"), package="signalink_analytics.migrations", schema=SCHEMA)

    async def make(**more: Any) -> FigureWorld:
        api = Api(make_settings(tmp_path, database.settings("api"), valkey.settings("api")))
        await api.start()
        started.append(api)
        settings = Settings(
            tmp_path, valkey.settings("analytics"), more.get("limits", {}), more.get("retention", Retention())
        )
        world = FigureWorld(World(api, database), settings)
        await world.start()
        started.append(world)
        return world

    yield make
    for part in reversed(started):
        await part.stop()


@pytest.fixture
async def world(make_world: MakeWorld) -> FigureWorld:
    """With limits that no test reaches and nothing counted yet."""
    made: FigureWorld = await make_world()
    return made

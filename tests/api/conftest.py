"""Owns the fixtures of the api's tests: an api on this test's own database, and the session's Valkey."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apiworld import MakeWorld, World, make_settings

from signalink_api.app import Api
from signalink_stacks.local.testing import Database, ValkeyServer


@pytest.fixture
async def make_world(database: Database, valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[MakeWorld]:
    """Starts an api; keyword arguments: `limits`, `edge` (fields of EdgeSettings), fields of ApiSettings."""
    running: list[tuple[Api, World]] = []

    async def make(**more: Any) -> World:
        edge = more.pop("edge", {})
        settings = make_settings(tmp_path, database.settings("api"), valkey.settings("api"), **more)
        settings = replace(settings, edge=settings.edge.model_copy(update=edge))
        api = Api(settings)
        await api.start()
        running.append((api, World(api, database)))
        return running[-1][1]

    yield make
    for api, world in reversed(running):
        await world.http.aclose()
        await api.stop()


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """An api with limits that no test reaches."""
    made: World = await make_world()
    return made

"""Fixtures of the operator's tests: a Kubernetes API emulated and real, Kafka's topics in memory, the api's twin."""

from collections.abc import AsyncIterator
from pathlib import Path

import kopf
import pytest
from operatorworld import Api, real_api

from signalink_operator.adapters.channels import ApiChannels
from signalink_operator.testing import AdminApi, Cluster, MemoryTopics


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster() as running:
        yield running


@pytest.fixture
async def emulated(cluster: Cluster) -> AsyncIterator[Api]:
    api = Api(kopf.ConnectionInfo(server=cluster.url), "default")
    try:
        yield api
    finally:
        await api.http.aclose()


@pytest.fixture(params=["emulated", "real"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """One suite, two clusters: what holds on the emulated one holds on the real one."""
    if request.param == "emulated":
        async with Cluster() as running:
            emulated = Api(kopf.ConnectionInfo(server=running.url), "default")
            yield emulated
            await emulated.http.aclose()
        return
    async with real_api() as real:
        yield real


@pytest.fixture
def memory() -> MemoryTopics:
    return MemoryTopics()


@pytest.fixture
async def admin() -> AsyncIterator[AdminApi]:
    """The api's admin endpoint with a platform in memory; users ana, ben and cleo."""
    async with AdminApi() as running:
        yield running


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "service-token"
    path.write_text("good\n", encoding="utf-8")
    return path


@pytest.fixture
async def channels(admin: AdminApi, token_file: Path) -> AsyncIterator[ApiChannels]:
    async with ApiChannels(admin.url, token_file) as running:
        yield running

"""Fixtures of the operator's tests: an emulated Kubernetes API, a real one, and Kafka's topics in memory."""

from collections.abc import AsyncIterator

import kopf
import pytest
from operatorworld import Api, real_api

from signalink_operator.testing import Cluster, MemoryTopics


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

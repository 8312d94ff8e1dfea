"""The supervisor tells that a process lacks a store, although that process stays in its Service (record 0130)."""

from pathlib import Path

from signalink_core.internal import InternalServer
from signalink_core.manifest import load
from signalink_core.readiness import Readiness
from signalink_core.settings import ProcessSettings
from signalink_stacks.local import probes, recipes
from signalink_stacks.local.layout import ServiceProcess

ROOT = Path(__file__).resolve().parents[2]


async def test_the_supervisor_sees_that_a_store_is_away_and_a_load_balancer_does_not(tmp_path: Path) -> None:
    readiness = Readiness(["postgres"], own=())
    readiness.start()
    manifest = load(ROOT / "services/api/service.toml")
    async with InternalServer(ProcessSettings(metrics_port=0), readiness) as server:
        recipe = recipes.service(ServiceProcess("api-0", manifest, None, server.port, {}), tmp_path)

        async def said() -> tuple[bool, bool]:
            return await recipe.ready(), await probes.http_ok(server.port, manifest.health.ready)

        assert await said() == (False, False)
        readiness.set("postgres", "ok")
        assert await said() == (True, True)
        readiness.set("postgres", "down", "stopped")
        assert await said() == (False, True)

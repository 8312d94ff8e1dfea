"""The gateway as a process of its own: its exit codes, its start in any order, its end on SIGTERM."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import orjson
import pytest

from signalink_core import ids
from signalink_core.errors import SignalinkError
from signalink_core.testing import eventually
from signalink_gateway import app
from signalink_stacks.local.ports import free_port

pytestmark = pytest.mark.engine("postgres", "valkey")
Start = Callable[..., Coroutine[Any, Any, Process]]


@pytest.fixture
async def start(platform: Any) -> AsyncIterator[Start]:
    running: list[Process] = []

    async def started(**changes: str) -> Process:
        settings = platform.settings()
        env = {
            "SIGNALINK_POSTGRES_DSN": settings.postgres.dsn,
            "SIGNALINK_POSTGRES_PASSWORD_FILE": str(settings.postgres.password_file),
            "SIGNALINK_REDIS_URL": settings.redis.url,
            "SIGNALINK_REDIS_PASSWORD_FILE": str(settings.redis.password_file),
            "SIGNALINK_AUTH_JWKS_URL": settings.auth.jwks_url,
            "SIGNALINK_API_URL": settings.edge.api_url,
            "SIGNALINK_WS_ORIGINS": ",".join(settings.edge.ws_origins),
            "SIGNALINK_HTTP_PORT": str(free_port()),
            "SIGNALINK_METRICS_PORT": str(free_port()),
            "PATH": os.environ["PATH"],
        } | changes  # fmt: skip
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "signalink_gateway", env=env, stdout=PIPE)
        process.ports = (int(env["SIGNALINK_HTTP_PORT"]), int(env["SIGNALINK_METRICS_PORT"]))  # type: ignore[attr-defined]
        running.append(process)
        return process

    yield started
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Port:
    """What `platform.connect` needs of a node that is another process."""

    def __init__(self, process: Any) -> None:
        self.server, self.port = self, process.ports[0]


async def ready(process: Any, path: str = "/readyz") -> int:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            return (await client.get(f"http://127.0.0.1:{process.ports[1]}{path}")).status_code
    except httpx.HTTPError:
        return 0


async def test_sigterm_drains_and_exits_0(platform: Any, start: Start) -> None:
    process = await start()

    async def is_ready() -> bool:
        return await ready(process) == 200

    await eventually(is_ready, within=20, every=0.1)

    client = await platform.connect(Port(process), await platform.user())
    process.send_signal(signal.SIGTERM)
    assert await client.end() == 4000
    async with asyncio.timeout(15):
        assert await process.wait() == 0


async def test_without_postgres_it_is_live_and_not_ready(start: Start) -> None:
    process = await start(SIGNALINK_POSTGRES_DSN=f"postgresql://signalink_gateway@127.0.0.1:{free_port()}/signalink")

    async def is_live() -> bool:
        return await ready(process, "/healthz") == 200

    await eventually(is_live, within=20, every=0.1)
    assert await ready(process) == 503
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(15):
        assert await process.wait() == 0


async def test_a_node_that_knew_postgres_stays_ready_without_it(platform: Any, start: Start) -> None:
    """Sockets and the live feed go on, and no other node has a Postgres either."""
    process = await start()

    async def whole() -> bool:
        return await ready(process, "/readyz?all") == 200

    await eventually(whole, within=20, every=0.1)
    client = await platform.connect(Port(process), await platform.user())
    platform.database.engine.stop()
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:

            async def noticed() -> bool:
                answer = await http.get(f"http://127.0.0.1:{process.ports[1]}/readyz")
                assert answer.status_code == 200
                return bool(answer.json()["dependencies"]["postgres"]["state"] != "ok")

            await client.subscribe(ids.uuid7())
            await eventually(noticed, within=15)
        assert client.closed is None
    finally:
        platform.database.engine.start()


async def test_a_missing_setting_is_one_line_and_exit_code_64(start: Start) -> None:
    process = await start(SIGNALINK_WS_ORIGINS="")
    output, _ = await process.communicate()
    assert process.returncode == 64
    line = orjson.loads(output.splitlines()[-1])
    assert "SIGNALINK_WS_ORIGINS" in line["what"]
    assert line["next"]


async def test_a_part_that_crashes_ends_the_process(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = platform.settings()
    monkeypatch.setattr(app.Settings, "from_env", lambda: settings)
    built: list[app.App] = []
    original = app.App.__init__

    def remember(self: app.App, settings: app.Settings) -> None:
        original(self, settings)
        built.append(self)

    monkeypatch.setattr(app.App, "__init__", remember)
    running = asyncio.ensure_future(app.main(asyncio.Event()))
    await eventually(lambda: built and built[0].readiness.ready)
    built[0].heads._due = lambda: 1 / 0  # type: ignore[assignment, return-value]
    with pytest.raises(SignalinkError):
        await asyncio.wait_for(running, 15)


async def test_a_killed_nodes_users_are_offline_at_watchers_within_10_s_in_one_frame(
    platform: Any, start: Start
) -> None:
    """With the intervals of production. Who also has a device elsewhere stays."""
    watcher_user, stays, *users = [await platform.user() for _ in range(7)]
    await platform.channel(watcher_user, stays, *users)
    process = await start()

    async def is_ready() -> bool:
        return await ready(process) == 200

    await eventually(is_ready, within=20, every=0.1)
    app = await platform.gateway()
    for user in (stays, *users):
        await platform.connect(Port(process), user)
    await platform.connect(app, stays)
    watcher = await platform.connect(app, watcher_user)
    await watcher.say(op="presence.watch", users=[stays, *users])
    await eventually(lambda: all(app.people.view.state(user) == "online" for user in (stays, *users)))
    seen = len((await watcher.got("presence"))[0:])
    process.kill()
    killed = time.monotonic()
    await eventually(lambda: offline(watcher.of("presence")[seen:]), within=15)
    took = time.monotonic() - killed
    assert took <= 10, f"{took:.1f} s"
    (frame,) = [frame for frame in watcher.of("presence")[seen:] if offline([frame])]
    assert {each["user"] for each in frame["users"]} == {str(user) for user in users}
    assert len(app.people.view.nodes) == 0
    assert len(await app.people.store.census()) == 1


def offline(frames: list[dict[str, Any]]) -> list[str]:
    return [each["user"] for frame in frames for each in frame["users"] if each["state"] == "offline"]

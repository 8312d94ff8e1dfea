"""Real child processes under `process.run`: drain by signal, exit codes, one line per failure, a crash fault."""

import asyncio
import json
import os
import signal
import socket
import sys
import textwrap
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalink_core.testing import eventually

Child = Callable[..., Awaitable[Process]]
SERVICE = """
import asyncio
from signalink_core import faults, process
from signalink_core.http import HttpServer
from signalink_core.internal import InternalServer
from signalink_core.readiness import Readiness
from signalink_core.settings import ProcessSettings
from signalink_core.telemetry.logging import get_logger

settings = ProcessSettings.from_env()
log = get_logger("test")


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    log.info("request_begun")
    await faults.point("api.publish")
    await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"finished"})


async def main(stop):
    readiness = Readiness()
    async with InternalServer(settings, readiness) as internal:
        async with HttpServer(app, host="127.0.0.1", port=0) as public:
            readiness.start()
            log.info("serving", public=public.port, internal=internal.port)
            await stop.wait()
            readiness.drain()
            log.info("draining")
"""


def program(body: str) -> str:
    return textwrap.dedent(body) + "\nprocess.run(main, service='api')\n"


@pytest.fixture
async def child(tmp_path: Path) -> AsyncIterator[Child]:
    async with AsyncExitStack() as stack:

        async def start(body: str, **environment: str) -> Process:
            clean = {key: value for key, value in os.environ.items() if not key.startswith("SIGNALINK_")}
            started = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                program(body),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=clean | environment,
                cwd=tmp_path,
            )

            async def reap() -> None:
                if started.returncode is None:
                    started.kill()
                await started.communicate()

            stack.push_async_callback(reap)
            return started

        yield start


async def until(process: Process, event: str) -> dict[str, Any]:
    """The log line of this event, once it is written."""
    assert process.stdout is not None
    while True:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line, f"the process ended before {event}"
        found: dict[str, Any] = json.loads(line)
        if found["event"] == event:
            return found


async def rest(process: Process) -> list[dict[str, Any]]:
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_the_running_request_and_exits_0(child: Child, number: signal.Signals) -> None:
    running = await child(SERVICE)
    ports = await until(running, "serving")
    async with httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{ports['public']}/"))
        await until(running, "request_begun")
        running.send_signal(number)
        assert (await request).text == "finished"
    lines = await rest(running)
    assert [line["event"] for line in lines if line["event"] != "http_accepting"] == [
        "stop_requested",
        "draining",
        "process_stopped",
    ]
    assert running.returncode == 0


async def test_a_drain_leaves_no_port_open(child: Child) -> None:
    running = await child(SERVICE)
    ports = await until(running, "serving")
    running.terminate()
    await rest(running)
    for port in (ports["public"], ports["internal"]):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_every_line_names_service_node_and_version(child: Child) -> None:
    running = await child(SERVICE, SIGNALINK_NODE="api-7")
    running_line = await until(running, "serving")
    assert (running_line["service"], running_line["node"], running_line["level"]) == ("api", "api-7", "info")
    assert running_line["version"]
    running.terminate()
    for line in await rest(running):
        assert {"ts", "level", "event", "service", "version", "node", "logger"} <= set(line)


async def test_the_page_shows_loop_lag_build_and_only_this_services_metrics(child: Child) -> None:
    running = await child(SERVICE)
    ports = await until(running, "serving")
    async with httpx.AsyncClient() as client:

        async def page() -> str:
            text = (await client.get(f"http://127.0.0.1:{ports['internal']}/metrics")).text
            assert 'signalink_event_loop_lag_seconds_bucket{le="+Inf"} 0.0' not in text
            return text

        text = await eventually(page)
    assert "signalink_build_info{" in text
    assert "process_resident_memory_bytes" in text
    assert "signalink_writer_batch_messages" in text
    assert "signalink_ws_sessions" not in text
    running.terminate()
    await rest(running)


CONFIGURATION = """
from signalink_core import process
from signalink_core.settings import PostgresSettings
async def main(stop):
    PostgresSettings.from_env()
"""
TAKEN = """
import os
from signalink_core import process
from signalink_core.http import HttpServer
async def main(stop):
    async with HttpServer(None, host="127.0.0.1", port=int(os.environ["PORT"])):
        pass
"""
UNAVAILABLE = """
from signalink_core import process
from signalink_core.errors import DependencyUnavailable
async def main(stop):
    raise DependencyUnavailable("Kafka does not answer.", next_step="look at its log.")
"""
CRASH = """
from signalink_core import process
async def main(stop):
    raise ZeroDivisionError("token=hunter2hunter2")
"""


async def test_a_missing_setting_exits_64_with_one_line_that_names_it(child: Child) -> None:
    running = await child(CONFIGURATION)
    lines = await rest(running)
    assert running.returncode == 64
    assert lines[-1]["event"] == "process_failed"
    assert "SIGNALINK_POSTGRES_DSN" in lines[-1]["what"]
    assert lines[-1]["next"]


async def test_a_wrong_setting_of_the_process_itself_exits_64(child: Child) -> None:
    running = await child(SERVICE.replace("settings = ProcessSettings.from_env()", ""), SIGNALINK_LOG_LEVEL="loud")
    lines = await rest(running)
    assert running.returncode == 64
    assert "SIGNALINK_LOG_LEVEL" in lines[-1]["what"]


async def test_a_port_in_use_exits_64_and_says_which(child: Child) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = await child(TAKEN, PORT=str(port))
        lines = await rest(running)
    assert running.returncode == 64
    assert f"127.0.0.1:{port}" in lines[-1]["what"]


async def test_fault_points_in_prod_exit_64(child: Child) -> None:
    running = await child(CONFIGURATION, SIGNALINK_FAULTS="on", SIGNALINK_ENVIRONMENT="prod")
    assert "prod" in (await rest(running))[-1]["what"]
    assert running.returncode == 64


async def test_another_expected_failure_exits_1_with_what_and_next(child: Child) -> None:
    running = await child(UNAVAILABLE)
    last = (await rest(running))[-1]
    assert running.returncode == 1
    assert (last["what"], last["next"], last["code"]) == ("Kafka does not answer.", "look at its log.", "unavailable")


async def test_a_crash_exits_1_with_its_trace_on_one_redacted_line(child: Child) -> None:
    running = await child(CRASH)
    last = (await rest(running))[-1]
    assert running.returncode == 1
    assert last["event"] == "process_crashed"
    assert "ZeroDivisionError" in last["exception"]
    assert "hunter2" not in json.dumps(last)


async def test_a_drain_that_takes_too_long_is_ended(child: Child) -> None:
    stuck = """
    import asyncio
    from signalink_core import process
    process.DRAIN_SECONDS = 0.2
    async def main(stop):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    """
    running = await child(stuck)
    await until(running, "process_started")
    running.terminate()
    assert (await rest(running))[-1]["event"] == "drain_exceeded"
    assert running.returncode == 1


async def test_a_crash_fault_kills_the_process_in_the_middle_of_a_request(child: Child, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token")
    running = await child(SERVICE, SIGNALINK_FAULTS="on", SIGNALINK_FAULTS_TOKEN_FILE=str(tmp_path / "token"))
    ports = await until(running, "serving")
    async with httpx.AsyncClient(headers={"Authorization": "Bearer secret-token"}) as client:
        fault = {"point": "api.publish", "action": "crash"}
        put = await client.put(f"http://127.0.0.1:{ports['internal']}/faults", json=fault)
        assert put.status_code == 200
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{ports['public']}/")
    lines = await rest(running)
    assert running.returncode == -signal.SIGKILL
    assert "fault_fired" in {line["event"] for line in lines}

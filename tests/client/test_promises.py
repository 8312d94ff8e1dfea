"""The promises of `helm test`, as processes against a real platform: kept by it, broken where it does not keep them."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web

from signalink_core.testing import promise, promise_platform
from signalink_core.testing.promising import Broken
from signalink_stacks.local import control, layout
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.ports import free_port
from signalink_stacks.local.state import RunState, StateFolder

pytestmark = [pytest.mark.engine("postgres", "valkey", "kafka"), pytest.mark.timeout(240)]
WISHES = Wishes(
    settings={
        "LIMITS_REGISTRATIONS_PER_HOUR_PER_IP": "100",
        "GATEWAY_HOSTS": "chat-gateway,Chat-Gateway.lab",
        "SUPERVISOR_HUNG_SECONDS": "600",  # a relay stands still here for as long as a promise waits
    },
    free_ports=True,
    packages=("signalink_api", "signalink_gateway", "signalink_relay", "signalink_analytics", "signalink_prober"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StateFolder:
    return StateFolder(tmp_path_factory.mktemp("promises") / "state")


@pytest.fixture(scope="module")
def state(folder: StateFolder) -> Iterator[RunState]:
    try:
        control.up(folder, WISHES, lambda state: None)
        found = folder.read()
        assert found is not None
        yield found
    finally:
        control.down(folder)


def addresses(state: RunState, service: str) -> dict[str, str]:
    at = {name: state.process(f"{name}-0").ports for name in ("api", "gateway", "analytics", "prober", "relay")}
    api = f"http://127.0.0.1:{at['api']['http']}"
    return {
        "ANALYTICS_URL": f"http://127.0.0.1:{at['analytics']['http']}",
        "API_URL": api,
        "GATEWAY_URL": f"ws://127.0.0.1:{at['gateway']['http']}/v1/socket",
        "WS_ORIGINS": api,
        "PROMISE_URL": f"http://127.0.0.1:{at[service].get('http', 0)}",
        "PROMISE_METRICS_URL": f"http://127.0.0.1:{at[service]['metrics']}",
    }


@pytest.fixture(scope="module")
def kafka(folder: StateFolder, state: RunState) -> dict[str, str]:
    """What the chart gives a promise that looks into Kafka."""
    return layout.bindings("prober", ["kafka"], state.ports, folder.secrets)


async def run(name: str, settings: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    """Exit code, and what it said."""
    environment = {"PATH": os.environ["PATH"]} | {f"SIGNALINK_{key}": value for key, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signalink_core.testing.promise", name, *arguments),
        env=environment,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, (out + err).decode()


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("answers", "api"),
        ("answers", "gateway"),
        ("repeat", "api"),
        ("order", "gateway"),
        ("counted", "analytics"),
    ],
)
async def test_a_running_platform_keeps_it(state: RunState, name: str, service: str) -> None:
    assert await run(name, addresses(state, service)) == (0, f"promise {name}: kept\n")


@pytest.mark.parametrize(("name", "service"), [("published", "relay"), ("watched", "prober"), ("round-trip", "prober")])
async def test_a_running_platform_keeps_what_needs_kafka_to_be_seen(
    state: RunState, kafka: dict[str, str], name: str, service: str
) -> None:
    assert await run(name, addresses(state, service) | kafka) == (0, f"promise {name}: kept\n")


@pytest.mark.parametrize("name", ["published", "round-trip"])
async def test_while_the_relay_stands_still_a_message_is_not_in_kafka_and_it_is_said(
    state: RunState, kafka: dict[str, str], name: str
) -> None:
    relay = state.process("relay-0").pid
    os.kill(relay, signal.SIGSTOP)
    try:
        code, said = await run(name, addresses(state, "prober") | kafka, "--timeout", "50")
    finally:
        os.kill(relay, signal.SIGCONT)
    assert code == 1
    assert re.search(rf"promise {name}: broken: .*message \S+ is not in Kafka", said), said


@pytest.mark.parametrize(
    ("page", "said"), [('{gateway="a"} 1.0', "a canary last arrived"), ("x 1", "the prober reports no canary")]
)
async def test_an_old_canary_and_none_break_the_probers_promise(
    monkeypatch: pytest.MonkeyPatch, page: str, said: str
) -> None:
    monkeypatch.setattr(promise_platform, "COUNTED_SECONDS", 2.0)
    async with pages_of({"/metrics": f"signalink_canary_last_success_timestamp_seconds{page}\n"}) as url:
        monkeypatch.setenv("SIGNALINK_PROMISE_METRICS_URL", url)
        with pytest.raises((AssertionError, Broken), match=said):
            await promise_platform.watched()


@contextlib.asynccontextmanager
async def pages_of(pages: dict[str, str]) -> AsyncIterator[str]:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(text=pages[request.path])

    application = web.Application()
    application.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", sorted(promise.HERE))
async def test_without_the_service_it_is_broken_and_says_so(state: RunState, name: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    settings = addresses(state, "api") | {"GATEWAY_URL": f"ws://{nowhere}/v1/socket"}
    settings |= {"PROMISE_URL": f"http://{nowhere}"} | ({"API_URL": f"http://{nowhere}"} if name == "repeat" else {})
    code, said = await run(name, settings, "--timeout", "6")
    assert code == 1
    assert said.startswith(f"promise {name}: broken: ")


async def test_it_fails_when_it_is_told_to_and_when_an_address_is_missing(state: RunState) -> None:
    assert await run("answers", addresses(state, "api"), "--fail") == (
        1,
        "promise answers: broken: faults.testFail is on\n",
    )
    code, said = await run("repeat", {})
    assert (code, said) == (1, "promise repeat: broken: SIGNALINK_API_URL is not set\n")


@pytest.mark.parametrize(
    ("host", "status"), [("chat-gateway", 404), ("chat-gateway.lab:8001", 404), ("evil.example", 400)]
)
async def test_the_gateway_answers_to_the_names_it_was_told(state: RunState, host: str, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", state.process("gateway-0").ports["http"])
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    first = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert int(first.split()[1]) == status

"""The promises of `helm test`, as processes against a real platform: kept by it, broken where it does not keep them."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator

import pytest

from signalink_core.testing import promise
from signalink_stacks.local import control
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.ports import free_port
from signalink_stacks.local.state import RunState, StateFolder

pytestmark = [pytest.mark.engine("postgres", "valkey", "kafka"), pytest.mark.timeout(240)]
WISHES = Wishes(
    settings={"LIMITS_REGISTRATIONS_PER_HOUR_PER_IP": "100", "GATEWAY_HOSTS": "chat-gateway,Chat-Gateway.lab"},
    free_ports=True,
    packages=("signalink_api", "signalink_gateway", "signalink_relay", "signalink_analytics"),
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunState]:
    folder = StateFolder(tmp_path_factory.mktemp("promises") / "state")
    try:
        control.up(folder, WISHES, lambda state: None)
        found = folder.read()
        assert found is not None
        yield found
    finally:
        control.down(folder)


def addresses(state: RunState, service: str) -> dict[str, str]:
    at = {name: state.process(f"{name}-0").ports for name in ("api", "gateway", "analytics")}
    api = f"http://127.0.0.1:{at['api']['http']}"
    return {
        "API_URL": api,
        "GATEWAY_URL": f"ws://127.0.0.1:{at['gateway']['http']}/v1/socket",
        "WS_ORIGINS": api,
        "PROMISE_URL": f"http://127.0.0.1:{at[service]['http']}",
        "PROMISE_METRICS_URL": f"http://127.0.0.1:{at[service]['metrics']}",
    }


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


@pytest.mark.parametrize("name", sorted(promise.PROMISES))
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

"""A child that answers nothing for long is restarted and reported; one only paused or not ready is left alone."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signalink_core.testing import eventually
from signalink_stacks.local import managed, ports, probes, recipes
from signalink_stacks.local.engines import Engine, KafkaEngine, Launch, PostgresEngine, ValkeyEngine, kafka
from signalink_stacks.local.managed import Managed, Recipe
from signalink_stacks.local.problems import EnvironmentBroken
from signalink_stacks.local.state import ProcessRecord

PROGRAM = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


class Child:
    """A small server under a `Managed`, and what was noted about it."""

    def __init__(self, folder: Path, hung_seconds: float) -> None:
        port = ports.free_port()
        self.ready = True

        async def ready() -> bool:
            return self.ready and await alive()

        async def alive() -> bool:
            return await probes.http_ok(port, "/healthz", 0.2)

        self.record = ProcessRecord("child", "service")
        self.notes: list[str] = []
        recipe = Recipe(
            name="child",
            launch=lambda: Launch([sys.executable, "-c", PROGRAM, str(port)]),
            ready=ready,
            prepare=lambda: None,
            log=folder / "child.log",
            patience=10.0,
            port=port,
            alive=alive,
            hung_seconds=hung_seconds,
        )
        self.managed = Managed(recipe, self.record, lambda: None, lambda name, what: self.notes.append(what))

    @property
    def pid(self) -> int:
        assert self.record.pid is not None
        return self.record.pid

    async def healthy(self) -> bool:
        await self.managed.check()
        return self.record.health == "ready"


@pytest.fixture
async def child(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Child]:
    made = Child(tmp_path, getattr(request, "param", 60.0))
    yield made
    await made.managed.stop(5)


async def test_a_child_paused_for_less_than_the_patience_is_left_alone(child: Child) -> None:
    await child.managed.start()
    pid = child.pid
    os.kill(pid, signal.SIGSTOP)
    for _ in range(3):
        assert not await child.healthy()
    os.kill(pid, signal.SIGCONT)
    await eventually(child.healthy, within=10)
    assert (child.record.pid, child.record.restarts, child.notes) == (pid, 0, [])


@pytest.mark.parametrize("child", [0.5], indirect=True)
async def test_a_child_that_answers_nothing_for_long_is_killed_restarted_and_reported(child: Child) -> None:
    await child.managed.start()
    assert await child.healthy()
    pid = child.pid
    keeping = asyncio.create_task(child.managed.keep())
    os.kill(pid, signal.SIGSTOP)

    async def replaced() -> bool:
        return await child.healthy() and child.record.pid != pid

    await eventually(replaced, within=20)
    keeping.cancel()
    assert child.record.restarts == 1
    assert re.fullmatch(r"hung: no answer for \d+ s, killed; starts again in 0\.2 s", child.notes[0])
    assert child.record.last_exit.startswith("hung: no answer")


@pytest.mark.parametrize("child", [0.001], indirect=True)
async def test_a_child_that_is_not_ready_but_answers_is_never_killed(child: Child) -> None:
    await child.managed.start()
    child.ready = False
    for _ in range(5):
        assert not await child.healthy()
    assert child.record.restarts == 0
    assert child.notes == []


@pytest.mark.parametrize("child", [0.5], indirect=True)
async def test_the_time_in_which_nobody_asked_is_not_held_against_the_child(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "LONGEST_GAP_SECONDS", 0.01)
    await child.managed.start()
    assert await child.healthy()
    os.kill(child.pid, signal.SIGSTOP)
    for _ in range(3):
        assert not await child.healthy()
    assert child.notes == []
    os.kill(child.pid, signal.SIGCONT)


@pytest.mark.parametrize("kind", [ValkeyEngine, PostgresEngine, KafkaEngine], ids=lambda kind: kind.name)
@pytest.mark.engine("postgres", "valkey", "kafka")
async def test_a_paused_engine_is_neither_ready_nor_alive_although_its_port_is_open(
    kind: type[Engine], engine_dir: Path
) -> None:
    if kind is KafkaEngine:
        kafka.setup()
    with kind(engine_dir) as engine:
        assert engine.alive()
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            await eventually(lambda: not engine.ready())  # its threads stop one after another
            assert not engine.alive()
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        await eventually(engine.ready, within=10)


@pytest.mark.parametrize("given", ["soon", "0", "-1", "inf", "nan"])
def test_a_patience_that_is_no_time_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(EnvironmentBroken, match=r"SUPERVISOR_HUNG_SECONDS=.* is not a number of seconds") as caught:
        recipes.hung_seconds({"SUPERVISOR_HUNG_SECONDS": given})
    assert "--set SUPERVISOR_HUNG_SECONDS=30" in str(caught.value.next_step)


def test_the_patience_is_thirty_seconds_unless_set() -> None:
    assert recipes.hung_seconds({}) == 30
    assert recipes.hung_seconds({"SUPERVISOR_HUNG_SECONDS": "90"}) == 90

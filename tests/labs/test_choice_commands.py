"""`signalink up --only` and what the other commands make of it; one real platform of api and gateway, without Kafka."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from signalink_core.client.api import ApiClient
from signalink_core.client.socket import SocketClient
from signalink_core.errors import ConfigurationError
from signalink_core.events import Position
from signalink_labs.cli import app, chosen
from signalink_stacks.local import control
from signalink_stacks.local.state import RunState, StateFolder

pytestmark = pytest.mark.timeout(240)
Captured = pytest.CaptureFixture[str]
BUDGET_BYTES = 400 * 2**20
"""Of total PSS: what fits a machine with 1 GiB, of which the system takes about 350 MB."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, engine_folder: Any) -> Iterator[StateFolder]:
    """A platform of api and gateway that is up; commands see it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = StateFolder(engine_folder / f"only-{secrets.token_hex(4)}")
        patch.setenv("SIGNALINK_STATE", str(folder.root))
        try:
            assert app.run(["up", "--only", "api,gateway", "--ports", "free"]) == 0
            yield folder
        finally:
            control.down(folder, purge=True)


def state(folder: StateFolder) -> RunState:
    found = folder.alive()
    assert found is not None
    return found


async def post_and_hear(urls: dict[str, str]) -> str:
    """The id of a message that a socket got as well."""
    name, heard = f"ada-{secrets.token_hex(4)}", asyncio.Event()
    body = f"hello {secrets.token_hex(8)}"
    async with ApiClient(urls["api"]) as api:
        await api.register(name, f"{name}@example.org", "a long enough word")
        await api.login(name, "a long enough word")
        channel = str((await api.create_channel(name, "Alone"))["id"])
        socket = SocketClient(
            urls["gateway"],
            api.ticket,
            on_frame=lambda raw: heard.set() if body.encode() in raw else None,
            origin=urls["api"],
            proxy=False,
        )
        async with socket:
            posted = await api.post_message(channel, body)
            await socket.subscribe({channel: Position(epoch=posted.epoch, seq=0)})
            await asyncio.wait_for(heard.wait(), 20)
    return posted.id


@pytest.mark.engine("postgres", "valkey")
def test_two_services_talk_without_kafka_and_every_command_knows_it(running: StateFolder, capsys: Captured) -> None:
    found = state(running)
    assert {each.name for each in found.processes} == {"postgres", "valkey", "api-0", "gateway-0"}
    assert found.engines.keys() == {"postgres", "valkey"}
    assert not (running.root / "kafka").exists()
    message = asyncio.run(post_and_hear(found.urls))

    capsys.readouterr()
    assert app.run(["status"]) == 0
    text = capsys.readouterr().out
    assert "only       api, gateway" in text
    assert "off        relay: carries events from the log, which keeps them, to Kafka" in text
    assert "off        kafka: gateway runs without it" in text

    assert app.run(["trace", message, "--json"]) == 0
    way = json.loads(capsys.readouterr().out)
    assert way["verdict"] == "It went all the way; off: relay, kafka."
    assert {hop["part"]: hop["status"] for hop in way["hops"]} == {
        "api": "done", "log": "done", "relay": "off", "kafka": "off", "gateway-0": "done",
    }  # fmt: skip

    assert app.run(["doctor", "--json"]) in (0, 3)  # this machine may lack what only other rules want
    rules = {rule["name"]: rule for rule in json.loads(capsys.readouterr().out)["rules"]}
    assert rules["java"]["what"] == "not needed: Kafka does not run"
    assert rules["downloads"]["what"] == "nothing: Kafka does not run"

    assert app.run(["get", "topics"]) == 3
    error = capsys.readouterr().err
    assert "Kafka does not run: only api, gateway and what they need were chosen." in error
    assert "up --only all" in error


@pytest.mark.engine("postgres", "valkey")
def test_it_fits_a_machine_with_a_gibibyte(running: StateFolder) -> None:
    asyncio.run(post_and_hear(state(running).urls))
    report = control.report(running)
    assert 0 < report.total_pss < BUDGET_BYTES, {line.name: line.pss for line in report.processes}


@pytest.mark.engine("postgres", "valkey")
def test_a_second_start_says_what_it_did_not_do(running: StateFolder, capsys: Captured) -> None:
    assert app.run(["up", "--only", "api,relay"]) == 0
    text = capsys.readouterr().out
    assert "is up already" in text
    assert "It runs only api, gateway; to change that:" in text
    assert "up --only api,relay`" in text
    assert control.kept(running) == ("api", "gateway")
    assert app.run(["up", "--only", "gateway,api"]) == 0
    assert "to change that" not in capsys.readouterr().out


@pytest.mark.engine("postgres", "valkey")
def test_the_choice_outlives_the_platform(running: StateFolder, capsys: Captured) -> None:
    before = state(running)
    assert app.run(["down"]) == 0
    capsys.readouterr()
    assert app.run(["status"]) == 1
    assert "It starts only api, gateway;" in capsys.readouterr().out
    assert app.run(["up", "--ports", "free"]) == 0
    text = capsys.readouterr().out
    assert "Only api, gateway, as the last start was asked for;" in text
    assert "Off, so this is missing:" in text
    after = state(running)
    assert after.supervisor_pid != before.supervisor_pid
    assert after.only == ["api", "gateway"]


@pytest.fixture
def empty(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.setenv("SIGNALINK_STATE", str(tmp_path / "state"))
    return StateFolder(tmp_path / "state")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gatway", "no service 'gatway': did you mean gateway?"),
        ("kafka", "kafka is an engine"),
        (",", "--only names no service"),
        ("all,api", "names all and something else"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_before_anything_starts(
    given: str, said: str, empty: StateFolder, capsys: Captured
) -> None:
    assert app.run(["up", "--only", given]) == 64
    assert said in capsys.readouterr().err
    assert not empty.root.exists()


def test_a_choice_is_for_this_machine(empty: StateFolder, capsys: Captured) -> None:
    assert app.run(["up", "--target", "kind", "--only", "api"]) == 64
    assert "--only is for this machine" in capsys.readouterr().err


def test_all_ends_a_kept_choice_and_a_service_that_went_is_named(empty: StateFolder) -> None:
    empty.open().run_file.write_text('{"only": ["api", "gone"]}')
    assert chosen.wanted("all", empty) == ()
    assert chosen.wanted("api, gateway,api", empty) == ("api", "gateway")
    with pytest.raises(ConfigurationError, match="no service 'gone'") as caught:
        chosen.wanted(None, empty)
    assert "`--only all` starts every part" in str(caught.value.next_step)
    assert chosen.heading(None, ("prober",))[1:] == ["api too: prober needs it.", "gateway too: prober needs it."]

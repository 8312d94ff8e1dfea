"""All commands at once: each takes --json, each is described in docs/commands.md with every option it has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer.main

from signalink_labs.cli import app, doctor, opening
from signalink_stacks.doctor.checkup import Checked
from signalink_stacks.doctor.rule import fail, ok
from signalink_stacks.local.state import RunState, StateFolder

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
Captured = pytest.CaptureFixture[str]
MESSAGE = "01a20b92-19de-7273-9995-49d61b45a202"
# Command lines that end soon on a machine without a platform; `up` would start one, so it is refused by its options.
SAMPLES: dict[str, list[str]] = {
    "up": ["--set", "nonsense"],
    "down": [],
    "status": [],
    "doctor": [],
    "open": [],
    "logs": ["nothing"],
    "trace": [MESSAGE],
    "migrate": [],
    "user promote": ["ada"],
    "log new-epoch": [],
    "relay rewind": ["--to", "start"],
    "apply": ["-f", "topics.yaml"],
    "get topics": [],
    "get channels": [],
    "analytics rebuild": ["--from", "2026-01-02T03:04Z"],
    "token service": ["operator"],
    "token list": [],
    "token revoke": ["operator"],
    "images list": [],
    "images build": ["nothing"],
    "images pin": ["nothing"],
    "images check": [],
    "deploy": ["-s", "nothing", "--images", "nothing.json"],
    "images push": ["nothing", "--registry", "127.0.0.1:9"],
    "backup": ["backup.dump"],
    "restore": ["backup.dump", "--yes"],
    "cost": ["-s", "nothing", "--from", "nothing.json"],
    "sweep": [],
    "dlq list": [],
    "dlq show": ["messages/1"],
    "dlq redrive": ["messages/1"],
    "dlq drop": ["messages", "--all"],
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    below = getattr(command, "commands", None)
    if not below:
        yield " ".join(path), command
        return
    for name, each in below.items():
        yield from leaves(each, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app.app)))


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.setenv("SIGNALINK_STATE", str(tmp_path / "state"))
    return StateFolder(tmp_path / "state")


def options(command: Any) -> set[str]:
    return {name for each in command.params for name in each.opts if name.startswith("--")} - {"--help"}


def section(name: str) -> str:
    match = re.search(rf"^## `signalink {re.escape(name)}[^\n]*`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return match[1] if match else ""


def test_there_is_a_sample_of_every_command() -> None:
    assert SAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_command_answers_with_one_json_document(name: str, capsys: Captured) -> None:
    assert "--json" in options(COMMANDS[name])
    code = app.run([*name.split(), *SAMPLES[name], "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code in {0, 1, 3, 64}
    if "error" in document:
        assert document["error"]["exit_code"] == code
        assert document["error"]["detail"]
        assert document["error"]["next_step"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_describes_every_command_with_all_its_options(name: str) -> None:
    text = section(name)
    assert text, f"docs/commands.md has no section of `signalink {name}`"
    missing = [option for option in options(COMMANDS[name]) - {"--json"} if f"`{option}" not in text]
    assert missing == []


def test_the_page_describes_no_command_that_is_not_there() -> None:
    told = re.findall(r"^## `signalink ([a-z-]+(?: [a-z-]+)?)", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(COMMANDS)


@pytest.mark.parametrize("name", ["open", "trace"])
def test_what_needs_the_platform_says_that_it_is_down(name: str, capsys: Captured) -> None:
    assert app.run([name, *SAMPLES[name]]) == 3
    error = capsys.readouterr().err
    assert "Signalink is not running (down)." in error
    assert "Next: `signalink up`" in error


@pytest.mark.parametrize("given", ["7", "nothing", f"{MESSAGE}0"])
def test_what_is_no_message_id_is_wrong_use(given: str, capsys: Captured) -> None:
    assert app.run(["trace", given]) == 64
    assert "is no message id: it is a UUID" in capsys.readouterr().err


def running(folder: StateFolder, **urls: str) -> None:
    own = psutil.Process()
    folder.open().write(RunState(phase="up", supervisor_pid=own.pid, supervisor_created=own.create_time(), urls=urls))


def test_open_prints_addresses_and_opens_nothing_where_there_is_no_terminal(
    state_folder: StateFolder, capsys: Captured
) -> None:
    running(state_folder, api="http://127.0.0.1:9", gateway="ws://127.0.0.1:10/v1/socket")
    assert app.run(["open", "gateway"]) == 0
    assert app.run(["open", "api", "--print"]) == 0
    assert capsys.readouterr().out.split() == ["ws://127.0.0.1:10/v1/socket", "http://127.0.0.1:9"]
    assert app.run(["open", "api", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"place": "api", "url": "http://127.0.0.1:9", "opened": False}


def test_open_says_when_there_is_no_page_and_no_such_place(state_folder: StateFolder, capsys: Captured) -> None:
    running(state_folder, api="http://127.0.0.1:9")
    assert app.run(["open"]) == 1
    assert "The api serves no page at http://127.0.0.1:9/" in capsys.readouterr().err
    assert app.run(["open", "gateway"]) == 1
    assert "runs no gateway" in capsys.readouterr().err


def test_the_page_s_address_is_the_api_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "serves_page", lambda url: url == "http://127.0.0.1:9/")
    assert opening.address(opening.Place.UI, {"api": "http://127.0.0.1:9"}) == "http://127.0.0.1:9/"


BAD = [
    Checked("disk", ok("plenty")),
    Checked("open-files", fail("A process may open 10 files.", "sockets", "`ulimit -n 4096`")),
]


def test_doctor_prints_what_why_and_fix_and_ends_with_three(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(doctor.checkup, "examine_here", lambda *_: BAD)
    assert app.run(["doctor"]) == 3
    printed = capsys.readouterr().out
    assert "fix: `ulimit -n 4096`" in printed
    assert "why: sockets" in printed
    assert printed.splitlines()[-1] == "doctor: 1 ok, 0 warnings, 1 failure"
    assert app.run(["doctor", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["counts"] == {"ok": 1, "warn": 0, "fail": 1}
    assert document["rules"][1] == {
        "name": "open-files", "verdict": "fail", "what": "A process may open 10 files.", "why": "sockets",
        "fix": "`ulimit -n 4096`",
    }  # fmt: skip


@pytest.mark.parametrize("target", ["kind", "existing", "eks"])
def test_doctor_looks_at_every_target(target: str, capsys: Captured) -> None:
    assert app.run(["doctor", "--target", target, "--json"]) in {0, 3}
    assert json.loads(capsys.readouterr().out)["target"] == target


def test_up_refuses_what_the_doctor_forbids_and_starts_nothing(state_folder: StateFolder, capsys: Captured) -> None:
    state_folder.root.parent.joinpath("blocked").write_text("a file")
    blocked = state_folder.root.parent / "blocked" / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGNALINK_STATE", str(blocked))
        assert app.run(["up", "--ports", "free"]) == 3
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert "SIGNALINK_STATE=FOLDER" in error


def test_a_trace_is_told_from_all_logs_in_order(state_folder: StateFolder, capsys: Captured) -> None:
    trace = "a" * 32
    state_folder.open()
    batch, single = {"trace_ids": [trace], "count": 2}, {"trace_id": trace}
    for name, at, field in (("relay-0", "06", batch), ("api-0", "05", single)):
        line = {"ts": f"2026-01-02T03:04:{at}.000Z", "event": "done", "service": name, **field}
        (state_folder.logs / f"{name}.log").write_text(json.dumps(line) + "\n")
    assert app.run(["logs", "--trace", trace]) == 0
    assert [line.split()[1:] for line in capsys.readouterr().out.splitlines()] == [
        ["api-0", "done"],
        ["relay-0", "done", "count=2"],
    ]
    assert app.run(["logs", "--trace", trace, "--json"]) == 0
    assert [line["process"] for line in json.loads(capsys.readouterr().out)["lines"]] == ["api-0", "relay-0"]
    assert app.run(["logs", "relay", "--trace", trace]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert app.run(["logs", "--trace", "b" * 32]) == 1
    assert "No log has a line of trace" in capsys.readouterr().err

"""docs/deployment.md: each command names its level; this machine's are executed in order, and the restore looked into.

Of the levels above (cluster, aws, ci) commands and options must exist; the test prints which were not run.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import typer.main
from botocore.session import Session
from consoles import Shell, commands, opened

from house.sources import ROOT, without_make
from signalink_core.client import ApiClient
from signalink_labs.cli import app
from signalink_stacks.cloud import graph

PAGE = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
LEVELS = ("local", "stacks", "cluster", "aws", "ci")
LINE = re.compile(rf"(.+?)  # ({'|'.join(LEVELS)})")
TARGETS = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
UNTIL = re.compile(r"until (.+); do sleep \d+; done")
OTHERS = {"pulumi", "helm", "kubectl", "aws"}
PASSWORD = "correct horse battery staple"


def lines(page: str = PAGE) -> list[tuple[str, str]]:
    """(command, level) in order; an empty level where the page forgot it."""
    found = []
    for command, _ in commands(page):
        match = LINE.fullmatch(command)
        found.append((match[1], match[2]) if match else (command, ""))
    return found


def unknown(command: str) -> str:
    """What of a command does not exist; empty when all does, as far as can be told without running it."""
    if waiting := UNTIL.fullmatch(command):
        command = waiting[1]
    program, *words = shlex.split(command)
    if program == "make":
        return "" if words and words[0] in TARGETS else f"make has no target {words[:1]}"
    if program == "signalink":
        return _unknown_option(words)
    if program not in OTHERS:
        return f"{program} is no program of this runbook"
    return _unknown_flag(program, words)


def _unknown_option(words: list[str]) -> str:
    """Walks the command tree to the command, then compares the options."""
    command: Any = typer.main.get_command(app.app)
    while getattr(command, "commands", None):
        name = words.pop(0) if words else ""
        if name not in command.commands:
            return f"signalink has no command {name!r}"
        command = command.commands[name]
    known = {each for parameter in command.params for each in parameter.opts}
    return ", ".join(sorted({word for word in words if word.startswith("-")} - known))


def _unknown_flag(program: str, words: list[str]) -> str:
    """Asked of the program itself where it is on PATH."""
    if shutil.which(program) is None or program == "aws":
        return ""
    verbs = words[: next((n for n, word in enumerate(words) if word.startswith("-") or word != word.lower()), None)]
    verbs = verbs[: {"helm": 1, "kubectl": 1}.get(program, 3)]
    helped = subprocess.run([program, *verbs, "--help"], capture_output=True, text=True, timeout=60).stdout
    globally = subprocess.run([program, *(["options"] if program == "kubectl" else ["--help"])],
                              capture_output=True, text=True, timeout=60).stdout  # fmt: skip
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    return ", ".join(sorted(flag for flag in flags if flag not in helped + globally))


def test_every_command_names_its_level() -> None:
    assert [command for command, level in lines() if not level] == []
    assert {level for _, level in lines()} >= {"local", "stacks", "cluster", "aws"}
    assert lines("```console\n$ signalink up\n```\n") == [("signalink up", "")]


def test_commands_and_options_of_every_level_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert [f"{command}: {wrong}" for command, _ in lines() if (wrong := unknown(command))] == []
    with capsys.disabled():
        for command, level in lines():
            if level not in {"local", "stacks"}:
                sys.stdout.write(f"\nnot run here ({level}): {command}")


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "until make nothing; do sleep 1; done",
        "signalink upp",
        "signalink up --targett kind",
        "signalink images pushh",
        "curl example.org",
    ],
)
def test_what_does_not_exist_is_found(command: str) -> None:
    assert unknown(command)


def test_every_chapter_that_a_runbook_needs_is_there() -> None:
    chapters = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    wanted = [
        "First deployment",
        "Upgrade",
        "Roll back",
        "Rotate",
        "Restore a backup",
        "cost alarm",
        "Destroy",
        "sweep",
    ]
    assert [each for each in wanted if not any(each in chapter for chapter in chapters)] == []


def test_a_restored_instance_is_adopted_before_anything_asks_for_the_lost_one() -> None:
    """Refreshed first, the state would have the lost instance under its new name, and `up` would name it back."""
    commands = [command for command, level in lines() if level == "aws"]
    ready = commands.index("aws rds wait db-instance-available --db-instance-identifier NAME")
    assert commands[ready + 1 : ready + 6] == [
        "pulumi config refresh --stack eks",
        "pulumi stack export --stack eks --file dist/before.json",
        "make adopt STACK=eks",
        "pulumi refresh --stack eks",
        "pulumi up --stack eks",
    ]


def test_a_stack_for_production_is_made_deletable_before_it_is_destroyed() -> None:
    """eks is one unless it says otherwise; AWS refuses to delete what is protected."""
    at = [command for command, level in lines() if level == "aws" and command.startswith("pulumi")]
    place = at.index("pulumi destroy --stack eks")
    assert at[place - 3 : place] == [
        "pulumi config refresh --stack eks",
        "pulumi config set --path signalink:aws.deletable true --stack eks",
        "pulumi up --stack eks",
    ]


@pytest.mark.parametrize("command", ["pulumi refresh --stack eks", "pulumi up --stack eks"])
def test_what_the_pipeline_deployed_is_known_before_a_stack_is_changed_by_hand(command: str) -> None:
    """Its images are in no file of this checkout; a `pulumi refresh` first would note that there are none."""
    for chapter in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        said = [line for line, level in lines(chapter) if level == "aws"]
        if command in said:
            before = said[: said.index(command)]
            assert "pulumi config refresh --stack eks" in before, chapter.partition("\n")[0]
            assert "pulumi refresh --stack eks" not in before[: before.index("pulumi config refresh --stack eks")]


def test_a_renamed_instance_is_looked_for_until_it_is_there_and_only_then_waited_for() -> None:
    """AWS's waiter takes an unknown name for a failure, and a new name is unknown for minutes."""
    commands = [command for command, level in lines() if level == "aws"]
    at = commands.index("aws rds wait db-instance-available --db-instance-identifier NAME-lost")
    looking = UNTIL.fullmatch(commands[at - 1])
    assert looking and looking[1].startswith("aws rds describe-db-instances --db-instance-identifier NAME-lost ")
    assert "--new-db-instance-identifier NAME-lost" in commands[at - 2]
    waiters = Session().get_waiter_model("rds").get_waiter("DBInstanceAvailable")
    assert {each.matcher for each in waiters.acceptors} == {"pathAll", "pathAny"}, "none of an error"


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Without the settings of whoever runs the tests; a short state folder, and the command on PATH."""
    with TemporaryDirectory(prefix="sl-runbook-") as state:
        kept = {key: value for key, value in without_make().items() if not key.startswith(("SIGNALINK_", "PYTEST_"))}
        path = f"{Path(sys.executable).parent}:{kept['PATH']}"
        yield {**kept, "PATH": path, "SIGNALINK_STATE": state, "COLUMNS": "200"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile and the environment of this checkout, for what the commands write."""
    (tmp_path / "dist").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return tmp_path


@pytest.mark.timeout(600)
@pytest.mark.engine("postgres", "valkey", "kafka")
async def test_the_commands_of_this_machine_work_in_order_and_the_restore_restores(
    folder: Path, environment: dict[str, str]
) -> None:
    """Posted before the backup: there afterwards, by the same account. Posted after it: gone. And posting goes on."""
    seen = Seen()
    async with opened(folder, environment) as shell:
        try:
            for command, level in lines():
                if level == "local":
                    await one(shell, command, seen)
        finally:
            await shell.run("signalink down --purge")
    assert seen.bodies == ["before the backup"]
    assert seen.epochs == [1, 2]


class Seen:
    """What was found out on the way: the channel, what was in it after the restore, the epochs of posts."""

    def __init__(self) -> None:
        self.channel = ""
        self.url = ""
        self.bodies: list[str] = []
        self.epochs: list[int] = []
        self.restored = False


async def one(shell: Shell, command: str, seen: Seen) -> None:
    if command.startswith("signalink backup"):
        await talk(seen, "before the backup", new=True)
    code, printed = await shell.run(command.replace("signalink up", "signalink up --ports free"))
    assert code == 0, f"$ {command}\n{printed}"
    if command == "signalink up":
        seen.url = re.findall(r"http://127\.0\.0\.1:\d+(?=\s*$)", printed, re.MULTILINE)[0]
        if seen.restored:
            await look(seen)
    elif command.startswith("signalink backup"):
        await talk(seen, "after the backup")
    elif command.startswith("signalink restore"):
        seen.restored = True


async def talk(seen: Seen, body: str, *, new: bool = False) -> None:
    async with ApiClient(seen.url) as ada:
        if new:
            await ada.register("ada", "ada@example.org", PASSWORD)
        await ada.login("ada", PASSWORD)
        if new:
            seen.channel = str((await ada.create_channel("ships", "Ships"))["id"])
        posted = await ada.post_message(seen.channel, body)
        seen.epochs += [] if posted.epoch in seen.epochs else [posted.epoch]


async def look(seen: Seen) -> None:
    async with ApiClient(seen.url) as ada:
        await ada.login("ada", PASSWORD)
        found = await ada.messages(seen.channel)
        seen.bodies = [each["body"] for each in found["items"]]
    await talk(seen, "after the restore")


@pytest.mark.timeout(400)  # four graphs are recorded: 140 s in all where everything else runs too
async def test_the_commands_of_the_stacks_environment_work(folder: Path, environment: dict[str, str]) -> None:
    if not (ROOT / graph.ENVIRONMENT).exists():
        pytest.skip(f"{graph.ENVIRONMENT} is not there: make stacks")
    async with opened(folder, environment) as shell:
        for command, level in lines():
            if level == "stacks":
                code, printed = await shell.run(command)
                assert code == 0, f"$ {command}\n{printed}"

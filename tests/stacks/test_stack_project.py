"""The project of a stack lies in the state folder, is made once, and is taken up again after a kill.

`pulumi` is a program of this test; that the real one keeps a stack so is shown by `make e2e NAME=pulumi`.
"""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_labs.cli import app, delivering, stacking
from signalink_stacks.clusters import ownership, plan, project, recovery
from signalink_stacks.clusters.project import Project
from signalink_stacks.delivery import __main__ as delivery
from signalink_stacks.lib.images import root
from signalink_stacks.local.state import StateFolder

FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "called").open("a") as called:
    called.write(" ".join(sys.argv[1:]) + "\\n")
(here / "env").write_text(json.dumps({k: v for k, v in os.environ.items() if k.startswith("PULUMI_")}))
(here / "cwd").write_text(os.getcwd())
if sys.argv[1:3] == ["stack", "export"]:
    print((here / "exported").read_text() if (here / "exported").exists() else "{}")
if sys.argv[1] == "cancel":
    for path in pathlib.Path(os.environ["PULUMI_BACKEND_URL"].removeprefix("file://").partition("?")[0]).glob(".pulumi/locks/*/*/*/*.json"):
        path.unlink()
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    program = tmp_path / "bin/pulumi"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    for name in (project.BACKEND, *project.PASSPHRASES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIGNALINK_STATE", str(tmp_path / "state"))
    found = Project(StateFolder(), "kind", root())
    found.prepare()
    return found


def called(stack: Project) -> list[str]:
    return (stack.state.root.parent / "bin/called").read_text().splitlines()


def told(stack: Project) -> dict[str, str]:
    found: dict[str, str] = json.loads((stack.state.root.parent / "bin/env").read_text())
    return found


def test_the_passphrase_is_made_once_and_only_its_owner_reads_it(stack: Project) -> None:
    path = stack.folder / "passphrase"
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((stack.folder / "env").stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.folder.stat().st_mode) == 0o700 and len(first) >= 43
    stack.prepare()
    assert path.read_text() == first
    assert first not in json.dumps(told(stack)) + "".join(called(stack)), "it is named by its file"
    assert told(stack)["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(path)
    assert told(stack)["PULUMI_BACKEND_URL"] == f"file://{stack.folder}/backend?metadata=skip"


def test_what_the_person_has_set_wins(stack: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    stack.prepare()
    assert told(stack)["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert told(stack)["PULUMI_CONFIG_PASSPHRASE"] == "" and "PULUMI_CONFIG_PASSPHRASE_FILE" not in told(stack)
    assert not stack.own


def test_the_project_is_the_checkouts_with_a_folder_of_its_own_for_settings(stack: Project) -> None:
    document = yaml.safe_load((stack.folder / "Pulumi.yaml").read_text())
    assert (document["name"], document["stackConfigDir"]) == ("signalink", "config")
    assert (stack.folder / document["main"] / "__main__.py").samefile(root() / "stacks/__main__.py")
    assert called(stack)[-1] == "stack select --create --stack kind --non-interactive"
    assert Path((stack.state.root.parent / "bin/cwd").read_text()) == stack.folder


def test_settings_are_written_beside_what_the_engine_keeps_there(stack: Project) -> None:
    stack.config.write_text("encryptionsalt: v1:x\n")
    stack.say({"signalink:target": "kind"})
    assert yaml.safe_load(stack.config.read_text()) == {
        "encryptionsalt": "v1:x", "config": {"signalink:target": "kind"},
    }  # fmt: skip
    assert stack.said() == {"signalink:target": "kind"} and stack.known()
    assert project.stacks(StateFolder()) == ["kind"]
    stack.forget(everything=True)
    assert not stack.known() and called(stack)[-1].startswith("stack rm --force --yes --preserve-config")


def test_commands_on_a_stack_find_it_where_it_is(stack: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert project.find("kind", StateFolder(), root())[0].root == root()
    stack.say({"signalink:target": "kind"})
    engine, config = project.find("kind", StateFolder(), root())
    assert (engine.root, config) == (stack.folder, stack.config)
    words = [sys.executable, "-m", "signalink_stacks.delivery", "pulumi", "kind", "preview", "--json"]
    assert subprocess.run(words, check=False, timeout=60).returncode == 0
    assert called(stack)[-1] == "preview --json --stack kind --non-interactive"
    assert Path((stack.state.root.parent / "bin/cwd").read_text()) == stack.folder


def test_without_the_engine_the_command_says_where_it_comes_from(
    stack: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(stack.folder)
    assert delivery.main(["pulumi", "kind", "preview"]) == 3
    assert "pulumi cannot be run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        delivery.main(["pulumi", "kind"])


def test_a_purge_is_refused_while_a_stack_is_known(stack: Project, capsys: pytest.CaptureFixture[str]) -> None:
    stack.say({"signalink:target": "kind"})
    assert app.run(["down", "--purge"]) == 64
    assert "knows what the stack kind made on a cluster" in capsys.readouterr().err
    assert stack.config.exists()


def lock(stack: Project, pid: int, host: str = "", taken: float | None = None) -> Path:
    """As the engine writes it."""
    folder = stack.backend / recovery.LOCKS / stack.stack
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromtimestamp(taken or time.time(), UTC).isoformat().replace("+00:00", "Z")
    path = folder / f"{pid}.json"
    path.write_text(
        json.dumps({"pid": pid, "username": "u", "hostname": host or socket.gethostname(), "timestamp": moment})
    )
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called pulumi."""
    named = tmp_path / "pulumi"
    named.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(named), "60"])
    yield process
    process.kill()
    process.wait(10)


def gone() -> int:
    """A pid that nobody has any more."""
    process = subprocess.Popen(["true"])
    process.wait(10)
    return process.pid


def test_a_lock_of_a_dead_run_is_taken_away(stack: Project) -> None:
    path, said = lock(stack, gone()), list[str]()
    recovery.recover(stack, said.append)
    assert not path.exists() and "cancel --yes --stack kind --non-interactive" in called(stack)
    assert any("is dead" in line for line in said)


def test_a_pid_that_somebody_else_got_since_holds_nothing(stack: Project, running: subprocess.Popen[bytes]) -> None:
    path = lock(stack, running.pid, taken=time.time() - 3600)
    recovery.recover(stack, lambda _: None)
    assert not path.exists()
    assert lock(stack, os.getpid()).exists()  # alive, but no pulumi
    recovery.recover(stack, lambda _: None)
    assert not list(path.parent.glob("*.json"))


def test_a_living_run_is_waited_for_and_then_told(stack: Project, running: subprocess.Popen[bytes]) -> None:
    path, said = lock(stack, running.pid), list[str]()
    with pytest.raises(DependencyUnavailable, match=f"process {running.pid}") as refused:
        recovery.recover(stack, said.append, seconds=0)
    assert path.exists() and f"kill {running.pid}" in str(refused.value.next_step)
    running.kill()
    running.wait(10)
    recovery.recover(stack, said.append, seconds=30)
    assert not path.exists()


def test_a_lock_from_another_machine_is_left_alone(stack: Project) -> None:
    path = lock(stack, gone(), host="elsewhere")
    with pytest.raises(DependencyUnavailable, match="from another machine, elsewhere"):
        recovery.recover(stack, lambda _: None, seconds=0)
    assert path.exists()


def test_a_lock_that_was_not_written_whole_is_nobodys(stack: Project) -> None:
    path = lock(stack, gone())
    path.write_text("")
    recovery.recover(stack, lambda _: None)
    assert not path.exists()


def test_locks_of_a_backend_that_is_not_ours_are_not_judged(stack: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lock(stack, gone())
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{stack.backend}")
    recovery.recover(stack, lambda _: None)
    assert path.exists()


def test_operations_without_an_end_are_looked_into_once(stack: Project) -> None:
    recovery.recover(stack, lambda _: None)
    assert not [line for line in called(stack) if line.startswith("refresh")]
    exported = stack.state.root.parent / "bin/exported"
    exported.write_text(json.dumps({"deployment": {"pending_operations": [{"type": "creating"}]}}))
    recovery.recover(stack, lambda _: None)
    assert called(stack)[-1].startswith("refresh --yes --skip-preview --clear-pending-creates")


def test_a_new_cluster_begins_with_an_empty_state_and_keeps_the_secrets(stack: Project) -> None:
    stack.say({"signalink:secrets": {"secure": "x"}})
    recovery.restart(stack)
    assert not [line for line in called(stack) if line.startswith("stack rm")], "there was nothing in it"
    exported = stack.state.root.parent / "bin/exported"
    exported.write_text(json.dumps({"deployment": {"resources": [{}]}}))
    recovery.restart(stack)
    assert [line.split(" --stack")[0] for line in called(stack)[-2:]] == [
        "stack rm --force --yes --preserve-config",
        "stack select --create",
    ]
    assert stack.said() == {"signalink:secrets": {"secure": "x"}}


def test_the_environment_of_the_program_is_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.venv-stacks is not there") as refused:
        stacking.require_environment(tmp_path)
    assert "make stacks" in str(refused.value.next_step) and "--by helm" in str(refused.value.next_step)


@pytest.mark.parametrize(
    ("made", "runs"),
    [
        ({"dev": True, "tag": "new"}, {"map": {"postgres": "mirror/postgres"}, "dev": True, "tag": "new"}),
        (None, None),  # the stack's own word stays
    ],
)
def test_images_that_were_made_keep_what_the_values_say_of_others(
    stack: Project, monkeypatch: pytest.MonkeyPatch, made: delivering.Images, runs: delivering.Images
) -> None:
    values = stack.folder / "values.yaml"
    values.write_text("global: {imageMap: {postgres: mirror/postgres}, imageTag: old, logLevel: debug}\n")
    asked: list[delivering.Delivery] = []
    monkeypatch.setattr(delivering, "deliver", lambda delivery, *_: asked.append(delivery))
    monkeypatch.setattr(stacking, "require_environment", lambda _: None)
    monkeypatch.setattr(ownership, "look", lambda *_: ownership.Found(False, "", False))
    wishes = plan.Wishes("kind", values=(str(values),))
    ground = stacking.Ground(examine=lambda: None, cluster=lambda: False, images=lambda: made)
    stacking.up(stacking.Stacked(wishes, plan.Access("", "kind-signalink"), root()), ground, None, lambda _: None)
    assert asked[0].ground() == runs

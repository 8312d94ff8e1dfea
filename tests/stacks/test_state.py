"""The state folder refuses what is not its own, and remembers processes by more than their pid."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from signalink_stacks.local.problems import EnvironmentBroken
from signalink_stacks.local.state import VERSION, ProcessRecord, RunState, StateFolder, Step, is_same


def test_a_new_folder_is_private_and_carries_its_version(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state").open()
    assert folder.found_version() == VERSION
    assert folder.root.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_version_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("99\n")
    with pytest.raises(EnvironmentBroken, match="of version 99; this program reads version 1") as caught:
        StateFolder(tmp_path).open()
    assert "down --purge" in str(caught.value.next_step)
    assert "SIGNALINK_STATE" in str(caught.value.next_step)


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(EnvironmentBroken, match="of version unknown"):
        StateFolder(tmp_path).open()


def test_a_place_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentBroken, match="cannot be written: Not a directory"):
        StateFolder(tmp_path / "file" / "state").open()


def test_a_place_without_the_right_is_named_with_the_reason(tmp_path: Path) -> None:
    """In a child, which as root gives up the right to ignore rights."""
    program = "import sys; from pathlib import Path; from signalink_stacks.local.state import StateFolder as F; "
    program += "F(Path(sys.argv[1])).open()"
    given_up = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    tmp_path.chmod(0o500)
    command = [*given_up, sys.executable, "-c", program, str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "EnvironmentBroken" in done.stderr
    assert f"{tmp_path / 'state'} cannot be written: Permission denied" in done.stderr


def test_state_survives_writing_and_reading(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path).open()
    state = RunState(phase="up", steps=[Step("postgres", 1.0, 0.5)], processes=[ProcessRecord("api-0", "service")])
    state.note(3.0, "api-0", "exit 1")
    folder.write(state)
    assert folder.read() == state
    assert folder.state_file.stat().st_mode & 0o777 == 0o600


def test_only_the_newest_events_are_kept() -> None:
    state = RunState()
    for number in range(80):
        state.note(number, "api-0", str(number))
    assert [event["what"] for event in state.events] == [str(number) for number in range(30, 80)]


@pytest.mark.parametrize("text", ["{", json.dumps({"steps": []}), json.dumps({"steps": [], "processes": [], "x": 1})])
def test_a_broken_state_file_is_reported(tmp_path: Path, text: str) -> None:
    folder = StateFolder(tmp_path).open()
    folder.state_file.write_text(text)
    with pytest.raises(EnvironmentBroken, match="cannot be read"):
        folder.read()


def test_a_pid_given_anew_is_another_process() -> None:
    created = psutil.Process().create_time()
    assert is_same(os.getpid(), created)
    assert not is_same(os.getpid(), created - 60)
    assert not is_same(None, created)


def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path).open()
    with folder.exclusive() as first, folder.exclusive() as second:
        assert (first, second) == (True, False)
    with folder.exclusive() as third:
        assert third


def test_many_who_open_one_folder_at_once_all_find_it_theirs(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            opened = [pool.submit(StateFolder(tmp_path / str(number)).open) for _ in range(8)]
            folders = [one.result() for one in opened]
            assert {folder.found_version() for folder in folders} == {VERSION}

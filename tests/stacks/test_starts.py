"""Times of earlier starts, and what they promise: nothing that was not measured on a start like the next one."""

from pathlib import Path

import pytest

from signalink_stacks.local import starts
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.starts import Estimate
from signalink_stacks.local.state import RunState, StateFolder, Step

PLAIN = Wishes(instances={"api": 1, "gateway": 1})
THREE = Wishes(instances={"api": 1, "gateway": 3})


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state").open()


def started(folder: StateFolder, wishes: Wishes, total: float, **steps: float) -> None:
    state = RunState(up_after=total, steps=[Step(name, 0.0, seconds) for name, seconds in steps.items()])
    starts.remember(folder, wishes, state)


def test_before_the_first_start_nothing_is_promised(folder: StateFolder) -> None:
    assert starts.estimate(folder, PLAIN) == Estimate()


def test_the_first_start_makes_everything_and_promises_nothing_for_the_next(folder: StateFolder) -> None:
    started(folder, PLAIN, 40.0, kafka=20.0)
    assert starts.estimate(folder, PLAIN) == Estimate(first=40.0)


def test_later_starts_promise_their_medians(folder: StateFolder) -> None:
    started(folder, PLAIN, 40.0, kafka=20.0)
    for total in (3.0, 9.0, 4.0):
        started(folder, PLAIN, total, kafka=total / 2)
    assert starts.estimate(folder, PLAIN) == Estimate(4.0, 40.0, {"kafka": 2.0}, 3)


def test_a_start_of_another_shape_promises_nothing(folder: StateFolder) -> None:
    started(folder, PLAIN, 40.0)
    started(folder, PLAIN, 3.0)
    assert starts.estimate(folder, THREE).total is None
    assert starts.estimate(folder, Wishes()).total == 3.0


def test_only_the_newest_count_and_the_first_is_kept(folder: StateFolder) -> None:
    started(folder, PLAIN, 40.0)
    for total in range(1, 30):
        started(folder, PLAIN, float(total))
    found = starts.estimate(folder, PLAIN)
    assert (found.count, found.first, found.total) == (starts.KEPT, 40.0, 25.5)


@pytest.mark.parametrize("text", ["", "7", '[{"total": 3}]', "[[]]"])
def test_a_file_that_cannot_be_read_counts_as_no_start(folder: StateFolder, text: str) -> None:
    (folder.root / starts.FILE).write_text(text)
    assert starts.estimate(folder, PLAIN) == Estimate()

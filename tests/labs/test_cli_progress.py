"""How a start is shown: plain lines, a bar on a terminal, and never a promise that was not measured."""

import io
import json

import pytest
from rich.console import Console

from signalink_labs.cli import progress, up
from signalink_stacks.doctor.checkup import Checked
from signalink_stacks.doctor.rule import ok, warn
from signalink_stacks.local.starts import Estimate
from signalink_stacks.local.state import RunState, Step

Captured = pytest.CaptureFixture[str]
KNOWN = Estimate(4.0, 40.0, {"kafka": 1.5}, 3)


def state(*steps: Step) -> RunState:
    return RunState(steps=list(steps))


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(), "it is the first start here, so nothing tells how long it takes"),
        (Estimate(first=40.0), "the first start took 40 s, this one has less to do"),
        (Estimate(3.2, 40.0, {}, 1), "about 3 s, the last start"),
        (KNOWN, "about 4 s, the median of 3 earlier starts"),
    ],
)
def test_the_heading_says_what_is_known_and_from_where(estimate: Estimate, words: str) -> None:
    assert progress.heading(estimate) == f"Starting Signalink; {words}."


def test_lines_print_each_finished_step_once_with_its_earlier_time(capsys: Captured) -> None:
    with progress.display(KNOWN, Console(file=io.StringIO()), silent=False) as display:
        for _ in range(2):
            display(state(Step("kafka", 0.0, 2.0), Step("valkey", 0.0, 0.5), Step("api-0", 0.0)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["kafka", "2.0", "s", "(earlier", "1.5", "s)"], ["valkey", "0.5", "s"]]


def test_with_json_nothing_is_printed(capsys: Captured) -> None:
    display = progress.display(KNOWN, Console(file=io.StringIO(), force_terminal=True), silent=True)
    display(state(Step("kafka", 0.0, 2.0)))
    assert capsys.readouterr().out == ""


def test_on_a_terminal_a_bar_names_what_is_under_way() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with progress.display(KNOWN, console, silent=False) as display:
        assert isinstance(display, progress.Bar)
        display(state(Step("kafka", 0.0, 2.0), Step("api-0", 0.0)))
    assert "kafka" in screen.getvalue()
    assert "(earlier 1.5 s)" in screen.getvalue()


def test_the_bar_goes_with_time_and_never_to_its_end_before_the_platform_is_up() -> None:
    assert progress.shown(10.0, 5.0) == 5.0
    assert progress.shown(10.0, 60.0) == 9.9
    assert progress.shown(None, 5.0) is None


def test_a_start_that_takes_longer_says_so_and_one_without_an_estimate_does_not() -> None:
    going = state(Step("kafka", 0.0), Step("postgres", 0.0, 1.0), Step("valkey", 0.0))
    assert progress.under_way(going, KNOWN, 1.0) == "kafka, valkey"
    assert progress.under_way(going, KNOWN, 5.0) == "kafka, valkey (longer than the usual 4 s)"
    assert progress.under_way(going, Estimate(), 500.0) == "kafka, valkey"


def test_warnings_come_before_a_start_and_a_platform_that_was_up_shows_no_steps(capsys: Captured) -> None:
    watch = up.Watch(progress.Lines(KNOWN), KNOWN, (), silent=False)
    watch(state(Step("kafka", 0.0, 2.0)))
    assert capsys.readouterr().out == ""
    watch.checked([Checked("cpus", warn("1 CPU may be used.", "slow", "add one")), Checked("disk", ok("fine"))])
    watch(state(Step("kafka", 0.0, 2.0)))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "warning: 1 CPU may be used. Fix: add one"
    assert printed[1].startswith("Starting Signalink; about 4 s")
    assert printed[2].split()[0] == "kafka"
    assert json.dumps([each.name for each in watch.found]) == '["cpus", "disk"]'

"""The judge of the browser proof finds each kind of damage, and nothing in a whole window."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from findings import Figures, Rows, differences, findings

LOG = [(1, "one"), (2, "two"), (4, "four")]


def test_a_window_that_shows_the_log_has_no_findings() -> None:
    assert findings(LOG, LOG) == []


@pytest.mark.parametrize(
    ("shown", "finding"),
    [
        ([(1, "one"), (4, "four")], "seq 2 'two' is missing"),
        ([(1, "one"), (2, "two"), (2, "two"), (4, "four")], "seq 2 is there 2 times"),
        ([(2, "two"), (1, "one"), (4, "four")], "the order is [2, 1, 4]"),
        ([(1, "one"), (2, "too"), (4, "four")], "seq 2 says 'too', not 'two'"),
        ([*LOG, (5, "five")], "seq 5 'five' is in no log"),
    ],
)
def test_damage_is_found(shown: Rows, finding: str) -> None:
    assert finding in findings(shown, LOG)


def test_figures_that_show_what_was_posted_have_no_findings() -> None:
    assert differences(Figures(tile=25, table=25, pixels=900, seconds=1.0), 25) == []


@pytest.mark.parametrize(
    ("shown", "finding"),
    [
        (Figures(tile=24, table=25, pixels=900, seconds=60.0), "24 messages in the tile"),
        (Figures(tile=25, table=26, pixels=900, seconds=1.0), "26 messages in the table"),
        (Figures(tile=25, table=25, pixels=0, seconds=1.0), "the chart is bare"),
    ],
)
def test_figures_that_show_something_else_are_found(shown: Figures, finding: str) -> None:
    (found,) = differences(shown, 25)
    assert finding in found

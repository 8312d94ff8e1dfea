"""The judge of the browser proof finds each kind of damage, and nothing in a whole window."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from findings import Rows, findings

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

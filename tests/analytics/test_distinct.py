"""Distinct users: exact up to 10,000, then an estimate within its stated error; unions; kept bytes."""

import subprocess
import sys

import pytest

from signalink_analytics.distinct import ERROR, EXACT, Distinct


def users(first: int, count: int) -> list[str]:
    return [f"00000000-0000-7000-8000-{number:012d}" for number in range(first, first + count)]


def test_up_to_10_000_users_are_counted_exactly_and_keep_no_sketch() -> None:
    found = Distinct()
    for start in range(0, EXACT, 1000):
        found.update(users(start, 1000))
        found.update(users(start, 1000))
    assert (found.count, found.exact, found.sketch()) == (EXACT, True, None)


@pytest.mark.parametrize("count", [10_001, 30_000, 200_000])
def test_beyond_that_the_estimate_keeps_its_stated_error(count: int) -> None:
    found = Distinct()
    found.update(users(0, 7_000))
    found.update(users(0, count))
    assert not found.exact
    assert abs(found.count - count) <= 3 * ERROR * count


def test_the_union_of_kept_periods_counts_a_user_of_both_once() -> None:
    monday, tuesday, week = Distinct(), Distinct(), Distinct()
    monday.update(users(0, 20_000))
    tuesday.update(users(10_000, 20_000))
    week.update(users(25_000, 10_000))
    kept = [sketch for sketch in (monday.sketch(), tuesday.sketch()) if sketch is not None]
    assert [len(sketch) for sketch in kept] == [16_384, 16_384]
    week.unite(kept)
    assert abs(week.count - 35_000) <= 3 * ERROR * 35_000


def test_bytes_that_are_no_sketch_are_refused() -> None:
    with pytest.raises(ValueError, match="16384 bytes"):
        Distinct().unite([b"x"])


def test_small_sets_do_without_the_library() -> None:
    program = (
        "import sys; from signalink_analytics.distinct import Distinct; d = Distinct(); d.update(['a']); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

"""Ids only grow, whatever the clock does; times are UTC with whole milliseconds and read back."""

import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core import ids
from signalink_core.clock import isoformat, truncate, utc_now
from signalink_core.ids import uuid7


def test_ids_are_version_7_and_carry_the_millisecond_they_were_made_in() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_ids_of_one_process_only_grow_also_from_many_threads() -> None:
    def make() -> list[uuid.UUID]:
        return [uuid7() for _ in range(5_000)]

    with ThreadPoolExecutor(4) as pool:
        made = [future.result() for future in [pool.submit(make) for _ in range(4)]]
    assert all(one == sorted(one) for one in made)
    assert len({made_id for one in made for made_id in one}) == 20_000


def test_ids_keep_growing_when_the_wall_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 1_000_000_000))
    later = [uuid7() for _ in range(10_000)]
    assert [first, *later] == sorted([first, *later])


def test_two_processes_do_not_make_the_same_ids() -> None:
    code = "from signalink_core.ids import uuid7; print(*[uuid7() for _ in range(200)])"
    made = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
        for _ in range(2)
    ]
    assert len(set(made[0]) | set(made[1])) == 400


def test_now_is_aware_and_has_whole_milliseconds() -> None:
    now = utc_now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-23, 23))  # noqa: DTZ001
def test_isoformat_is_utc_with_milliseconds_and_reads_back(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    text = isoformat(moment)
    assert len(text) == len("2026-01-02T03:04:05.678Z")
    assert datetime.fromisoformat(text) == truncate(moment)


def test_isoformat_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        isoformat(datetime(2026, 1, 2))  # noqa: DTZ001

"""`eventually` waits with a deadline and shows what it last saw; the memory twins ship beside it."""

import time

import pytest

from signalink_core import testing
from signalink_core.testing import eventually


async def test_eventually_gives_the_first_true_value() -> None:
    values = iter([0, None, "", 7])
    assert await eventually(lambda: next(values), every=0.001) == 7


async def test_eventually_takes_async_conditions() -> None:
    values = iter([False, True])

    async def condition() -> bool:
        return next(values)

    assert await eventually(condition, every=0.001)


async def test_eventually_shows_the_last_value_when_time_is_up() -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"not true within 0.05 s; last value: 0"):
        await eventually(lambda: 0, within=0.05, every=0.001)
    assert time.monotonic() - began >= 0.05


async def test_eventually_waits_out_failing_assertions_but_no_other_error() -> None:
    calls: list[int] = []

    def asserts() -> bool:
        calls.append(1)
        assert len(calls) > 2
        return True

    assert await eventually(asserts, every=0.001)
    with pytest.raises(ZeroDivisionError):
        await eventually(lambda: 1 / 0)


def test_the_memory_twins_ship_with_the_library() -> None:
    assert {name: getattr(testing, name).__name__ for name in testing.__all__} == {
        name: name for name in testing.__all__
    }
    with pytest.raises(AttributeError, match="MemoryNothing"):
        testing.MemoryNothing  # noqa: B018

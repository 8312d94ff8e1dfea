"""Start, stop, crash and retry of long-lived things; the order in which a stop releases what it owns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import DependencyUnavailable
from signalink_core.lifecycle import Lifecycle, full_jitter, until_stopped
from signalink_core.testing import eventually


class Part(Lifecycle):
    """Records what happened, in order."""

    def __init__(self, *, fail_start: bool = False) -> None:
        super().__init__()
        self.calls: list[str] = []
        self._fail_start = fail_start

    @asynccontextmanager
    async def resource(self) -> AsyncIterator[str]:
        self.calls.append("open")
        yield "resource"
        self.calls.append("close")

    async def forever(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.calls.append("task ended")

    async def _start(self) -> None:
        self.calls.append("start")
        await self.enter(self.resource())
        self.spawn(self.forever(), "forever")
        await asyncio.sleep(0)
        if self._fail_start:
            raise DependencyUnavailable("no")

    async def _stop(self) -> None:
        self.calls.append("stop")


WHOLE_LIFE = ["start", "open", "stop", "task ended", "close"]


async def test_stop_drains_then_ends_tasks_then_closes_resources() -> None:
    async with Part() as part:
        assert part.running
    assert part.calls == WHOLE_LIFE
    assert not part.running


async def test_double_start_and_double_stop_do_nothing_more() -> None:
    part = Part()
    await part.start()
    await part.start()
    await part.stop()
    await part.stop()
    assert part.calls == WHOLE_LIFE


async def test_concurrent_stops_all_wait_for_the_one_that_works() -> None:
    part = Part()
    await part.start()
    await asyncio.gather(*(part.stop() for _ in range(5)))
    assert part.calls == WHOLE_LIFE


async def test_stop_before_start_is_safe_and_start_still_works() -> None:
    part = Part()
    await part.stop()
    assert part.calls == []
    async with part:
        assert part.running


async def test_a_stopped_part_can_be_started_again() -> None:
    part = Part()
    async with part:
        pass
    async with part:
        pass
    assert part.calls == WHOLE_LIFE * 2


async def test_a_failed_start_leaves_no_task_and_no_resource() -> None:
    part = Part(fail_start=True)
    with pytest.raises(DependencyUnavailable):
        await part.start()
    assert part.calls == ["start", "open", "task ended", "close"]
    assert not part.running
    assert len(asyncio.all_tasks()) == 1


async def test_a_crashed_task_is_reported_once_and_the_rest_goes_on() -> None:
    async def crash(text: str) -> None:
        raise ValueError(text)

    async with Part() as part:
        part.spawn(crash("first"), "first")
        error = await asyncio.wait_for(part.failed, 5)
        assert isinstance(error, ValueError)
        part.spawn(crash("second"), "second")
        await eventually(lambda: len(asyncio.all_tasks()) == 2)
        assert str(part.failed.result()) == "first"
    async with part:
        assert not part.failed.done()


async def test_a_task_that_ends_by_itself_is_not_a_failure() -> None:
    async def done() -> int:
        return 7

    async with Part() as part:
        assert await part.spawn(done(), "done") == 7
        assert not part.failed.done()


async def test_a_task_may_stop_its_own_lifecycle() -> None:
    part = Part()
    await part.start()
    await asyncio.wait_for(part.spawn(part.stop(), "suicide"), 5)
    assert part.calls == WHOLE_LIFE


async def test_a_stop_hook_that_fails_still_ends_tasks_and_resources() -> None:
    class Broken(Part):
        async def _stop(self) -> None:
            raise RuntimeError("cannot drain")

    part = Broken()
    await part.start()
    with pytest.raises(RuntimeError):
        await part.stop()
    assert part.calls == ["start", "open", "task ended", "close"]


async def test_waiting_for_the_stop_ends_with_the_stop() -> None:
    stop = asyncio.Event()
    async with Part() as part:
        waiting = asyncio.create_task(until_stopped(stop, part))
        await asyncio.sleep(0)
        assert not waiting.done()
        stop.set()
        assert await asyncio.wait_for(waiting, 5) is None
        assert not part.failed.done()


async def test_waiting_for_the_stop_ends_with_the_crash_of_any_part() -> None:
    async def crash() -> None:
        raise ValueError("crashed")

    async with Part() as one, Part() as other:
        waiting = asyncio.create_task(until_stopped(asyncio.Event(), one, other))
        other.spawn(crash(), "crash")
        with pytest.raises(ValueError, match="crashed"):
            await asyncio.wait_for(waiting, 5)


@given(st.integers(1, 10_000), st.floats(0.001, 1), st.floats(0.001, 10))
def test_jitter_stays_between_zero_and_the_cap(attempt: int, base: float, cap: float) -> None:
    assert 0 <= full_jitter(attempt, base, cap) <= min(cap, base * 2 ** min(attempt, 32))

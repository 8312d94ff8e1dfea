"""Test seams shipped with the library: waiting for a condition, and the memory twins of bus and log."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

__all__ = ["eventually"]


async def eventually(condition: Callable[[], T | Awaitable[T]], within: float = 10.0, every: float = 0.02) -> T:
    """The first true value of `condition` (plain or async); AssertionError with the last value after `within` seconds.

    An AssertionError raised by the condition counts as not yet and is shown when time is up.
    """
    deadline = time.monotonic() + within
    last: object = None
    while True:
        try:
            value = condition()
            last = result = await value if inspect.isawaitable(value) else value
            if result:
                return result
        except AssertionError as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {within} s; last value: {last!r}")
        await asyncio.sleep(every)

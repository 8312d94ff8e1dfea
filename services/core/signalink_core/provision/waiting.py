"""Owns waiting for a server that is still starting: the work is tried again until it is done or time is up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from signalink_core.errors import DependencyUnavailable

T = TypeVar("T")
PAUSE_SECONDS: Final = 1.0


async def until(
    work: Callable[[], Awaitable[T]], within: float, *, what: str, later: Callable[[BaseException], bool]
) -> T:
    """The answer of `work`. An error for which `later` is true is a reason to try again after 1 s.

    Raises DependencyUnavailable with the last such error after `within` seconds, every other error at once.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        try:
            return await work()
        except Exception as error:
            if not later(error):
                raise
            if loop.time() + PAUSE_SECONDS > deadline:
                raise DependencyUnavailable(
                    f"{what} was not ready within {within:g} s: {error}.",
                    next_step="look why it does not start, then run this again.",
                ) from error
        await asyncio.sleep(PAUSE_SECONDS)

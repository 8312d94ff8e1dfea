"""Test seams shipped with the library: waiting for a condition, and the memory twins of bus, log and Kafka."""

import asyncio
import importlib
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from signalink_core.bus.memory import MemoryBus
    from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
    from signalink_core.kafka.memory_group import MemoryConsumerManager, MemoryOffsets
    from signalink_core.log.memory import MemoryLog

T = TypeVar("T")

__all__ = [
    "MemoryBus",
    "MemoryConsumerManager",
    "MemoryKafka",
    "MemoryLog",
    "MemoryOffsets",
    "MemoryProducer",
    "eventually",
]
TWINS = {
    "MemoryBus": "signalink_core.bus.memory",
    "MemoryConsumerManager": "signalink_core.kafka.memory_group",
    "MemoryKafka": "signalink_core.kafka.memory",
    "MemoryOffsets": "signalink_core.kafka.memory_group",
    "MemoryLog": "signalink_core.log.memory",
    "MemoryProducer": "signalink_core.kafka.memory",
}


def __getattr__(name: str) -> Any:
    """The twins are imported when asked for: they need the extras of their packages, `eventually` needs none."""
    if name in TWINS:
        return getattr(importlib.import_module(TWINS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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

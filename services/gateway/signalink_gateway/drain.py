"""Leaving without hurting anyone: no new sockets, then `draining` in waves, answers finished, bytes flushed, 4000.

Each client is told its own delay, so that they do not all knock on the next node at once.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging
from signalink_gateway import disconnects
from signalink_gateway.gateway import Gateway
from signalink_gateway.session import Session

WAVES = 20
SMALLEST_WAVE = 50
WAVE_SECONDS = 0.25
ANSWERS_SECONDS = 5.0
FLUSH_SECONDS = 2.0
CLOSE_SECONDS = 2.0

log = logging.get_logger(__name__)


async def drain(gateway: Gateway, readiness: Readiness, stop_accepting: Callable[[], Awaitable[None]]) -> None:
    """At most about 15 s: 5 s of waves, 5 s for answers of the api, 2 s to flush, 2 s for the closing handshakes."""
    readiness.drain()
    gateway.draining = True
    await stop_accepting()
    sessions = list(gateway.sessions.values())
    random.shuffle(sessions)
    size = max(SMALLEST_WAVE, -(-len(sessions) // WAVES))
    log.info("drain_started", sessions=len(sessions), wave=size)
    for start in range(0, len(sessions), size):
        _announce(sessions[start : start + size], len(sessions))
        if start + size < len(sessions):
            await asyncio.sleep(WAVE_SECONDS)
    await _until(lambda: gateway.parts.forwarder.pending == 0, ANSWERS_SECONDS)
    await gateway.flushed(FLUSH_SECONDS)
    for session in sessions:
        session.close(disconnects.DRAINING)
    await _until(lambda: all(session.transport.is_closing() for session in sessions), CLOSE_SECONDS)
    log.info("drain_finished")


def _announce(sessions: list[Session], total: int) -> None:
    for session in sessions:
        delay = random.uniform(100, 1_000 + 2 * total)  # noqa: S311 - spreads load, guards nothing
        session.say(op="draining", reconnect_after_ms=int(delay))


async def _until(done: Callable[[], bool], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline:
        if done():
            return
        await asyncio.sleep(0.02)

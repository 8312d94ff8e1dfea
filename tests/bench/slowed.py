"""A product process with an injected slowdown, for the self-checks: a benchmark that cannot see it measures nothing.

Usage: slowed.py gateway burn|delay|fat, slowed.py api|relay|analytics burn. The patches live here, not in the product.
"""

import asyncio
import runpy
import sys
import time
from typing import Any

BURN_SECONDS = 20e-6
DELAY_SECONDS = 0.01
FAT_BYTES = 8_192
POST_SECONDS = 1e-3
EVENT_SECONDS = 200e-6


def burn(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def slow_gateway(how: str) -> None:
    from signalink_gateway.session import Session

    write_out, welcome = Session.write_out, Session.welcome
    ballast: list[bytearray] = []

    def burning(self: Session) -> None:
        burn(BURN_SECONDS)
        write_out(self)

    def delayed(self: Session) -> None:
        asyncio.get_running_loop().call_later(DELAY_SECONDS, write_out, self)

    def fat(self: Session, *arguments: Any) -> None:
        ballast.append(bytearray(b"x" * FAT_BYTES))
        welcome(self, *arguments)

    if how == "fat":
        Session.welcome = fat  # type: ignore[method-assign]
    else:
        Session.write_out = burning if how == "burn" else delayed  # type: ignore[method-assign]


def slow_api() -> None:
    from signalink_api.writer.writer import MessageWriter

    post = MessageWriter.post

    async def slow(self: MessageWriter, draft: Any) -> Any:
        burn(POST_SECONDS)
        return await post(self, draft)

    MessageWriter.post = slow  # type: ignore[method-assign]


def slow_relay() -> None:
    from signalink_core.log import relay

    record_of = relay.record_of

    def slow(row: Any) -> Any:
        burn(EVENT_SECONDS)
        return record_of(row)

    relay.record_of = slow


def slow_analytics() -> None:
    from signalink_core.kafka import settling

    read = settling.read

    def slow(*arguments: Any) -> Any:
        burn(EVENT_SECONDS)
        return read(*arguments)

    settling.read = slow


if __name__ == "__main__":
    if sys.argv[1] == "gateway":
        slow_gateway(sys.argv[2])
    else:
        {"api": slow_api, "relay": slow_relay, "analytics": slow_analytics}[sys.argv[1]]()
    runpy.run_module(f"signalink_{sys.argv[1]}", run_name="__main__", alter_sys=True)

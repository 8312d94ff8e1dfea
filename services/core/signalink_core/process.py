"""Runs one service process: logging, uvloop, signals, exit codes. What the service does is its `main`."""

import asyncio
import gc
import os
import platform
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

import uvloop

from signalink_core import faults
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import ProcessSettings
from signalink_core.telemetry import logging, metrics, names

Main = Callable[[asyncio.Event], Awaitable[None]]
EXIT_FAILED = 1
EXIT_USAGE = 64
DRAIN_SECONDS = 25.0
LAG_INTERVAL_SECONDS = 0.25
YOUNG_OBJECTS = 5_000
"""Python looks for cycles after 700 new objects; a turn that fans out to 1,000 sockets makes more and drops them. A
process that holds many records at once names a greater number."""
log = logging.get_logger(__name__)


def run(
    main: Main, *, service: str, settings: ProcessSettings | None = None, young_objects: int = YOUNG_OBJECTS
) -> NoReturn:
    """Run `main(stop)` until it returns, then exit. `young_objects`: how many are made between two looks for cycles.

    SIGTERM and SIGINT set `stop`; main then has 25 s to drain and return. Exit code 0 after a clean return, 64 for a
    ConfigurationError, 1 for every other failure, each with one log line that says what, why and the next step.
    """
    logging.configure(service, service)
    try:
        process = (settings or ProcessSettings.from_env()).named(service)
        logging.configure(service, process.node, process.log_level)
        _prepare(service, process, young_objects)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_supervise(main))
    except BaseException as error:
        code = _explain(error)
    sys.stdout.flush()
    sys.exit(code)


def _prepare(service: str, process: ProcessSettings, young_objects: int) -> None:
    faults.here.configure(process)
    metrics.expose(service)
    gc.freeze()  # what was imported stays: no collection looks at it again
    gc.set_threshold(young_objects)
    names.BUILD_INFO.info(
        {"service": service, "version": logging.product_version(), "python": platform.python_version()}
    )


async def _supervise(main: Main) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _asked_to_stop, stop, number)
    log.info("process_started", pid=os.getpid())
    async with LoopLag():
        running = asyncio.ensure_future(main(stop))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await asyncio.wait({running}, timeout=DRAIN_SECONDS)
        if not running.done():
            log.error("drain_exceeded", seconds=DRAIN_SECONDS)
            sys.stdout.flush()
            os._exit(EXIT_FAILED)  # what did not end in 25 s would not end by a cancel either
        running.result()
    log.info("process_stopped")
    return 0


def _asked_to_stop(stop: asyncio.Event, number: int) -> None:
    log.info("stop_requested", signal=signal.Signals(number).name)
    stop.set()


def _explain(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_FAILED
    if isinstance(error, SignalinkError):
        fields = {"what": error.detail, "next": error.next_step, "code": error.code, "fields": dict(error.fields)}
        log.error("process_failed", **fields)
        return EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED
    log.error("process_crashed", exc_info=error)
    return EXIT_FAILED


class LoopLag(Lifecycle):
    """Measures how late the event loop runs a timer, four times a second."""

    async def _start(self) -> None:
        self.spawn(self._measure(), "loop-lag")

    async def _measure(self) -> None:
        while True:
            due = time.monotonic() + LAG_INTERVAL_SECONDS  # uvloop's own clock stands still within a turn of the loop
            await asyncio.sleep(LAG_INTERVAL_SECONDS)
            names.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, time.monotonic() - due))

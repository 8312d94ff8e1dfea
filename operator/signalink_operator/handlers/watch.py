"""What kopf is asked to do and how it is set up: watch, and nothing else. It writes no annotation, finalizer or Event.

Each setting answers a known trap of kopf; a test asserts every one of them on the built object.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterable
from typing import Any

import kopf

from signalink_core.lifecycle import Lifecycle
from signalink_operator.intake import GLOB, Intake
from signalink_operator.model import GROUP, PLURALS

INACTIVITY_SECONDS = 70.0
CONNECT_SECONDS = 10.0
SERVER_SECONDS = 600
"""A whole number: the API server refuses a watch with `timeoutSeconds=600.0`."""
REQUEST_SECONDS = 60.0
NOISY = "kopf.objects"
"""kopf's logger that writes a line of 2 KB for each event of each object."""
IDENTITY: Any = "signalink-operator"
"""Else kopf asks for the name of its user, and an image's uid has none. Who may act is the Lease's affair."""
CHUNK = 500
"""Objects in one page of the list that a watch begins with."""
IDLE_SECONDS = 0.5
"""kopf has a task for each object that it hears of, until it was idle for so long (its own default is 5 s): with 5,000
objects at the start that was 55 MB at once."""


def settings(namespaces: Iterable[str] = ("*",)) -> kopf.OperatorSettings:
    """kopf's settings: a dead stream is noticed, strangers pause nothing, log lines become no Events.

    Where all namespaces are named, it looks for no others, which takes rights in the whole cluster.
    """
    built = kopf.OperatorSettings()
    built.watching.inactivity_timeout = INACTIVITY_SECONDS
    built.watching.connect_timeout = CONNECT_SECONDS
    built.watching.server_timeout = SERVER_SECONDS
    built.watching.chunk_size = CHUNK
    built.networking.request_timeout = REQUEST_SECONDS
    built.networking.connect_timeout = CONNECT_SECONDS
    built.queueing.idle_timeout = IDLE_SECONDS
    built.process.ultimate_exiting_timeout = None
    built.scanning.disabled = not any(set(name) & GLOB for name in namespaces)
    built.peering.standalone = True
    built.posting.enabled = False
    built.posting.loggers = False
    built.persistence.finalizer = f"{GROUP}/kopf-is-not-used-for-this"
    return built


def registry(intake: Intake, connection: kopf.ConnectionInfo, kinds: Iterable[str]) -> kopf.OperatorRegistry:
    """One handler per kind, and the login."""
    built = kopf.OperatorRegistry()
    kopf.on.login(registry=built)(_login(connection))
    for kind in kinds:
        kopf.on.event(GROUP, "v1", PLURALS[kind], registry=built, id=kind)(_handler(intake, kind))
    return built


def _handler(intake: Intake, kind: str) -> Any:
    async def on_event(event: Any, **_: Any) -> None:
        intake.event(kind, event["type"], event["object"])

    return on_event


def _login(connection: kopf.ConnectionInfo) -> Any:
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection

    return login


class _Everything(frozenset[Any]):
    """kopf cancels at its end every task of the loop that it does not find in here: none of ours, please."""

    def __contains__(self, item: object) -> bool:
        return True


class Watch(Lifecycle):
    """Runs kopf. `namespaces` empty: all of them. `stop` is set by the signals that end the process."""

    def __init__(
        self,
        intake: Intake,
        connection: kopf.ConnectionInfo,
        kinds: Iterable[str],
        namespaces: Iterable[str] = (),
        stop: asyncio.Event | None = None,
    ) -> None:
        super().__init__()
        self._stop_process = stop
        self._registry = registry(intake, connection, kinds)
        self._namespaces = list(namespaces)

    async def _start(self) -> None:
        logging.getLogger(NOISY).setLevel(logging.WARNING)
        self._stopping = asyncio.Event()
        ready = asyncio.Event()
        self._running_kopf = self.spawn(self._run(ready), "kopf")
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({waiting, self._running_kopf}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._running_kopf.done():
            self._running_kopf.result()

    async def _run(self, ready: asyncio.Event) -> None:
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=settings(self._namespaces or ["*"]),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            identity=IDENTITY,
            ready_flag=ready,
            stop_flag=self._stopping,
        )
        self._take_signals_back()
        await kopf.run_tasks(tasks, ignored=_Everything())
        if not self._stopping.is_set():
            raise RuntimeError("kopf has ended by itself")

    def _take_signals_back(self) -> None:
        """kopf takes the process's signals over; ours stops the parts in their order, and kopf among them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            if self._stop_process is None:
                loop.remove_signal_handler(number)
            else:
                loop.add_signal_handler(number, self._stop_process.set)

    async def _stop(self) -> None:
        self._stopping.set()
        await asyncio.wait({self._running_kopf}, timeout=10.0)

"""One connection of the writer and what it does with a batch: call, retry, halve, answer.

Owns the reading of failures. Which entries come here, and that no two slots hold one channel, is the writer's.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg import exceptions as pg
from asyncpg.exceptions import PostgresError

from signalink_api.writer import statement
from signalink_api.writer.drafts import Entry, PostFailed, PostUnknown, Verdict
from signalink_core import faults
from signalink_core.database import pool
from signalink_core.errors import DependencyUnavailable, FaultInjected, SignalinkError
from signalink_core.events import Event
from signalink_core.lifecycle import full_jitter
from signalink_core.log import state
from signalink_core.settings import PostgresSettings
from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

ATTEMPTS = 3
log = get_logger(__name__)

LOST = (
    OSError,
    pg.PostgresConnectionError,
    pg.InterfaceError,
    pg.InternalClientError,  # a statement begun in the moment in which the server dies ("cannot switch to state")
    pg.OperatorInterventionError,
)
"""The connection is gone or going: whether the statement was committed is not known."""
ROLLED_BACK = (
    pg.TransactionRollbackError,
    pg.QueryCanceledError,
    pg.UniqueViolationError,
)
"""Nothing was written, and the next attempt may well succeed."""


class Slot:
    """Settles one batch at a time on its own connection, opened when needed; events go to `on_committed` in order."""

    def __init__(self, postgres: PostgresSettings, on_committed: Callable[[Sequence[Event]], None]) -> None:
        self._postgres = postgres
        self._on_committed = on_committed
        self._connection: asyncpg.Connection | None = None
        self._closed = False

    def open(self) -> None:
        """Allow connecting."""
        self._closed = False

    def close(self) -> None:
        """Cut the connection and allow no other."""
        self._closed = True
        self._cut()

    def _cut(self) -> None:
        """Close the socket at once; a running statement goes on in Postgres (a cancel could undo a wait, log.md 1)."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def settle(self, batch: Sequence[Entry]) -> list[Entry]:
        """Answer every entry except those of busy channels, which are returned in order. Never raises for a failure."""
        busy: list[Entry] = []
        wait = len({entry.channel_id for entry in batch}) == 1
        parts = deque([list(batch)])  # bound: halves of one batch
        while parts:
            stalled = {entry.channel_id for entry in busy}
            taken = parts.popleft()
            busy += [entry for entry in taken if entry.channel_id in stalled]
            part = [entry for entry in taken if entry.channel_id not in stalled]
            if not part:
                continue
            try:
                answers = await self._attempt(part, wait=wait)
            except SignalinkError as error:
                self._refuse(part, error)
            except pg.LockNotAvailableError:
                busy += part
            except pg.InsufficientResourcesError as error:
                self._refuse(part, _no_space(error))
            except PostgresError as error:
                parts.extendleft(reversed(self._halve(part, error)))
            else:
                busy += self._answer(part, answers)
        return busy

    async def _attempt(self, part: Sequence[Entry], *, wait: bool) -> list[Mapping[str, Any]]:
        """The answers, after up to three tries. SignalinkError: for all of them. PostgresError: for one of them."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._call(part, wait=wait, sent=attempt > 1)
            except ROLLED_BACK:
                if attempt == ATTEMPTS:
                    raise
            except LOST as error:
                self._cut()
                if attempt == ATTEMPTS:
                    raise PostUnknown(
                        f"The connection to Postgres was lost while posting: {error}.",
                        next_step="post it again with the same client_id.",
                        retry_after=1.0,
                    ) from error
            await asyncio.sleep(full_jitter(attempt, base=0.02, cap=0.5))
        raise AssertionError("unreachable")

    async def _call(self, part: Sequence[Entry], *, wait: bool, sent: bool) -> list[Mapping[str, Any]]:
        connection = await self._connected(sent=sent)
        await faults.point("api.post.before_commit")
        names.WRITER_BATCH_MESSAGES.observe(len(part))
        started = time.perf_counter()
        try:
            # Shielded: cancelling the task of this slot must not become a cancel request in Postgres.
            answers = await asyncio.shield(statement.call(connection, part, wait=wait))
        except PostgresError as error:
            raise state.mismatch(error) or error from error
        finally:
            names.WRITER_STATEMENT_SECONDS.observe(time.perf_counter() - started)
        try:
            await faults.point("api.post.after_commit")
        except FaultInjected as error:
            raise PostUnknown(str(error), next_step="post it again with the same client_id.") from error
        return answers

    async def _connected(self, *, sent: bool) -> asyncpg.Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if self._closed:
            raise PostUnknown("The api stopped before the outcome was known.", retry_after=1.0)
        try:
            self._connection = await pool.connect(self._postgres, command_timeout=None)
        except (OSError, PostgresError, pg.InterfaceError) as error:
            if sent:
                raise ConnectionError(f"Postgres cannot be reached: {error or type(error).__name__}") from error
            raise DependencyUnavailable(
                f"Postgres cannot be reached, nothing was posted: {error or type(error).__name__}.", retry_after=1.0
            ) from error
        return self._connection

    def _answer(self, part: Sequence[Entry], answers: Sequence[Mapping[str, Any]]) -> list[Entry]:
        """Publish what was created, answer the callers, return the busy ones."""
        kinds: Counter[str] = Counter(answer["verdict"] for answer in answers)
        judged = [
            (entry, statement.verdict(entry, answer))
            for entry, answer in zip(part, answers, strict=True)
            if answer["verdict"] != statement.BUSY
        ]
        created = [(entry, verdict) for entry, verdict in judged if verdict.kind == "created"]
        try:
            if created:
                self._on_committed([statement.event(entry, verdict) for entry, verdict in created])
        finally:
            # In the next turn of the loop: the slot's next statement is sent before the callers' answers are written.
            asyncio.get_running_loop().call_soon(_settle, judged)
        for kind, count in kinds.items():
            if kind != statement.BUSY:
                names.MESSAGES_POSTED_TOTAL.labels(verdict=kind).inc(count)
        return [e for e, answer in zip(part, answers, strict=True) if answer["verdict"] == statement.BUSY]

    def _refuse(self, part: Sequence[Entry], error: SignalinkError) -> None:
        kind = "unknown" if isinstance(error, PostUnknown) else "unavailable"
        log.warning("posts_refused", posts=len(part), code=error.code, detail=error.detail)
        names.MESSAGES_POSTED_TOTAL.labels(verdict=kind).inc(len(part))
        for entry in part:
            entry.settle(error)

    def _halve(self, part: list[Entry], error: PostgresError) -> list[list[Entry]]:
        if len(part) > 1:
            return [part[: len(part) // 2], part[len(part) // 2 :]]
        entry = part[0]
        # The error's own text may quote the body, which belongs into no log.
        log.error("post_failed", sqlstate=getattr(error, "sqlstate", None), message_id=str(entry.message_id))
        names.MESSAGES_POSTED_TOTAL.labels(verdict="failed").inc()
        if isinstance(error, ROLLED_BACK):
            entry.settle(DependencyUnavailable("The channel is too busy, nothing was posted.", retry_after=1.0))
        else:
            entry.settle(PostFailed("Postgres refuses this message; it was not posted."))
        return []


def _settle(judged: Sequence[tuple[Entry, Verdict]]) -> None:
    for entry, verdict in judged:
        entry.settle(verdict)


def _no_space(error: PostgresError) -> DependencyUnavailable:
    """Disk, memory or connections of the server are used up: every post would fail the same way."""
    return DependencyUnavailable(
        f"Postgres has no space left ({type(error).__name__}); nothing was posted.",
        next_step="free space on the server, then post again.",
        retry_after=5.0,
    )


def channels_of(entries: Sequence[Entry]) -> set[UUID]:
    """The channels a batch holds."""
    return {entry.channel_id for entry in entries}

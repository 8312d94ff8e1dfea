"""MessageWriter: while one statement is in flight, arriving posts queue; when it returns, all that queued go in one.

Owns the queue, the slots, deadlines and the joining of repeated posts. Verdicts are Postgres's
(messaging.post_messages), publishing is `on_committed`'s, HTTP answers are the endpoints'.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from signalink_api.writer.drafts import Draft, Entry, Outcome, PostUnknown, Verdict
from signalink_api.writer.slot import Slot, channels_of
from signalink_api.writer.waiting import Waiting
from signalink_core.errors import DependencyUnavailable, QueueFull
from signalink_core.events import Event
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import PostgresSettings
from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

CALLER_SECONDS = 5.0
DRAIN_SECONDS = 10.0
log = get_logger(__name__)


class MessageWriter(Lifecycle):
    """`on_committed` gets the events of each batch, in seq order per channel, before the callers are answered.

    It is called on the loop and must neither block nor raise.
    """

    def __init__(
        self,
        postgres: PostgresSettings,
        *,
        on_committed: Callable[[Sequence[Event]], None],
        slots: int = 2,
        max_batch: int = 256,
        queue_limit: int = 4096,
        caller_seconds: float = CALLER_SECONDS,
    ) -> None:
        super().__init__()
        self._slots = [Slot(postgres, on_committed) for _ in range(slots)]
        self._max_batch = max_batch
        self._queue_limit = queue_limit
        self._caller_seconds = caller_seconds
        self._waiting = Waiting()
        self._held: set[UUID] = set()
        self._under_way: dict[tuple[UUID, str], Entry] = {}
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._open = False

    async def post(self, draft: Draft) -> Verdict:
        """The verdict of this draft, or of the same one already under way.

        Raises PostUnknown after 5 s (the batch goes on), QueueFull, DependencyUnavailable (not posted), PostFailed.
        """
        deadline = time.monotonic() + self._caller_seconds
        request_hash = draft.request_hash()
        while True:
            entry = self._under_way.get(draft.key) or self._enqueue(draft, request_hash)
            verdict = await self._outcome(entry, deadline)
            if entry.request_hash == request_hash:
                return verdict
            if verdict.posted:
                names.MESSAGES_POSTED_TOTAL.labels(verdict="conflict").inc()
                return Verdict("conflict")
            # The other post of this key was refused, so the key is still free and ours is judged on its own.

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()  # asking for it at every post costs a system call before Python 3.12
        self._open = True
        self._idle.set()
        for slot in self._slots:
            slot.open()
        for n, slot in enumerate(self._slots):
            self.spawn(self._run(slot), f"writer-slot-{n}")

    async def _stop(self) -> None:
        """Refuse new posts, let the queue drain for up to 10 s, answer the rest as unknown."""
        self._open = False
        try:
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        except TimeoutError:
            pass
        finally:
            self._waiting.clear()
            for slot in self._slots:
                slot.close()
            for entry in list(self._under_way.values()):
                entry.settle(PostUnknown("The api stopped before the outcome was known.", retry_after=1.0))

    def _enqueue(self, draft: Draft, request_hash: bytes) -> Entry:
        if not self._open:
            raise DependencyUnavailable("This api process is stopping; nothing was posted.", retry_after=1.0)
        if len(self._waiting) >= self._queue_limit:
            names.QUEUE_REJECTED_TOTAL.labels(queue="writer").inc()
            names.MESSAGES_POSTED_TOTAL.labels(verdict="queue_full").inc()
            raise QueueFull(f"{self._queue_limit} posts already wait; nothing was posted.", retry_after=1.0)
        entry = Entry(draft, self._loop.create_future(), time.monotonic(), request_hash)
        self._under_way[draft.key] = entry
        entry.outcome.add_done_callback(lambda _: self._forget(entry))
        self._waiting.put(entry)
        self._idle.clear()
        self._work.set()
        return entry

    def _forget(self, entry: Entry) -> None:
        if self._under_way.get(entry.draft.key) is entry:
            del self._under_way[entry.draft.key]
        if not self._under_way:
            self._idle.set()

    async def _run(self, slot: Slot) -> None:
        while True:
            while not (batch := self._take()):
                self._work.clear()
                await self._work.wait()
            channels = channels_of(batch)
            self._held |= channels
            try:
                self._waiting.give_back(await slot.settle(batch))
            except Exception:
                log.exception("batch_failed", posts=len(batch))
                for entry in batch:
                    entry.settle(PostUnknown("The writer failed; it may still be posted.", retry_after=1.0))
            finally:
                self._held -= channels
                self._work.set()

    def _take(self) -> list[Entry]:
        now = time.monotonic()
        batch: list[Entry] = []
        while not batch and (taken := self._waiting.take(self._max_batch, self._held)):
            batch = [entry for entry in taken if not self._given_up(entry, now)]
        names.QUEUE_DEPTH.labels(queue="writer").set(len(self._waiting))
        for entry in batch:
            names.WRITER_WAIT_SECONDS.observe(now - entry.queued_at)
        return batch

    def _given_up(self, entry: Entry, now: float) -> bool:
        """A post that waits in the queue longer than its caller did is not made late; it was never written."""
        if now - entry.queued_at < self._caller_seconds:
            return False
        names.MESSAGES_POSTED_TOTAL.labels(verdict="unavailable").inc()
        entry.settle(DependencyUnavailable("Its turn did not come in time; nothing was posted.", retry_after=1.0))
        return True

    async def _outcome(self, entry: Entry, deadline: float) -> Verdict:
        """Wait for it without owning it: a caller that is cancelled or out of time leaves the batch alone."""
        await self._done(entry.outcome, max(0.0, deadline - time.monotonic()))
        if not entry.outcome.done():
            names.MESSAGES_POSTED_TOTAL.labels(verdict="unknown").inc()
            raise PostUnknown(
                "No outcome in time; it may still be posted.",
                next_step="post it again with the same client_id.",
                retry_after=1.0,
            )
        outcome: Outcome = entry.outcome.result()
        if isinstance(outcome, Verdict):
            return outcome
        raise outcome

    async def _done(self, outcome: asyncio.Future[Outcome], seconds: float) -> None:
        """asyncio.wait for one future: the same without sets and tasks, which cost a tenth of a post."""
        if outcome.done():
            return
        waiter: asyncio.Future[None] = self._loop.create_future()

        def wake(_: object = None) -> None:
            if not waiter.done():
                waiter.set_result(None)

        timer = self._loop.call_later(seconds, wake)
        outcome.add_done_callback(wake)
        try:
            await waiter
        finally:
            timer.cancel()
            outcome.remove_done_callback(wake)

"""`presence.watch`: who may know about whom, the snapshot that answers it, and looking again when memberships change.

Owns the order of work (a few at a time, one wish per session, a newer one replaces an older) and the rights; `watching`
keeps the result. A watch that lost its right is told `offline` and nothing more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.errors import DependencyUnavailable
from signalink_core.telemetry import logging
from signalink_gateway.commands import Ref, Watch
from signalink_gateway.reads import LogReads
from signalink_gateway.session import Session
from signalink_gateway.view import View
from signalink_gateway.watching import Watching, listed

WORKERS = 4
CHECK_SECONDS = 300.0
"""Rights of a watch are read again after this long, whatever the node heard of memberships."""
CHECKS_PER_SECOND = 20

log = logging.get_logger(__name__)


class Wish(NamedTuple):
    """`answer` False: rights are looked at again and nothing is said."""

    users: frozenset[UUID]
    ref: Ref
    answer: bool


class Watches(lifecycle.Lifecycle):
    """`known(users)` returns once the view has read them from the other nodes, or cannot now."""

    def __init__(
        self, reads: LogReads, view: View, watching: Watching, *, known: Callable[[frozenset[UUID]], Awaitable[None]]
    ) -> None:
        super().__init__()
        self._reads, self._view, self._watching, self._known = reads, view, watching, known
        self._wishes: dict[Session, Wish] = {}
        self._checked: dict[Session, float] = {}
        self._filled = asyncio.Event()

    def command(self, session: Session, command: Watch) -> None:
        """The session wants to watch exactly these; answered by `presence` or `error`."""
        before = self._wishes.pop(session, None)
        if before is not None and before.answer:
            session.say(op="error", ref=before.ref, code="superseded", message="A newer presence.watch came.")
        self._wish(session, Wish(frozenset(command.users), command.ref, answer=True))

    def check(self, session: Session) -> None:
        """Reads the rights of the session's watch again."""
        users = self._watching.watched.get(session)
        if users and session not in self._wishes:
            self._wish(session, Wish(users, None, answer=False))

    def check_oldest(self) -> None:
        """Called once a second: those whose rights are the oldest, if they are old."""
        late = time.monotonic() - CHECK_SECONDS
        for session in [session for session, at in self._checked.items() if at < late][:CHECKS_PER_SECOND]:
            self.check(session)

    def leave(self, session: Session) -> None:
        self._wishes.pop(session, None)
        self._checked.pop(session, None)

    def _wish(self, session: Session, wish: Wish) -> None:
        self._wishes[session] = wish
        self._filled.set()

    async def _start(self) -> None:
        for _ in range(WORKERS):
            self.spawn(self._run(), "watches")

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            if not self._wishes:
                self._filled.clear()
                continue
            session = next(iter(self._wishes))
            wish = self._wishes.pop(session)
            try:
                await self._grant(session, wish)
            except DependencyUnavailable as exc:
                if wish.answer:
                    self._refuse(session, wish, "unavailable", f"{exc.detail} Watch again later.")
            except Exception:
                log.exception("watch_failed", session=str(session.id))

    async def _grant(self, session: Session, wish: Wish) -> None:
        if session.user is None or session.closed is not None:
            return
        allowed = frozenset(await self._reads.acquainted(session.user, wish.users) if wish.users else ())
        if session.closed is not None:
            return
        before = self._watching.watched.get(session, frozenset())
        if wish.answer and not self._watching.space_for(allowed):
            self._refuse(session, wish, "busy", "This node watches too many users: watch fewer, or later.")
            return
        if not wish.answer:
            allowed &= before
            self._watching.tell(session, [(user, "offline") for user in before - allowed])
        self._watching.watch(session, allowed)
        if allowed:
            self._checked[session] = time.monotonic()
        else:
            self._checked.pop(session, None)
        if wish.answer:
            await self._known(allowed)
            states = [(user, self._view.state(user)) for user in allowed]
            session.say(op="presence", ref=wish.ref, users=listed(states))

    def _refuse(self, session: Session, wish: Wish, code: str, message: str) -> None:
        session.say(op="error", ref=wish.ref, code=code, message=message)

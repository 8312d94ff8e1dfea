"""Which sessions and users ended, so that their access tokens are refused before they expire.

Read from Postgres every 2 s, the last 60 s again each time (by id it would lose rows that commit late); what this
process revoked itself counts at once. The read is also how a service knows whether Postgres answers.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from signalink_core.auth.tokens import ACCESS_LIFETIME, LEEWAY_SECONDS, Claims
from signalink_core.database import pool
from signalink_core.database.outage import unavailable_when_away
from signalink_core.errors import DependencyUnavailable
from signalink_core.lifecycle import Lifecycle
from signalink_core.log import reads
from signalink_core.readiness import Readiness
from signalink_core.settings import PostgresSettings

READ_EVERY_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 0.5
READ_SECONDS: Final = 2.0
OVERLAP_SECONDS: Final = 60.0
TOKEN_SECONDS: Final = ACCESS_LIFETIME.total_seconds() + 2 * LEEWAY_SECONDS
DEPENDENCY: Final = "postgres"


class Revocations(Lifecycle):
    """`refuses(claims)` is a look-up in memory; entries are kept as long as a token can outlive them.

    It reads on a connection of its own: a pool that is busy must neither delay a revocation nor look like an outage.
    """

    def __init__(self, postgres: PostgresSettings, readiness: Readiness) -> None:
        super().__init__()
        self._postgres = postgres
        self._connection: asyncpg.Connection | None = None
        self._readiness = readiness
        self._sessions: dict[UUID, datetime] = {}
        self._users: dict[UUID, datetime] = {}
        self._read_at: float | None = None

    async def _start(self) -> None:
        self.spawn(self._follow(), "revocations")

    def refuses(self, claims: Claims) -> bool:
        """A revoked session is refused for good; a revoked user until they signed in again after it."""
        if claims.sid in self._sessions:
            return True
        at = self._users.get(claims.sub)
        return at is not None and claims.exp - ACCESS_LIFETIME <= at

    def add(self, kind: str, subject: UUID, at: datetime) -> None:
        """Applying one twice is harmless."""
        known = self._sessions if kind == "session" else self._users
        known[subject] = max(at, known.get(subject, at))

    async def read(self) -> None:
        """One look at Postgres; raises DependencyUnavailable when it does not answer."""
        since = TOKEN_SECONDS if self._read_at is None else time.monotonic() - self._read_at + OVERLAP_SECONDS
        began = time.monotonic()
        with unavailable_when_away():
            async with asyncio.timeout(READ_SECONDS):
                connection = await self._connected()
                rows = await reads.revocations_since(connection, seconds=since)
                now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        for row in rows:
            self.add(row.subject_kind, row.subject_id, row.at)
        self._read_at = began
        self._forget(now - timedelta(seconds=TOKEN_SECONDS))

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await pool.connect(self._postgres)
        return self._connection

    def _cut(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _stop(self) -> None:
        self._cut()

    async def _follow(self) -> None:
        while True:
            try:
                await self.read()
            except DependencyUnavailable as error:
                self._cut()
                self._readiness.set(DEPENDENCY, "down", str(error.__cause__) or type(error.__cause__).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._readiness.set(DEPENDENCY, "ok")
                await asyncio.sleep(READ_EVERY_SECONDS)

    def _forget(self, before: datetime) -> None:
        for known in (self._sessions, self._users):
            for subject in [subject for subject, at in known.items() if at < before]:
                del known[subject]

"""A user's notifications, page by page; cursors are bound to the user."""

from datetime import datetime
from uuid import UUID

from signalink_core.web.cursors import CursorSigner
from signalink_core.web.schemas import Page
from signalink_notifications.database import Database
from signalink_notifications.history import repository
from signalink_notifications.history.schemas import Notification


class HistoryService:
    def __init__(self, database: Database, cursors: CursorSigner) -> None:
        self._database, self._cursors = database, cursors

    async def mine(self, user_id: UUID, cursor: str | None, limit: int) -> Page[Notification]:
        scope = f"notifications:{user_id}"
        before: tuple[datetime, UUID] | None = None
        if cursor is not None:
            at, notification = self._cursors.read(scope, cursor)
            before = datetime.fromisoformat(at), UUID(notification)
        async with self._database.read() as db:
            rows = await repository.planned(db, user_id, before, limit + 1)
        shown, more = rows[:limit], len(rows) > limit
        last = self._cursors.make(scope, [shown[-1]["planned_at"].isoformat(), shown[-1]["id"]]) if more else None
        return Page[Notification](items=[Notification(**row) for row in shown], next=last)

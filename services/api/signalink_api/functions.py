"""Calls of the writing functions of schema `messaging`, and what their refusals are in HTTP.

Each is one statement in autocommit (log.md 1). What they decide is SQL's; posts go through the writer instead.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from asyncpg import exceptions as pg

from signalink_api import problems
from signalink_api.database import Database
from signalink_core.errors import Conflict, DependencyUnavailable, Forbidden, NotFound, SignalinkError
from signalink_core.ids import uuid7
from signalink_core.lifecycle import full_jitter
from signalink_core.log import state
from signalink_core.telemetry.trace import current_traceparent
from signalink_core.web.catalogue import Invalid

Name = Literal[
    "create_channel",
    "update_channel",
    "archive_channel",
    "join_channel",
    "leave_channel",
    "add_member",
    "remove_member",
    "set_member_role",
    "edit_message",
    "delete_message",
    "open_direct",
    "read_channel",
    "mute_member",
    "put_managed_channel",
    "remove_managed_channel",
]
Answer = Mapping[str, Any]
ATTEMPTS = 3
ROLLED_BACK = (pg.TransactionRollbackError, pg.LockNotAvailableError, pg.UniqueViolationError)
"""Nothing was written, so trying again is safe."""

AGAIN = "again"
"""The verdict of a function that found the channel in other hands than it had looked up; it wrote nothing."""

_CONFLICTS = {
    "slug_taken": "A channel with this slug exists.",
    "id_taken": "A channel with this id exists.",
    "channel_full": "The channel has as many members as it may.",
    "last_owner": "The channel would be left without an owner.",
    "deleted": "The message was deleted.",
    "managed_elsewhere": "The channel of this slug is held by somebody else.",
}
_MISSING = {"user": "There is no such user.", "member": "There is no such member."}


async def call(database: Database, name: Name, command: Mapping[str, Any]) -> Answer:
    """The answer of an accepted command, with `events` to publish; a refusal is raised as its problem."""
    said = {**command, "event_id": uuid7(), "traceparent": current_traceparent()}
    for _ in range(ATTEMPTS):
        answer = await _attempt(database, f"SELECT messaging.{name}($1)", said)
        if answer["verdict"] == "ok":
            return answer
        if answer["verdict"] != AGAIN:
            about = {key: answer[key] for key in answer.keys() - {"verdict", "reason", "events"}}
            raise refusal(answer["verdict"], answer.get("reason"), **about)
    raise _busy()


def refusal(verdict: str, reason: str | None = None, **about: Any) -> SignalinkError:
    """The problem that a verdict other than `ok` becomes; a conflict tells what the function said `about` it."""
    match verdict:
        case "not_found":
            return NotFound(_MISSING.get(reason or "", "There is no such thing."))
        case "forbidden":
            return Forbidden("Your role does not allow this.")
        case "archived":
            return problems.Archived("The channel is archived.")
        case "muted":
            return problems.Muted("You are muted in this channel.")
        case "conflict":
            return Conflict(_CONFLICTS.get(reason or "", "The state does not allow this."), reason=reason, **about)
        case "invalid":
            return Invalid.field(f"body.{reason or 'body'}", "Not acceptable")
    raise ValueError(f"verdict {verdict!r} has no answer")


async def _attempt(database: Database, statement: str, command: Mapping[str, Any]) -> Answer:
    for attempt in range(1, ATTEMPTS + 1):
        async with database.commands() as connection:
            try:
                answer: Answer = await connection.fetchval(statement, command)
            except ROLLED_BACK:
                if attempt == ATTEMPTS:
                    break
            except pg.PostgresError as error:
                raise state.mismatch(error) or error from error
            else:
                return answer
        await asyncio.sleep(full_jitter(attempt, base=0.02, cap=0.5))
    raise _busy()


def _busy() -> DependencyUnavailable:
    return DependencyUnavailable("The channel is too busy; nothing was changed.", retry_after=1.0)

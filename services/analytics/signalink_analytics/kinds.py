"""What each type of event counts, and whom it names: the table behind every figure. Pure.

`Kind.column` is a counter of 10_windows.sql. Types that are not here (presence, which is not in the log; requests of
notifications) count nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from signalink_core.events import types

SHARED: Final = ("messages", "replies", "characters", "edits", "deletions", "joins", "departures", "reads")
"""Counters of all three tables."""
FACTS: Final = ("logins", "logouts", "registrations", "channels")
"""Counters of the platform and of users."""
MESSAGE_COLUMNS: Final = ("events", *SHARED, *FACTS)
CHANNEL_COLUMNS: Final = (*SHARED, "response_ms")
USER_COLUMNS: Final = (*SHARED, *FACTS)
NO_CHANNEL: Final = str(UUID(int=0))
"""The channel of what a user does outside of channels."""
USERS_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class Kind:
    """`column` None: counts as an event alone. `user`: field of the data that names who did it; None: nobody's doing.

    `channel`: field that names the channel, of facts; events of a channel carry it in the envelope. `actor`: a further
    field that must name a user, though it is not counted as that user's doing.
    """

    column: str | None
    user: str | None = None
    channel: str | None = None
    actor: str | None = None


KINDS: Final[Mapping[str, Kind]] = {
    types.MESSAGE_CREATED: Kind("messages", user="sender_id"),
    types.MESSAGE_EDITED: Kind("edits", user="edited_by"),
    types.MESSAGE_DELETED: Kind("deletions", user="deleted_by"),
    types.MEMBER_JOINED: Kind("joins", user="user_id"),
    types.MEMBER_LEFT: Kind("departures", user="user_id"),
    types.MEMBER_REMOVED: Kind("departures", actor="user_id"),
    types.MEMBER_ROLE_CHANGED: Kind(None, actor="user_id"),
    types.CHANNEL_UPDATED: Kind(None, actor="by"),
    types.CHANNEL_ARCHIVED: Kind(None, actor="by"),
    types.CHANNEL_DELETED: Kind(None, actor="by"),
    types.CHANNEL_CREATED: Kind("channels", user="created_by"),
    types.USER_REGISTERED: Kind("registrations", user="user_id"),
    types.USER_LOGGED_IN: Kind("logins", user="user_id"),
    types.USER_LOGGED_OUT: Kind("logouts", user="user_id"),
    types.MESSAGE_READ: Kind("reads", user="user_id", channel="channel_id"),
}


@lru_cache(maxsize=USERS_REMEMBERED)
def canonical(text: str) -> str:
    """A UUID as Postgres writes it; ValueError or AttributeError for anything else."""
    return str(UUID(text))


def user_of(kind: Kind, data: Mapping[str, Any]) -> str | None:
    """Who did it. KeyError, ValueError, TypeError, AttributeError: the data are not those of the kind."""
    if kind.actor is not None:
        canonical(data[kind.actor])
    return None if kind.user is None else canonical(data[kind.user])

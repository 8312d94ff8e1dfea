"""What nodes tell each other about presence and typing, as bytes on Redis channels. State, not events: any may be lost.

A batch has a number that counts per node; whoever misses one reads the node's hash in Redis instead (`presence`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args
from uuid import UUID

import orjson

from signalink_core.events.types import PresenceState

STATES: tuple[PresenceState, ...] = get_args(PresenceState)
BATCH_USERS = 1_000
"""About 50 KB."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Users of one node whose state there changed. `n` grows by one per batch, by more when something was left out."""

    node: str
    n: int
    users: Sequence[tuple[UUID, PresenceState]] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """The node died and was cleared away: its users are not there any more."""

    node: str


def encode_presence(hint: Batch | Gone) -> bytes:
    if isinstance(hint, Gone):
        return orjson.dumps({"node": hint.node, "gone": True})
    users = [[str(user), state] for user, state in hint.users]
    return orjson.dumps({"node": hint.node, "n": hint.n, "users": users})


def decode_presence(payload: bytes) -> Batch | Gone:
    """Raises ValueError on anything that is neither."""
    try:
        hint = orjson.loads(payload)
        node = hint["node"]
        if not isinstance(node, str):
            raise ValueError("node must be a text")
        if hint.get("gone") is True:
            return Gone(node)
        return Batch(node, int(hint["n"]), [(UUID(user), state_of(state)) for user, state in hint["users"]])
    except (TypeError, AttributeError, KeyError) as exc:
        raise ValueError(f"not a presence hint: {exc!r}") from exc


def encode_typing(user_id: UUID) -> bytes:
    return orjson.dumps({"user": str(user_id)})


def decode_typing(payload: bytes) -> UUID:
    """The user who types. Raises ValueError."""
    try:
        return UUID(orjson.loads(payload)["user"])
    except (TypeError, AttributeError, KeyError) as exc:
        raise ValueError(f"not a typing hint: {exc!r}") from exc


def state_of(text: object) -> PresenceState:
    """Raises ValueError for a word that is no state."""
    for state in STATES:
        if state == text:
            return state
    raise ValueError(f"{text!r} is no presence state; known are {', '.join(STATES)}")

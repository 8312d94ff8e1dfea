"""Every Redis name of the bus and of socket tickets, and what travels under it.

| name | payload |
|---|---|
| `signalink:events:{channel id}` | `signalink_core.events.encode_live`: the JSON of the gateway's `event` frame |
| `signalink:heads` | JSON `[[channel id, epoch, last seq], ...]`, from the relay each second |
| `signalink:log` | empty: the log grew, one per flush of a publisher (wakes the relay) |
| `signalink:revocations` | empty: read the revocations now instead of at the next 2 s poll |
| `signalink:presence` | JSON of `signalink_core.bus.hints`: which users of a node changed, or that the node is gone |
| `signalink:typing:{channel id}` | JSON of `signalink_core.bus.hints`: one user types there |
| `signalink:canary:{run}` | a number that one run of a gateway says to itself each second |
| `signalink:ticket:{sha256 hex}` | a socket JWT, one use, 30 s |

Keys of presence, all below `signalink:presence:`; `{node}` is one run of one gateway process:

| key | holds |
|---|---|
| `nodes` | hash: node -> name of its process, for every node that was not reaped |
| `node:{node}` | the heartbeat: TTL 9 s, renewed every 3 s |
| `users:{node}` | hash: user id -> `state:sessions:version`, and under `n` the number of the last batch |
| `reap:{node}` | the lease of whoever clears a dead node away |
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

import orjson

EVENTS_PREFIX = b"signalink:events:"
HEADS = b"signalink:heads"
WAKE = b"signalink:log"
REVOCATIONS = b"signalink:revocations"
TICKET_PREFIX = "signalink:ticket:"
PRESENCE = b"signalink:presence"
PRESENCE_PREFIX = "signalink:presence:"
TYPING_PREFIX = b"signalink:typing:"
CANARY_PREFIX = b"signalink:canary:"

Head = tuple[UUID, int, int]
"""(channel id, epoch, last seq)"""


def events_key(channel_id: UUID) -> bytes:
    return EVENTS_PREFIX + str(channel_id).encode()


def events_channel(key: bytes) -> UUID | None:
    """The channel id in an events key; None for any other key."""
    return _channel(EVENTS_PREFIX, key)


def typing_key(channel_id: UUID) -> bytes:
    return TYPING_PREFIX + str(channel_id).encode()


def typing_channel(key: bytes) -> UUID | None:
    """The channel id in a typing key; None for any other key."""
    return _channel(TYPING_PREFIX, key)


def canary_key(run: str) -> bytes:
    """`run`: of a process, not its name, which another may have too."""
    return CANARY_PREFIX + run.encode()


@lru_cache(maxsize=4096)  # the same few keys come with every message; parsing one costs 1.5 us
def _channel(prefix: bytes, key: bytes) -> UUID | None:
    if not key.startswith(prefix):
        return None
    try:
        return UUID(key[len(prefix) :].decode())
    except ValueError:
        return None


def ticket_key(ticket: str) -> str:
    """The ticket itself is never stored: whoever reads Redis cannot open a socket."""
    return TICKET_PREFIX + hashlib.sha256(ticket.encode()).hexdigest()


def encode_heads(heads: Sequence[Head]) -> bytes:
    return orjson.dumps([[str(channel), epoch, seq] for channel, epoch, seq in heads])


def decode_heads(payload: bytes) -> list[Head]:
    """Raises ValueError on anything that is not a list of heads."""
    try:
        return [(UUID(channel), int(epoch), int(seq)) for channel, epoch, seq in orjson.loads(payload)]
    except (TypeError, AttributeError) as exc:
        raise ValueError(f"heads must be [[channel, epoch, seq], ...]: {exc}") from exc

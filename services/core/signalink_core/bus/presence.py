"""Where nodes keep who is online on them: one hash per node, a heartbeat key, and hints about what changed.

Owns the Redis commands and nothing of what they mean: when to beat, read or clear away is the gateway's to decide.
A node writes its own hash only; a dead node's hash is cleared by whoever holds the lease. Every failure is a
DependencyUnavailable within 0.5 s.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from redis.exceptions import RedisError

from signalink_core import faults, lifecycle
from signalink_core.bus import hints, keys
from signalink_core.errors import DependencyUnavailable, FaultInjected
from signalink_core.events.types import PresenceState
from signalink_core.settings import RedisSettings

CONNECTIONS = 4
LEASE_MS = 5_000
FORGET_MS = 60_000
"""A hash that nobody renews or clears away leaves by itself."""
CHUNK = 1_000
BATCH_FIELD = "n"
Fields = dict[bytes | bytearray | memoryview | str | int | float, bytes | bytearray | memoryview | str | int | float]
"""What redis-py takes as the fields of a hash."""


class Here(NamedTuple):
    """One user on one node; `version` is the number of the batch that said so."""

    state: PresenceState
    sessions: int
    version: int


class Reading(NamedTuple):
    """What one node's hash said, as of batch `n`. `users`: those that were asked for and are there."""

    n: int
    users: Mapping[UUID, Here]


class Mark(NamedTuple):
    """One node of the registry: whether its heartbeat is there, and its last batch (None: its hash is missing)."""

    alive: bool
    n: int | None


class PresenceStore(lifecycle.Lifecycle):
    """The hash of `node`, and reading those of the others."""

    def __init__(self, redis: RedisSettings, node: str, *, name: str = "") -> None:
        super().__init__()
        self.node, self._name, self._settings = node, name or node, redis

    async def _start(self) -> None:
        self._client = self._settings.client(max_connections=CONNECTIONS)
        await self.enter(contextlib.aclosing(self._client))

    async def beat(self, ttl_ms: int) -> bool:
        """Renews the heartbeat. False: Redis did not have it, so everything has to be written again."""
        with _translated():
            await faults.point("redis.command", command="presence")
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.set(_key("node", self.node), self._name, px=ttl_ms, get=True)
                pipe.hset(_key("nodes"), self.node, self._name)
                pipe.pexpire(_key("users", self.node), FORGET_MS)
                before, _, kept = await pipe.execute()
        return before is not None and bool(kept)

    async def put_all(self, n: int, users: Mapping[UUID, tuple[PresenceState, int]]) -> None:
        """Writes the whole hash anew. Readers in between see no `n` and keep what they know."""
        key = _key("users", self.node)
        fields = {str(user): _value(state, sessions, n) for user, (state, sessions) in users.items()}
        names = list(fields)
        with _translated():
            await self._client.delete(key)
            for start in range(0, len(names), CHUNK):
                await self._client.hset(key, mapping={name: fields[name] for name in names[start : start + CHUNK]})
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hset(key, BATCH_FIELD, str(n))
                pipe.pexpire(key, FORGET_MS)
                pipe.publish(keys.PRESENCE, hints.encode_presence(hints.Batch(self.node, n)))
                await pipe.execute()

    async def write(
        self, n: int, users: Mapping[UUID, tuple[PresenceState, int]], edges: Sequence[tuple[UUID, PresenceState]]
    ) -> None:
        """Writes batch `n`: `users` as (state, sessions), `offline` ones leave the hash. `edges` are published."""
        key = _key("users", self.node)
        kept: Fields = {
            str(u): _value(state, sessions, n) for u, (state, sessions) in users.items() if state != "offline"
        }
        gone = [str(user) for user, (state, _) in users.items() if state == "offline"]
        with _translated():
            await faults.point("redis.command", command="presence")
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hset(key, mapping={**kept, BATCH_FIELD: str(n)})
                if gone:
                    pipe.hdel(key, *gone)
                pipe.publish(keys.PRESENCE, hints.encode_presence(hints.Batch(self.node, n, edges)))
                await pipe.execute()

    async def say_typing(self, typing: Iterable[tuple[UUID, UUID]]) -> None:
        """Publishes (channel, user) pairs."""
        with _translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for channel, user in typing:
                    pipe.publish(keys.typing_key(channel), hints.encode_typing(user))
                await pipe.execute()

    async def census(self) -> dict[str, Mark]:
        """Every node that registered and was not cleared away."""
        with _translated():
            nodes = [_text(node) for node in await self._client.hgetall(_key("nodes"))]
            async with self._client.pipeline(transaction=False) as pipe:
                for node in nodes:
                    pipe.exists(_key("node", node))
                    pipe.hget(_key("users", node), BATCH_FIELD)
                answers = await pipe.execute()
        pairs = zip(answers[::2], answers[1::2], strict=True)
        return {
            node: Mark(bool(alive), None if n is None else int(n))
            for node, (alive, n) in zip(nodes, pairs, strict=True)
        }

    async def read(self, nodes: Iterable[str], users: Sequence[UUID]) -> dict[str, Reading]:
        """These users on these nodes; a node whose hash is missing is left out."""
        found: dict[str, Reading] = {}
        for node in nodes:
            for start in range(0, len(users), CHUNK):
                chunk = users[start : start + CHUNK]
                with _translated():
                    n, *values = await self._client.hmget(
                        _key("users", node), [BATCH_FIELD, *(str(user) for user in chunk)]
                    )
                if n is None:
                    found.pop(node, None)
                    break
                before = found[node] if node in found else Reading(int(n), {})
                here = {user: _here(value) for user, value in zip(chunk, values, strict=True) if value is not None}
                found[node] = Reading(min(before.n, int(n)), {**before.users, **here})
        return found

    async def users_of(self, node: str) -> dict[UUID, Here]:
        """The whole hash of a node."""
        with _translated():
            fields = await self._client.hgetall(_key("users", node))
        return {UUID(_text(name)): _here(value) for name, value in fields.items() if _text(name) != BATCH_FIELD}

    async def lease(self, node: str) -> bool:
        """Whether this node may clear the dead `node` away: it has the lease, and the heartbeat is still missing."""
        with _translated():
            if not await self._client.set(_key("reap", node), self.node, nx=True, px=LEASE_MS):
                return False
            return not await self._client.exists(_key("node", node))

    async def bury(self, node: str) -> None:
        """Tells everyone, then forgets the node."""
        with _translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.publish(keys.PRESENCE, hints.encode_presence(hints.Gone(node)))
                pipe.delete(_key("users", node))
                pipe.hdel(_key("nodes"), node)
                await pipe.execute()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError, FaultInjected) as exc:
        raise DependencyUnavailable(f"Presence is not in reach: Redis {type(exc).__name__}.", retry_after=1) from exc


def _key(kind: str, node: str | None = None) -> str:
    return keys.PRESENCE_PREFIX + kind if node is None else f"{keys.PRESENCE_PREFIX}{kind}:{node}"


def _value(state: PresenceState, sessions: int, version: int) -> str:
    return f"{state}:{sessions}:{version}"


def _here(value: bytes | str) -> Here:
    state, sessions, version = _text(value).split(":")
    return Here(hints.state_of(state), int(sessions), int(version))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

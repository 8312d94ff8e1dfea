"""What a channel is given and what it answers. Expected failures are values: whether to try again is not its decision.

A reason is a word of a closed form (`smtp_550`, `http_500`, `timeout`), never a provider's text, which may quote an
address. `memory.MemoryChannel` is the twin.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Notice:
    """One message a user is told of, as it reads now."""

    notification_id: UUID
    kind: str
    message_id: UUID
    message_seq: int
    channel_id: UUID
    channel_name: str
    channel_kind: str
    sender_id: UUID
    sender_name: str
    body: str = field(repr=False)
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """Where it goes: an e-mail address, a device's registration token, a URL with its signing secret."""

    id: str
    address: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One call to a provider. `key` is the same whenever it is repeated; several notices make a digest."""

    key: UUID
    user_id: UUID
    user_name: str
    notices: tuple[Notice, ...]
    target: Target
    unsubscribe_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Again:
    """Not now: the provider is away or busy, or nobody knows whether it took it."""

    reason: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """No repetition would change it. `gone`: the target does not exist any more."""

    reason: str
    gone: bool = False


Outcome = Sent | Again | Never


class Channel(Protocol):
    """One way out. `disabled` says why it cannot send at all; empty when it can."""

    name: str
    disabled: str

    def provider(self, target: Target) -> str:
        """Who answers for this target; the circuit breaker's key."""
        ...

    async def send(self, outgoing: Outgoing) -> Outcome:
        """One call to the provider, bounded in time; raises nothing that was expected."""
        ...

"""Reading events, heads and revocation hints from the bus, per channel, with every loss made visible.

Attached means that Redis confirmed the subscription. After `on_attached`, whether the first or one after a
reconnect, messages may have been missed before it: the hub reads the channel's head from the log.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.bus import feed, keys
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import logging

Canary = tuple[bytes, Callable[[bytes], None]]
"""The Redis name of a gateway's own canary, and what hears its payloads."""
log = logging.get_logger(__name__)


def ignore(*_: object) -> None:
    """The default of every callback of a subscriber."""


class Router:
    """Names to callbacks; shared by the real subscriber and its memory twin."""

    def __init__(
        self,
        on_event: Callable[[UUID, bytes], None],
        on_heads: Callable[[Sequence[keys.Head]], None],
        on_revocations: Callable[[], None],
        on_presence: Callable[[bytes], None] = ignore,
        on_typing: Callable[[UUID, bytes], None] = ignore,
        canary: Canary | None = None,
    ) -> None:
        self._on_event, self._on_heads, self._on_revocations = on_event, on_heads, on_revocations
        self._on_presence, self._on_typing = on_presence, on_typing
        self._canary, self._on_canary = canary or (b"", ignore)

    def route(self, name: bytes, payload: bytes) -> None:
        if name == keys.HEADS:
            try:
                heads = keys.decode_heads(payload)
            except ValueError as exc:
                log.warning("heads_unreadable", reason=str(exc))
                return
            self._on_heads(heads)
        elif name == keys.REVOCATIONS:
            self._on_revocations()
        elif (channel := keys.events_channel(name)) is not None:
            self._on_event(channel, payload)
        elif name == keys.PRESENCE:
            self._on_presence(payload)
        elif (channel := keys.typing_channel(name)) is not None:
            self._on_typing(channel, payload)
        elif name == self._canary:
            self._on_canary(payload)


class Subscriber(lifecycle.Lifecycle):
    """Callbacks run on the loop, in the order Redis sent; they must not block.

    on_event(channel id, `encode_live` bytes) · on_heads([(channel id, epoch, last seq)]) · on_attached(channel id) ·
    on_lost() once per outage: nothing is attached any more · on_revocations() hint · on_presence(`hints` bytes) ·
    on_following() whenever presence is followed (again): what was said before is lost · on_typing(channel id, `hints`
    bytes) of attached channels · canary: a name of one's own and who hears it. Presence, typing and the canary are
    followed only by who gives a callback for them.
    """

    def __init__(
        self,
        redis: RedisSettings,
        *,
        on_event: Callable[[UUID, bytes], None],
        on_heads: Callable[[Sequence[keys.Head]], None] = ignore,
        on_attached: Callable[[UUID], None] = ignore,
        on_lost: Callable[[], None] = ignore,
        on_revocations: Callable[[], None] = ignore,
        on_presence: Callable[[bytes], None] = ignore,
        on_following: Callable[[], None] = ignore,
        on_typing: Callable[[UUID, bytes], None] = ignore,
        canary: Canary | None = None,
    ) -> None:
        super().__init__()
        self._on_attached, self._on_following = on_attached, on_following
        self._types = on_typing is not ignore
        router = Router(on_event, on_heads, on_revocations, on_presence, on_typing, canary)
        self._feed = feed.Feed(redis, on_message=router.route, on_confirmed=self._confirmed, on_lost=on_lost)
        self._feed.add(keys.HEADS)
        self._feed.add(keys.REVOCATIONS)
        if on_presence is not ignore:
            self._feed.add(keys.PRESENCE)
        if canary is not None:
            self._feed.add(canary[0])

    @property
    def connected(self) -> bool:
        return self._feed.connected

    def attach(self, channel_id: UUID) -> None:
        """Asks for a channel's events; done when `on_attached` is called. Kept over reconnects until `detach`."""
        self._feed.add(keys.events_key(channel_id))
        if self._types:
            self._feed.add(keys.typing_key(channel_id))

    def detach(self, channel_id: UUID) -> None:
        self._feed.remove(keys.events_key(channel_id))
        if self._types:
            self._feed.remove(keys.typing_key(channel_id))

    def attached(self, channel_id: UUID) -> bool:
        return self._feed.confirmed(keys.events_key(channel_id))

    @property
    def failed(self) -> "asyncio.Future[BaseException]":
        """The feed's: it owns the only task."""
        return self._feed.failed

    async def _start(self) -> None:
        await self._feed.start()

    async def _stop(self) -> None:
        await self._feed.stop()

    def _confirmed(self, name: bytes) -> None:
        if (channel := keys.events_channel(name)) is not None:
            self._on_attached(channel)
        elif name == keys.PRESENCE:
            self._on_following()

"""Typed handlers by kind of event; `Handlers.apply` is what a consumer is given.

Owns which event goes to which function. Batching effects (analytics) write an `Apply` of their own instead.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from signalink_core.events import types
from signalink_core.kafka.delivery import Batch, Delivered

Handler = Callable[[Any, Delivered], Awaitable[None]]
"""`await handler(tx, delivered)`, within the transaction."""
H = TypeVar("H", bound=Handler)
ANALYTICS = "analytics"


class Handlers:
    """Each method registers a function and returns it, so it may stand as a decorator. One function per kind."""

    def __init__(self) -> None:
        self._by_type: dict[str, Handler] = {}
        self._by_topic: dict[str, Handler] = {}

    def on(self, event_type: str, handler: H) -> H:
        """Events of one type of `signalink_core.events.types`."""
        if event_type not in types.TYPES:
            raise ValueError(f"{event_type} is no event type; there are {', '.join(sorted(types.TYPES))}")
        return self._register(self._by_type, event_type, handler)

    def on_message_created(self, handler: H) -> H:
        return self.on(types.MESSAGE_CREATED, handler)

    def on_message_edited(self, handler: H) -> H:
        return self.on(types.MESSAGE_EDITED, handler)

    def on_message_deleted(self, handler: H) -> H:
        return self.on(types.MESSAGE_DELETED, handler)

    def on_notification(self, handler: H) -> H:
        return self.on(types.NOTIFICATION_REQUESTED, handler)

    def on_presence(self, handler: H) -> H:
        return self.on(types.PRESENCE_CHANGED, handler)

    def on_analytics(self, handler: H) -> H:
        """Every fact of topic `analytics` that has no handler of its own."""
        return self._register(self._by_topic, ANALYTICS, handler)

    async def apply(self, tx: Any, batch: Batch) -> None:
        """Call the handler of each event, in order; events without one are left alone."""
        for delivered in batch.events:
            handler = self._by_type.get(delivered.type) or self._by_topic.get(batch.topic)
            if handler is not None:
                await handler(tx, delivered)

    @staticmethod
    def _register(table: dict[str, Handler], key: str, handler: H) -> H:
        if key in table:
            raise ValueError(f"{key} has a handler already")
        table[key] = handler
        return handler

"""The bus between nodes: Redis pub/sub as the latency path, and its memory twin.

Owns the names of Redis channels and what is said on them. The bus may lose anything at any time: whoever reads from it
heals from the event log (`signalink_core.log`), which this package never touches.
"""

from signalink_core.bus.keys import EVENTS_PREFIX, HEADS, REVOCATIONS, TICKET_PREFIX, WAKE, events_key, ticket_key
from signalink_core.bus.publisher import Publisher
from signalink_core.bus.subscriber import Subscriber
from signalink_core.bus.wake import Wake

__all__ = [
    "EVENTS_PREFIX",
    "HEADS",
    "REVOCATIONS",
    "TICKET_PREFIX",
    "WAKE",
    "Publisher",
    "Subscriber",
    "Wake",
    "events_key",
    "ticket_key",
]

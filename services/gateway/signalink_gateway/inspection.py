"""What a gateway shows of one channel to who asks its internal port: where its feed is, what its ring holds.

Owns the document of /debug/channel?id=UUID. Who may ask is the internal server's. Reads state only, changes nothing.
"""

from collections.abc import Mapping
from uuid import UUID

from signalink_core.errors import BadRequest
from signalink_core.internal import View
from signalink_gateway.hub import Hub


def channel_view(node: str, hub: Hub) -> View:
    """`known` False: nobody of this node is in the channel, so it takes none of its events."""

    def show(query: Mapping[str, str]) -> object:
        try:
            channel_id = UUID(query.get("id", ""))
        except ValueError as error:
            raise BadRequest("The parameter id is no UUID.", next_step="ask /debug/channel?id=CHANNEL_ID") from error
        connected = hub.bus is not None and hub.bus.connected
        channel = hub.channels.get(channel_id)
        if channel is None:
            return {"node": node, "bus_connected": connected, "known": False}
        return {
            "node": node,
            "bus_connected": connected,
            "known": True,
            "epoch": channel.epoch,
            "seq": channel.seq,
            "target": channel.target,
            "attached": channel.attached,
            "healing": channel.healing,
            "held": len(channel.held),
            "ring": {"first": channel.ring.first, "last": channel.ring.last},
            "sessions": len(channel.subscriptions),
            "live": len(channel.live),
        }

    return show

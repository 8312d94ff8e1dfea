"""What a client of a race sends to the writing function."""

from typing import Any
from uuid import UUID

from signalink_api.writer import Draft
from signalink_core.ids import uuid7

POST = "SELECT messaging.post_messages($1)"


def command(owner: UUID, *channels: UUID) -> dict[str, Any]:
    """One batch with a new message to each channel."""
    rows = []
    for n, channel in enumerate(channels):
        draft = Draft(channel, owner, str(uuid7()), "a body of the race")
        rows.append(
            {
                "n": n,
                "channel_id": channel,
                "sender_id": owner,
                "client_id": draft.client_id,
                "body": draft.body,
                "format": draft.format,
                "metadata": {},
                "reply_to": None,
                "request_hash": draft.request_hash().hex(),
                "message_id": uuid7(),
                "event_id": uuid7(),
                "traceparent": None,
            }
        )
    return {"rows": rows, "wait": True}

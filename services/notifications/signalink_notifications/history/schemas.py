"""What a user sees of their notifications. No text of a message: who may still read it is the api's to decide."""

from uuid import UUID

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_core.web.schemas import Answer, Moment


class Notification(Answer):
    """You were to be told of a message. `digest`: its mail waited for others."""

    id: UUID
    kind: NotificationKind
    channel_id: UUID
    message_id: UUID
    message_seq: int
    sender_id: UUID
    channels: list[NotificationChannel]
    digest: bool
    planned_at: Moment

"""What a user sees of their notifications. No text of a message: who may still read it is the api's to decide."""

from typing import Literal
from uuid import UUID

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_core.web.schemas import Answer, Moment


class Delivery(Answer):
    """Through one channel. `reason` says why it was `skipped`, `error` why the last attempt failed."""

    channel: NotificationChannel
    state: Literal["pending", "sent", "skipped", "failed"]
    reason: str | None
    error: str | None
    attempts: int
    next_attempt_at: Moment | None
    settled_at: Moment | None


class Notification(Answer):
    """You were to be told of a message. `digest`: its mail waits for others. Without a delivery it is on its way."""

    id: UUID
    kind: NotificationKind
    channel_id: UUID
    message_id: UUID
    message_seq: int
    sender_id: UUID
    channels: list[NotificationChannel]
    digest: bool
    planned_at: Moment
    deliveries: list[Delivery]

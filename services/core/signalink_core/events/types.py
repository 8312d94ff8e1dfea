"""The data of every event type, as pydantic models; `TYPES` is the catalogue.

Readers ignore unknown fields: a field may be added, never renamed, removed or given another meaning without a new
version in `dataschema`. The envelope around the data is in `envelope`.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

PREFIX = "dev.signalink."
MESSAGE_CREATED = PREFIX + "message.created"
MESSAGE_EDITED = PREFIX + "message.edited"
MESSAGE_DELETED = PREFIX + "message.deleted"
MEMBER_JOINED = PREFIX + "member.joined"
MEMBER_LEFT = PREFIX + "member.left"
MEMBER_REMOVED = PREFIX + "member.removed"
MEMBER_ROLE_CHANGED = PREFIX + "member.role_changed"
CHANNEL_UPDATED = PREFIX + "channel.updated"
CHANNEL_ARCHIVED = PREFIX + "channel.archived"
CHANNEL_DELETED = PREFIX + "channel.deleted"
CHANNEL_CREATED = PREFIX + "channel.created"
USER_REGISTERED = PREFIX + "user.registered"
USER_LOGGED_IN = PREFIX + "user.logged_in"
USER_LOGGED_OUT = PREFIX + "user.logged_out"
MESSAGE_READ = PREFIX + "message.read"
PRESENCE_CHANGED = PREFIX + "presence.changed"
NOTIFICATION_REQUESTED = PREFIX + "notification.requested"

Role = Literal["owner", "moderator", "member", "reader"]
Kind = Literal["public", "private", "direct"]
History = Literal["all", "joined"]
PresenceState = Literal["online", "away", "dnd", "offline"]
NotificationKind = Literal["mention", "direct", "reply", "keyword"]
NotificationChannel = Literal["email", "push", "webhook"]


class EventData(BaseModel):
    """Base of every data model: unknown fields are ignored, values do not change."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class MessageCreated(EventData):
    """A message is in the channel; `seq` is its own place there."""

    id: UUID
    channel_id: UUID
    seq: int
    sender_id: UUID
    client_id: str
    body: str
    format: str
    metadata: dict[str, Any]
    reply_to: UUID | None = None
    thread_root: UUID | None = None
    created_at: datetime


class MessageEdited(EventData):
    """A message has another body; `message_seq` is the place of its creation, `revision` counts from 1."""

    id: UUID
    message_seq: int
    body: str
    edited_by: UUID
    edited_at: datetime
    revision: int


class MessageDeleted(EventData):
    """A message has lost its body for good; the place stays."""

    id: UUID
    message_seq: int
    deleted_by: UUID
    deleted_at: datetime


class MemberJoined(EventData):
    """A user is a member from this event's seq on; `by` differs from `user_id` when someone added them."""

    user_id: UUID
    role: Role
    by: UUID


class MemberLeft(EventData):
    """A user left; this event is the last one they are entitled to."""

    user_id: UUID


class MemberRemoved(EventData):
    """A user was removed; this event is the last one they are entitled to."""

    user_id: UUID
    by: UUID


class MemberRoleChanged(EventData):
    """A member has another role."""

    user_id: UUID
    role: Role
    by: UUID


class ChannelUpdated(EventData):
    """Settings of the channel changed; only the changed ones are present."""

    by: UUID
    name: str | None = None
    description: str | None = None
    kind: Kind | None = None
    history: History | None = None
    slow_mode_seconds: int | None = None
    max_members: int | None = None
    messages_per_second: int | None = None
    retention_days: int | None = None


class ChannelArchived(EventData):
    """Nothing can be posted to the channel any more."""

    by: UUID


class ChannelDeleted(EventData):
    """The channel is gone for everybody: this event is the last one, and the last that any member is entitled to."""

    by: UUID


class ChannelCreated(EventData):
    """Fact for analytics: a channel exists."""

    id: UUID
    slug: str | None = None
    name: str
    kind: Kind
    created_by: UUID


class UserRegistered(EventData):
    """Fact for analytics: an account exists."""

    user_id: UUID


class UserLoggedIn(EventData):
    """Fact for analytics: a user opened a session."""

    user_id: UUID


class UserLoggedOut(EventData):
    """Fact for analytics: a user ended a session."""

    user_id: UUID


class MessageRead(EventData):
    """Fact for analytics: a member has read up to `seq`; told when all is read, else at most once a minute."""

    user_id: UUID
    channel_id: UUID
    seq: int


class PresenceChanged(EventData):
    """A user is in another state, over all devices. Best effort: it may be missing or come twice; `time` orders."""

    user_id: UUID
    state: PresenceState


class NotificationRequested(EventData):
    """A user is to be told of a message. No body: who sends it reads what is there then, and nothing of a deleted one.

    `not_before`: the end of their quiet hours. `digest_at`: until then the mail waits for others (`digest`).
    """

    notification_id: UUID
    user_id: UUID
    kind: NotificationKind
    channel_id: UUID
    message_id: UUID
    message_seq: int
    sender_id: UUID
    created_at: datetime
    channels: tuple[NotificationChannel, ...]
    digest: bool = False
    not_before: datetime | None = None
    digest_at: datetime | None = None


TYPES: dict[str, type[EventData]] = {
    MESSAGE_CREATED: MessageCreated,
    MESSAGE_EDITED: MessageEdited,
    MESSAGE_DELETED: MessageDeleted,
    MEMBER_JOINED: MemberJoined,
    MEMBER_LEFT: MemberLeft,
    MEMBER_REMOVED: MemberRemoved,
    MEMBER_ROLE_CHANGED: MemberRoleChanged,
    CHANNEL_UPDATED: ChannelUpdated,
    CHANNEL_ARCHIVED: ChannelArchived,
    CHANNEL_DELETED: ChannelDeleted,
    CHANNEL_CREATED: ChannelCreated,
    USER_REGISTERED: UserRegistered,
    USER_LOGGED_IN: UserLoggedIn,
    USER_LOGGED_OUT: UserLoggedOut,
    MESSAGE_READ: MessageRead,
    PRESENCE_CHANGED: PresenceChanged,
    NOTIFICATION_REQUESTED: NotificationRequested,
}

"""Bodies of the mute routes: owns what may be asked of a mute; whether the channel is one's own is `service`'s."""

from uuid import UUID

from pydantic import AwareDatetime

from signalink_core.web.schemas import Answer, Moment, Request


class MuteRequest(Request):
    """`until` null: for good."""

    until: AwareDatetime | None = None


class Mute(Answer):
    channel_id: UUID
    until: Moment | None
    muted_at: Moment


class Mutes(Answer):
    items: list[Mute]

"""Bodies of the mute routes."""

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
